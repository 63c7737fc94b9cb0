//! What the tokens of providers look like: a table of prefixes, and an index by their first bytes.
//!
//! The formats are those that the providers document, or that public secret scanners have
//! established; lengths are the shortest in use, so that an older or newer kind is found too.
//! Checksums (GitHub's, npm's) are not asked for: a key with a slip in it still gives most of it away.

use crate::redact::bytes::Alphabet::{self, Alnum, Base64, Dotted, Hex, Value, Wide, Word};
use crate::redact::bytes::{Text, is_filler, is_name, is_random};

/// The tokens of one provider.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// What stands in place of a hit.
    pub(super) name: &'static str,
    /// What such tokens begin with.
    pub(super) prefixes: &'static [&'static str],
    /// What follows.
    pub(super) tail: Alphabet,
    /// How many bytes follow at least.
    pub(super) length_min: usize,
    /// Whether the prefix is so common that what follows must look random.
    pub(super) is_weighed: bool,
}

const fn is(
    name: &'static str,
    prefixes: &'static [&'static str],
    tail: Alphabet,
    length_min: usize,
) -> Rule {
    Rule { name, prefixes, tail, length_min, is_weighed: false }
}

/// As [`is`], where the prefix alone says little.
const fn may_be(
    name: &'static str,
    prefixes: &'static [&'static str],
    tail: Alphabet,
    length_min: usize,
) -> Rule {
    Rule { name, prefixes, tail, length_min, is_weighed: true }
}

/// How many bits a byte of a token tells at least where its prefix says little.
const BITS_MIN: f32 = 3.0;

/// Every provider. Where one prefix begins another the longer stands first.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    // Models.
    is("anthropic-key", &["sk-ant-"], Word, 16),
    is("openrouter-key", &["sk-or-v1-", "sk-or-"], Hex, 32),
    is("langfuse-key", &["sk-lf-"], Word, 30),
    is("helicone-key", &["sk-helicone-"], Word, 20),
    is("openai-key", &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"], Word, 20),
    is("openai-session", &["sess-"], Alnum, 40),
    is("groq-key", &["gsk_"], Alnum, 40),
    is("xai-key", &["xai-"], Word, 40),
    is("perplexity-key", &["pplx-"], Alnum, 32),
    is("huggingface-token", &["hf_", "api_org_"], Alnum, 30),
    is("replicate-token", &["r8_"], Alnum, 32),
    is("cerebras-key", &["csk-"], Alnum, 32),
    is("fireworks-key", &["fw_"], Alnum, 20),
    is("nvidia-key", &["nvapi-"], Word, 40),
    is("together-key", &["tgp_v1_"], Word, 32),
    is("langsmith-key", &["lsv2_pt_", "lsv2_sk_"], Word, 30),
    is("tavily-key", &["tvly-"], Word, 20),
    is("pinecone-key", &["pcsk_"], Word, 40),
    is("voyage-key", &["pa-"], Word, 40),
    is("jina-key", &["jina_"], Word, 40),
    is("llamacloud-key", &["llx-"], Alnum, 32),
    may_be("firecrawl-key", &["fc-"], Alnum, 28),
    is("e2b-key", &["e2b_"], Alnum, 32),
    is("browserbase-key", &["bb_live_", "bb_test_"], Word, 20),
    is("apify-token", &["apify_api_"], Alnum, 30),
    is("runpod-key", &["rpa_"], Alnum, 36),
    may_be("modal-token", &["ak-", "as-"], Alnum, 22),
    is("anyscale-key", &["esecret_"], Alnum, 24),
    is("friendli-token", &["flp_"], Alnum, 40),
    is("mem0-key", &["m0-"], Alnum, 36),
    is("context7-key", &["ctx7sk-"], Word, 30),
    is("brave-key", &["BSA"], Word, 20),
    is("wandb-key", &["wandb_v1_"], Word, 40),
    is("cursor-key", &["key_"], Hex, 60),
    may_be("openai-key", &["sk-"], Word, 20),
    // Clouds and databases.
    is("aws-key-id", &["AKIA", "ASIA", "ABIA", "ACCA", "A3T"], Alnum, 16),
    is("aws-session-token", &["IQoJb3JpZ2lu", "FwoGZXIvYXdz"], Base64, 60),
    is("aws-bedrock-key", &["ABSK"], Base64, 60),
    is("amazon-mws-key", &["amzn.mws."], Word, 30),
    is("amazon-oauth-secret", &["amzn1.oa2-cs.v1."], Hex, 60),
    is("google-key", &["AIza"], Word, 33),
    is("google-oauth-secret", &["GOCSPX-"], Word, 24),
    is("google-oauth-token", &["ya29."], Dotted, 20),
    is("google-refresh-token", &["1//0"], Word, 30),
    is("google-auth-code", &["4/0A"], Word, 30),
    is("digitalocean-token", &["dop_v1_", "doo_v1_", "dor_v1_"], Hex, 60),
    is("alibaba-key-id", &["LTAI"], Alnum, 16),
    is("tencent-key-id", &["AKID"], Alnum, 32),
    is("yandex-key", &["AQVN"], Word, 35),
    is("yandex-token", &["t1."], Dotted, 80),
    is("yandex-aws-key", &["YCA", "YCM", "YCN", "YCO", "YCP"], Word, 36),
    is("scaleway-key", &["SCW"], Alnum, 17),
    is("scalingo-token", &["tk-us-"], Word, 40),
    is("heroku-key", &["HRKU-"], Word, 30),
    is("fly-token", &["fm1r_", "fm1a_", "fm2_"], Base64, 40),
    is("fly-token", &["fo1_"], Word, 40),
    is("render-key", &["rnd_"], Alnum, 24),
    is("vercel-token", &["vercel_blob_rw_", "vcp_", "vci_", "vca_", "vcr_", "vck_"], Word, 20),
    is("netlify-token", &["nfp_", "nfc_", "nfo_", "nfu_"], Alnum, 36),
    is("cloudflare-ca-key", &["v1.0-"], Word, 150),
    is("cloudflare-token", &["cfut_", "cfat_", "cfk_"], Alnum, 36),
    is("supabase-token", &["sbp_"], Hex, 40),
    is("supabase-key", &["sb_secret_"], Word, 20),
    is("neon-key", &["napi_"], Alnum, 40),
    is("planetscale-key", &["pscale_tkn_", "pscale_oauth_", "pscale_pw_"], Dotted, 32),
    is("aiven-token", &["aivenv1"], Base64, 40),
    is("clickhouse-key", &["4b1d"], Alnum, 38),
    is("databricks-token", &["dapi", "dose"], Hex, 32),
    is("confluent-key", &["cflt"], Base64, 56),
    is("mongodb-key", &["mdb_sa_sk_"], Word, 20),
    is("fauna-key", &["fnA"], Word, 36),
    is("cockroach-key", &["CCDB1_"], Word, 40),
    is("tinybird-token", &["p.eyJ"], Dotted, 30),
    is("akamai-token", &["akab-"], Word, 16),
    is("exoscale-key", &["EXO"], Alnum, 24),
    is("upcloud-token", &["ucat_"], Alnum, 24),
    is("dnsimple-token", &["dnsimple_a_", "dnsimple_u_", "dnsimple_o_"], Alnum, 24),
    is("porkbun-key", &["sk1_", "pk1_"], Hex, 60),
    is("tailscale-key", &["tskey-auth-", "tskey-api-", "tskey-client-", "tskey-scim-", "tskey-webhook-", "tskey-"], Word, 16),
    is("netbird-token", &["nbp_"], Alnum, 30),
    is("nebula-key", &["dnkey-"], Word, 50),
    // Code and its delivery.
    is("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], Word, 30),
    is("github-pat", &["github_pat_"], Word, 30),
    is("gitlab-token", &["glpat-", "gldt-", "glrt-", "glrtr-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glcbt-", "glsoat-", "glffct-", "glwt-"], Dotted, 16),
    is("gitlab-runner-token", &["GR1348941"], Word, 20),
    is("bitbucket-token", &["ATBB", "ATCTT3"], Wide, 20),
    is("atlassian-token", &["ATATT3", "ATSTT3", "ATOAT"], Wide, 50),
    is("sourcegraph-token", &["sgp_", "slk_"], Word, 40),
    is("npm-token", &["npm_"], Alnum, 30),
    is("npm-legacy-token", &["NpmToken."], Word, 30),
    is("pypi-token", &["pypi-"], Word, 50),
    is("rubygems-key", &["rubygems_"], Hex, 48),
    is("crates-token", &["cio"], Alnum, 32),
    is("nuget-key", &["oy2"], Alnum, 43),
    is("clojars-token", &["CLOJARS_"], Alnum, 60),
    is("packagist-token", &["packagist_uut_", "packagist_ort_", "packagist_ack_", "packagist_oat_"], Alnum, 60),
    is("jfrog-key", &["AKCp"], Alnum, 50),
    is("jfrog-token", &["cmVmd"], Alnum, 50),
    is("docker-token", &["dckr_pat_", "dckr_oat_"], Word, 20),
    is("buildkite-token", &["bkua_"], Hex, 36),
    is("circleci-token", &["CCIPAT_", "CCIPRJ_"], Word, 40),
    is("harness-token", &["pat.", "sat."], Dotted, 60),
    is("sonar-token", &["squ_", "sqp_", "sqa_"], Hex, 40),
    is("snyk-token", &["snyk_uat.", "snyk_sat."], Dotted, 30),
    is("deepsource-token", &["dsp_"], Alnum, 36),
    is("socket-token", &["sktsec_"], Word, 30),
    is("stackhawk-key", &["hawk."], Dotted, 36),
    is("endor-token", &["endr+"], Word, 16),
    is("censys-token", &["censys_"], Word, 28),
    is("octopus-key", &["API-"], Alnum, 25),
    is("pulumi-token", &["pul-"], Hex, 40),
    is("terraform-token", &["atlasv1."], Word, 40),
    is("jetbrains-token", &["perm:", "perm-"], Wide, 30),
    is("deno-token", &["ddp_", "ddw_"], Alnum, 36),
    is("figma-token", &["figd_", "figu_", "figo_"], Word, 32),
    is("chromatic-token", &["chpt_"], Alnum, 12),
    may_be("launchdarkly-key", &["api-", "sdk-", "mob-"], Word, 32),
    is("postman-key", &["PMAK-", "PMAT-"], Word, 26),
    is("readme-key", &["rdme_"], Alnum, 50),
    is("prefect-key", &["pnu_", "pnb_"], Alnum, 30),
    is("dbt-token", &["dbtc_", "dbtu_"], Word, 30),
    is("retool-token", &["retool_"], Word, 20),
    is("zuplo-key", &["zpka_"], Word, 40),
    is("devcycle-key", &["dvc_server_", "dvc_client_"], Word, 30),
    may_be("flagsmith-key", &["ser."], Alnum, 20),
    is("infracost-key", &["ico-"], Alnum, 32),
    is("workato-key", &["wrkus-", "wrkeu-", "wrkjp-", "wrksg-", "wrkau-", "wrkaus-"], Wide, 40),
    is("trigger-key", &["tr_dev_", "tr_prod_", "tr_pat_", "tr_stg_"], Alnum, 20),
    is("inngest-key", &["signkey-prod-", "signkey-test-", "signkey-branch-"], Hex, 32),
    // Keepers of secrets and of identities.
    is("vault-token", &["hvs.", "hvb.", "hvr."], Word, 20),
    may_be("vault-token", &["s.", "b."], Alnum, 24),
    is("onepassword-token", &["ops_eyJ"], Base64, 60),
    is("onepassword-key", &["A3-"], Word, 30),
    is("doppler-token", &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."], Dotted, 36),
    is("infisical-token", &["st."], Dotted, 60),
    is("age-key", &["AGE-SECRET-KEY-1", "AGE-PLUGIN-"], Word, 40),
    is("stytch-secret", &["secret-live-", "secret-test-"], Wide, 30),
    is("authress-key", &["authress_", "scauth_"], Wide, 40),
    is("bitwarden-token", &["0."], Wide, 70),
    is("openshift-token", &["sha256~"], Word, 40),
    is("kubernetes-token", &["k8s-aws-v1."], Word, 60),
    is("rancher-token", &["token-"], Wide, 58),
    is("rfc8959-token", &["secret-token:"], Wide, 16),
    // Talk and mail.
    is("slack-token", &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxe-", "xoxc-", "xoxe.", "xapp-", "xwfp-"], Dotted, 16),
    is("slack-token", &["xoxd-"], Wide, 16),
    is("slack-webhook", &["hooks.slack.com/services/", "hooks.slack.com/workflows/", "hooks.slack.com/triggers/"], Base64, 30),
    is("discord-webhook", &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"], Wide, 40),
    is("teams-webhook", &["webhookb2/", "outlook.office.com/webhook/"], Wide, 40),
    is("zapier-webhook", &["hooks.zapier.com/hooks/catch/"], Wide, 10),
    is("linear-key", &["lin_api_", "lin_oauth_", "lin_wh_"], Alnum, 32),
    is("notion-token", &["ntn_", "secret_"], Alnum, 40),
    is("asana-token", &["1/1", "2/1"], Wide, 40),
    is("airtable-token", &["pat"], Dotted, 70),
    is("clickup-token", &["pk_1", "pk_2", "pk_3", "pk_4", "pk_5", "pk_6", "pk_7", "pk_8", "pk_9"], Word, 30),
    may_be("klaviyo-key", &["pk_"], Hex, 32),
    is("twilio-key", &["SK"], Hex, 32),
    is("sendgrid-key", &["SG."], Dotted, 60),
    is("brevo-key", &["xkeysib-", "xsmtpsib-"], Word, 60),
    is("mailgun-key", &["key-", "pubkey-"], Hex, 32),
    is("mailersend-key", &["mlsn."], Alnum, 40),
    may_be("resend-key", &["re_"], Word, 24),
    is("courier-key", &["pk_prod_", "dk_prod_"], Alnum, 24),
    is("intercom-token", &["dG9rO"], Base64, 40),
    is("telnyx-key", &["KEY01"], Word, 40),
    is("calcom-key", &["cal_live_", "cal_test_"], Alnum, 30),
    is("typeform-token", &["tfp_"], Dotted, 40),
    is("frameio-token", &["fio-u-"], Word, 50),
    is("dropbox-token", &["sl."], Word, 100),
    is("onesignal-key", &["os_v2_app_", "os_v2_org_"], Alnum, 60),
    is("tally-key", &["tly-"], Alnum, 30),
    is("adafruit-key", &["aio_"], Alnum, 26),
    // Money and shops.
    is("stripe-key", &["sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_", "sk_org_"], Word, 10),
    is("liveblocks-key", &["sk_dev_"], Word, 30),
    is("elevenlabs-key", &["sk_"], Hex, 40),
    is("stripe-webhook-secret", &["whsec_"], Base64, 24),
    is("square-token", &["sq0atp-", "sq0csp-", "sq0idp-", "EAAA", "EAAl"], Word, 22),
    is("shopify-token", &["shpat_", "shpca_", "shppa_", "shpss_", "shpua_", "shptka_", "shprt_"], Alnum, 30),
    is("woocommerce-key", &["ck_", "cs_"], Hex, 40),
    is("paypal-token", &["access_token$production$", "access_token$sandbox$"], Value, 40),
    is("plaid-token", &["access-sandbox-", "access-development-", "access-production-"], Word, 36),
    is("razorpay-key", &["rzp_live_", "rzp_test_"], Alnum, 14),
    is("flutterwave-key", &["FLWSECK_TEST-", "FLWSECK-"], Word, 12),
    is("adyen-key", &["AQE"], Wide, 80),
    may_be("lob-key", &["live_pub_", "test_pub_"], Hex, 30),
    may_be("mollie-key", &["live_", "test_"], Word, 30),
    is("paddle-key", &["pdl_live_apikey_", "pdl_sdbx_apikey_", "pdl_ntfset_"], Word, 30),
    is("duffel-token", &["duffel_live_", "duffel_test_"], Word, 40),
    is("easypost-key", &["EZAK", "EZTK"], Alnum, 50),
    is("shippo-token", &["shippo_live_", "shippo_test_"], Hex, 40),
    is("polar-token", &["polar_oat_", "polar_pat_", "polar_whs_"], Word, 30),
    is("xendit-key", &["xnd_production_", "xnd_development_"], Alnum, 30),
    is("midtrans-key", &["Mid-server-", "SB-Mid-server-"], Word, 20),
    // Sight of programs.
    is("newrelic-key", &["NRAK-", "NRII-", "NRJS-", "NRAA-", "NRIQ-", "NRRA-", "NRBR-"], Word, 18),
    is("grafana-token", &["glsa_"], Word, 32),
    is("grafana-token", &["glc_", "eyJrIjoi"], Base64, 30),
    is("sentry-token", &["sntrys_", "sntryu_", "sntrya_", "sntryi_"], Wide, 40),
    is("honeycomb-key", &["hcaik_", "hcxik_", "hcxlk_", "hcamk_", "hcbik_", "hcalk_"], Alnum, 30),
    is("dynatrace-token", &["dt0c01.", "dt0s01.", "dt0s02.", "dt0s08.", "dt0s16."], Dotted, 60),
    is("axiom-token", &["xaat-", "xapt-", "xait-"], Word, 30),
    is("posthog-key", &["phx_", "phs_", "pha_"], Alnum, 36),
    is("statsig-key", &["secret-", "console-"], Alnum, 36),
    is("configcat-key", &["configcat-sdk-1/"], Wide, 40),
    is("logfire-token", &["pylf_v1_"], Word, 32),
    is("checkly-key", &["cu_"], Hex, 32),
    may_be("pagerduty-key", &["u+"], Word, 18),
    is("rootly-token", &["rootly_"], Hex, 48),
    is("elastic-key", &["essu_"], Base64, 40),
    // Networks of people, pages and maps.
    is("facebook-token", &["EAACEdEose0cBA", "EAAC", "EAAM", "EAAB", "EAAG", "EAAJ"], Alnum, 60),
    is("instagram-token", &["IGQV", "IGAA"], Word, 60),
    is("twitter-token", &["AAAAAAAAAAAAAAAAAAAAA"], Wide, 40),
    is("linkedin-secret", &["WPL_AP"], Wide, 20),
    is("twitch-token", &["oauth:"], Alnum, 28),
    is("spotify-token", &["BQ"], Word, 80),
    is("tiktok-token", &["act.", "clt.", "rft."], Wide, 40),
    is("mapbox-token", &["sk.eyJ", "tk.eyJ"], Dotted, 40),
    is("contentful-token", &["CFPAT-"], Word, 40),
    is("sanity-token", &["sk"], Alnum, 78),
    is("prismic-token", &["MC5"], Wide, 50),
    is("hubspot-token", &["pat-na1-", "pat-na2-", "pat-eu1-", "pat-ap1-"], Word, 32),
    is("adobe-secret", &["p8e-"], Word, 30),
    is("canva-secret", &["cnvca"], Word, 40),
    may_be("imagekit-key", &["private_"], Base64, 24),
    is("settlemint-token", &["sm_aat_", "sm_pat_", "sm_sat_"], Alnum, 16),
    is("ubidots-token", &["BBFF-", "BBUS-"], Alnum, 30),
    is("riot-key", &["RGAPI-"], Word, 36),
    is("ebay-token", &["v^1.1#"], Wide, 40),
    is("ringcentral-token", &["U0pD"], Word, 60),
];

/// One prefix of one rule.
#[derive(Clone, Copy)]
struct Entry {
    prefix: &'static [u8],
    /// Nearly all entries of a group are told apart by this byte alone.
    second: u8,
    rule: u16,
}

const ENTRIES: usize = {
    let (mut sum, mut at) = (0, 0);
    while at < RULES.len() {
        sum += RULES[at].prefixes.len();
        at += 1;
    }
    sum
};

/// Every prefix, grouped by first byte, in the table's order within a group; and where each group
/// begins.
const INDEX: ([Entry; ENTRIES], [u16; 257]) = {
    let mut entries = [Entry { prefix: &[], second: 0, rule: 0 }; ENTRIES];
    let mut starts = [0u16; 257];
    let mut next = 0;
    let mut byte = 0;
    while byte < 256 {
        starts[byte] = next as u16;
        let mut rule = 0;
        while rule < RULES.len() {
            let prefixes = RULES[rule].prefixes;
            let mut at = 0;
            while at < prefixes.len() {
                let prefix = prefixes[at].as_bytes();
                if prefix[0] as usize == byte {
                    entries[next] = Entry { prefix, second: prefix[1], rule: rule as u16 };
                    next += 1;
                }
                at += 1;
            }
            rule += 1;
        }
        byte += 1;
    }
    starts[256] = next as u16;
    (entries, starts)
};

static PREFIXES: [Entry; ENTRIES] = INDEX.0;
static STARTS: [u16; 257] = INDEX.1;

/// For each first byte the second bytes that some prefix has, folded into 64 bits: most words of
/// ordinary text end here.
static SECONDS: [u64; 256] = {
    let mut seconds = [0u64; 256];
    let mut at = 0;
    while at < ENTRIES {
        let prefix = INDEX.0[at].prefix;
        seconds[prefix[0] as usize] |= 1 << (prefix[1] & 63);
        at += 1;
    }
    seconds
};

/// As far as a tail is looked at for capitals.
const IDENTIFIER_BYTES_MAX: usize = 64;

/// Whether it goes on as names in code do, which have no capitals among small letters.
fn is_identifier(tail: &[u8]) -> bool {
    is_name(tail) && !tail.iter().take(IDENTIFIER_BYTES_MAX).any(u8::is_ascii_uppercase)
}

/// The token that begins there, and its end. The caller sees to the border before it.
pub(super) fn token(text: &mut Text<'_>, at: usize) -> Option<(&'static str, usize)> {
    let first = usize::from(text.byte(at));
    let second = text.byte(at + 1);
    if SECONDS[first] >> (second & 63) & 1 == 0 {
        return None;
    }
    let group = usize::from(STARTS[first])..usize::from(STARTS[first + 1]);
    for entry in &PREFIXES[group] {
        if entry.second != second || !text.has(at, entry.prefix) {
            continue;
        }
        let rule = &RULES[usize::from(entry.rule)];
        let start = at + entry.prefix.len();
        let mut end = text.run(start, rule.tail);
        while end > start && matches!(text.byte(end - 1), b'.' | b':' | b'/') {
            end -= 1;
        }
        let tail = &text.bytes[start.min(end)..end];
        let is_weighed = entry.prefix.len() < 4 || rule.is_weighed;
        if tail.len() >= rule.length_min
            && !is_filler(&tail[..rule.length_min])
            && (!is_weighed || is_random(tail, BITS_MIN))
            && !is_identifier(tail)
        {
            return Some((rule.name, end));
        }
    }
    None
}
