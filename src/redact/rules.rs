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
    /// Where the provider tells of its tokens, behind `https://`.
    pub(super) source: &'static str,
}

const fn is(
    name: &'static str,
    prefixes: &'static [&'static str],
    tail: Alphabet,
    length_min: usize,
    source: &'static str,
) -> Rule {
    Rule { name, prefixes, tail, length_min, is_weighed: false, source }
}

/// As [`is`], where the prefix alone says little.
const fn may_be(
    name: &'static str,
    prefixes: &'static [&'static str],
    tail: Alphabet,
    length_min: usize,
    source: &'static str,
) -> Rule {
    Rule { name, prefixes, tail, length_min, is_weighed: true, source }
}

/// How many bits a byte of a token tells at least where its prefix says little.
const BITS_MIN: f32 = 3.0;

/// What the source of a rule is called that no provider documents: it knows a text by its structure.
pub(super) const PATTERN: &str = "pattern";

/// Every provider. Where one prefix begins another the longer stands first.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    // Models.
    is("anthropic-key", &["sk-ant-"], Word, 16, "docs.anthropic.com/en/api/overview"),
    is("openrouter-key", &["sk-or-v1-", "sk-or-"], Hex, 32, "openrouter.ai/docs/api-reference/authentication"),
    is("langfuse-key", &["sk-lf-"], Word, 30, "langfuse.com/docs/api"),
    is("helicone-key", &["sk-helicone-"], Word, 20, "docs.helicone.ai"),
    is("openai-key", &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"], Word, 20, "platform.openai.com/docs/api-reference/authentication"),
    is("openai-session", &["sess-"], Alnum, 40, "platform.openai.com/docs/api-reference/authentication"),
    is("groq-key", &["gsk_"], Alnum, 40, "console.groq.com/docs/quickstart"),
    is("xai-key", &["xai-"], Word, 40, "docs.x.ai"),
    is("perplexity-key", &["pplx-"], Alnum, 32, "docs.perplexity.ai"),
    is("huggingface-token", &["hf_", "api_org_"], Alnum, 30, "huggingface.co/docs/hub/security-tokens"),
    is("replicate-token", &["r8_"], Alnum, 32, "replicate.com/docs/reference/http"),
    is("cerebras-key", &["csk-"], Alnum, 32, "inference-docs.cerebras.ai"),
    is("fireworks-key", &["fw_"], Alnum, 20, "docs.fireworks.ai"),
    is("nvidia-key", &["nvapi-"], Word, 40, "docs.api.nvidia.com"),
    is("together-key", &["tgp_v1_"], Word, 32, "docs.together.ai"),
    is("langsmith-key", &["lsv2_pt_", "lsv2_sk_"], Word, 30, "docs.smith.langchain.com"),
    is("tavily-key", &["tvly-"], Word, 20, "docs.tavily.com"),
    is("pinecone-key", &["pcsk_"], Word, 40, "docs.pinecone.io"),
    is("voyage-key", &["pa-"], Word, 40, "docs.voyageai.com"),
    is("jina-key", &["jina_"], Word, 40, "jina.ai/api-dashboard"),
    is("llamacloud-key", &["llx-"], Alnum, 32, "docs.cloud.llamaindex.ai"),
    may_be("firecrawl-key", &["fc-"], Alnum, 28, "docs.firecrawl.dev"),
    is("e2b-key", &["e2b_"], Alnum, 32, "e2b.dev/docs"),
    is("browserbase-key", &["bb_live_", "bb_test_"], Word, 20, "docs.browserbase.com"),
    is("apify-token", &["apify_api_"], Alnum, 30, "docs.apify.com"),
    is("runpod-key", &["rpa_"], Alnum, 36, "docs.runpod.io"),
    may_be("modal-token", &["ak-", "as-"], Alnum, 22, "modal.com/docs"),
    is("anyscale-key", &["esecret_"], Alnum, 24, "docs.anyscale.com"),
    is("friendli-token", &["flp_"], Alnum, 40, "friendli.ai/docs"),
    is("mem0-key", &["m0-"], Alnum, 36, "docs.mem0.ai"),
    is("context7-key", &["ctx7sk-"], Word, 30, "context7.com/docs"),
    is("brave-key", &["BSA"], Word, 20, "api-dashboard.search.brave.com/documentation"),
    is("wandb-key", &["wandb_v1_"], Word, 40, "docs.wandb.ai"),
    is("cursor-key", &["key_"], Hex, 60, "docs.cursor.com"),
    may_be("openai-key", &["sk-"], Word, 20, "platform.openai.com/docs/api-reference/authentication"),
    // Clouds and databases.
    is("aws-key-id", &["AKIA", "ASIA", "ABIA", "ACCA", "A3T"], Alnum, 16, "docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"),
    is("aws-session-token", &["IQoJb3JpZ2lu", "FwoGZXIvYXdz"], Base64, 60, "docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html"),
    is("aws-bedrock-key", &["ABSK"], Base64, 60, "docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html"),
    is("amazon-mws-key", &["amzn.mws."], Word, 30, "developer-docs.amazon.com/sp-api"),
    is("amazon-oauth-secret", &["amzn1.oa2-cs.v1."], Hex, 60, "developer.amazon.com/docs/login-with-amazon/documentation-overview.html"),
    is("google-key", &["AIza"], Word, 33, "cloud.google.com/docs/authentication/api-keys"),
    is("google-oauth-secret", &["GOCSPX-"], Word, 24, "developers.google.com/identity/protocols/oauth2"),
    is("google-oauth-token", &["ya29."], Dotted, 20, "developers.google.com/identity/protocols/oauth2"),
    is("google-refresh-token", &["1//0"], Word, 30, "developers.google.com/identity/protocols/oauth2"),
    is("google-auth-code", &["4/0A"], Word, 30, "developers.google.com/identity/protocols/oauth2"),
    is("digitalocean-token", &["dop_v1_", "doo_v1_", "dor_v1_"], Hex, 60, "docs.digitalocean.com/reference/api"),
    is("alibaba-key-id", &["LTAI"], Alnum, 16, "www.alibabacloud.com/help/en/ram"),
    is("tencent-key-id", &["AKID"], Alnum, 32, "www.tencentcloud.com/document/product/598"),
    is("yandex-key", &["AQVN"], Word, 35, "yandex.cloud/en/docs/iam/concepts/authorization/api-key"),
    is("yandex-token", &["t1."], Dotted, 80, "yandex.cloud/en/docs/iam/concepts/authorization/iam-token"),
    is("yandex-aws-key", &["YCA", "YCM", "YCN", "YCO", "YCP"], Word, 36, "yandex.cloud/en/docs/iam/concepts/authorization/access-key"),
    is("scaleway-key", &["SCW"], Alnum, 17, "www.scaleway.com/en/docs"),
    is("scalingo-token", &["tk-us-"], Word, 40, "developers.scalingo.com"),
    is("heroku-key", &["HRKU-"], Word, 30, "devcenter.heroku.com/articles/authentication"),
    is("fly-token", &["fm1r_", "fm1a_", "fm2_"], Base64, 40, "fly.io/docs/security/tokens"),
    is("fly-token", &["fo1_"], Word, 40, "fly.io/docs/security/tokens"),
    is("render-key", &["rnd_"], Alnum, 24, "render.com/docs/api"),
    is("vercel-token", &["vercel_blob_rw_", "vcp_", "vci_", "vca_", "vcr_", "vck_"], Word, 20, "vercel.com/docs/rest-api"),
    is("netlify-token", &["nfp_", "nfc_", "nfo_", "nfu_"], Alnum, 36, "docs.netlify.com/api/get-started"),
    is("cloudflare-ca-key", &["v1.0-"], Word, 150, "developers.cloudflare.com/fundamentals/api"),
    is("cloudflare-token", &["cfut_", "cfat_", "cfk_"], Alnum, 36, "developers.cloudflare.com/fundamentals/api"),
    is("supabase-token", &["sbp_"], Hex, 40, "supabase.com/docs/reference/api"),
    is("supabase-key", &["sb_secret_"], Word, 20, "supabase.com/docs/guides/api/api-keys"),
    is("neon-key", &["napi_"], Alnum, 40, "neon.com/docs/manage/api-keys"),
    is("planetscale-key", &["pscale_tkn_", "pscale_oauth_", "pscale_pw_"], Dotted, 32, "planetscale.com/docs"),
    is("aiven-token", &["aivenv1"], Base64, 40, "aiven.io/docs/platform"),
    is("clickhouse-key", &["4b1d"], Alnum, 38, "clickhouse.com/docs/cloud"),
    is("databricks-token", &["dapi", "dose"], Hex, 32, "docs.databricks.com/en/dev-tools/auth"),
    is("confluent-key", &["cflt"], Base64, 56, "docs.confluent.io/cloud/current"),
    is("mongodb-key", &["mdb_sa_sk_"], Word, 20, "www.mongodb.com/docs/atlas/api"),
    is("fauna-key", &["fnA"], Word, 36, "docs.fauna.com"),
    is("cockroach-key", &["CCDB1_"], Word, 40, "www.cockroachlabs.com/docs/cockroachcloud"),
    is("tinybird-token", &["p.eyJ"], Dotted, 30, "www.tinybird.co/docs"),
    is("akamai-token", &["akab-"], Word, 16, "techdocs.akamai.com/developer/docs"),
    is("exoscale-key", &["EXO"], Alnum, 24, "community.exoscale.com"),
    is("upcloud-token", &["ucat_"], Alnum, 24, "developers.upcloud.com"),
    is("dnsimple-token", &["dnsimple_a_", "dnsimple_u_", "dnsimple_o_"], Alnum, 24, "developer.dnsimple.com"),
    is("porkbun-key", &["sk1_", "pk1_"], Hex, 60, "porkbun.com/api/json/v3/documentation"),
    is("tailscale-key", &["tskey-auth-", "tskey-api-", "tskey-client-", "tskey-scim-", "tskey-webhook-", "tskey-"], Word, 16, "tailscale.com/kb/1277/key-prefixes"),
    is("netbird-token", &["nbp_"], Alnum, 30, "docs.netbird.io"),
    is("nebula-key", &["dnkey-"], Word, 50, "docs.defined.net"),
    // Code and its delivery.
    is("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], Word, 30, "docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github"),
    is("github-pat", &["github_pat_"], Word, 30, "docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github"),
    is("gitlab-token", &["glpat-", "gldt-", "glrt-", "glrtr-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glcbt-", "glsoat-", "glffct-", "glwt-"], Dotted, 16, "docs.gitlab.com/security/tokens"),
    is("gitlab-runner-token", &["GR1348941"], Word, 20, "docs.gitlab.com/security/tokens"),
    is("bitbucket-token", &["ATBB", "ATCTT3"], Wide, 20, "support.atlassian.com/bitbucket-cloud"),
    is("atlassian-token", &["ATATT3", "ATSTT3", "ATOAT"], Wide, 50, "support.atlassian.com/atlassian-account"),
    is("sourcegraph-token", &["sgp_", "slk_"], Word, 40, "sourcegraph.com/docs"),
    is("npm-token", &["npm_"], Alnum, 30, "docs.npmjs.com/about-access-tokens"),
    is("npm-legacy-token", &["NpmToken."], Word, 30, "docs.npmjs.com/about-access-tokens"),
    is("pypi-token", &["pypi-"], Word, 50, "pypi.org/help"),
    is("rubygems-key", &["rubygems_"], Hex, 48, "guides.rubygems.org"),
    is("crates-token", &["cio"], Alnum, 32, "doc.rust-lang.org/cargo/reference/publishing.html"),
    is("nuget-key", &["oy2"], Alnum, 43, "learn.microsoft.com/en-us/nuget/nuget-org/scoped-api-keys"),
    is("clojars-token", &["CLOJARS_"], Alnum, 60, "github.com/clojars/clojars-web/wiki"),
    is("packagist-token", &["packagist_uut_", "packagist_ort_", "packagist_ack_", "packagist_oat_"], Alnum, 60, "packagist.com/docs"),
    is("jfrog-key", &["AKCp"], Alnum, 50, "jfrog.com/help"),
    is("jfrog-token", &["cmVmd"], Alnum, 50, "jfrog.com/help"),
    is("docker-token", &["dckr_pat_", "dckr_oat_"], Word, 20, "docs.docker.com/security/access-tokens"),
    is("buildkite-token", &["bkua_"], Hex, 36, "buildkite.com/docs/apis/managing-api-tokens"),
    is("circleci-token", &["CCIPAT_", "CCIPRJ_"], Word, 40, "circleci.com/docs/managing-api-tokens"),
    is("harness-token", &["pat.", "sat."], Dotted, 60, "developer.harness.io"),
    is("sonar-token", &["squ_", "sqp_", "sqa_"], Hex, 40, "docs.sonarsource.com"),
    is("snyk-token", &["snyk_uat.", "snyk_sat."], Dotted, 30, "docs.snyk.io"),
    is("deepsource-token", &["dsp_"], Alnum, 36, "docs.deepsource.com"),
    is("socket-token", &["sktsec_"], Word, 30, "docs.socket.dev"),
    is("stackhawk-key", &["hawk."], Dotted, 36, "docs.stackhawk.com"),
    is("endor-token", &["endr+"], Word, 16, "docs.endorlabs.com"),
    is("censys-token", &["censys_"], Word, 28, "docs.censys.com"),
    is("octopus-key", &["API-"], Alnum, 25, "octopus.com/docs/octopus-rest-api/how-to-create-an-api-key"),
    is("pulumi-token", &["pul-"], Hex, 40, "www.pulumi.com/docs"),
    is("terraform-token", &["atlasv1."], Word, 40, "developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens"),
    is("jetbrains-token", &["perm:", "perm-"], Wide, 30, "www.jetbrains.com/help/youtrack/devportal"),
    is("deno-token", &["ddp_", "ddw_"], Alnum, 36, "docs.deno.com"),
    is("figma-token", &["figd_", "figu_", "figo_"], Word, 32, "www.figma.com/developers/api"),
    is("chromatic-token", &["chpt_"], Alnum, 12, "www.chromatic.com/docs"),
    may_be("launchdarkly-key", &["api-", "sdk-", "mob-"], Word, 32, "launchdarkly.com/docs"),
    is("postman-key", &["PMAK-", "PMAT-"], Word, 26, "learning.postman.com/docs"),
    is("readme-key", &["rdme_"], Alnum, 50, "docs.readme.com"),
    is("prefect-key", &["pnu_", "pnb_"], Alnum, 30, "docs.prefect.io"),
    is("dbt-token", &["dbtc_", "dbtu_"], Word, 30, "docs.getdbt.com"),
    is("retool-token", &["retool_"], Word, 20, "docs.retool.com"),
    is("zuplo-key", &["zpka_"], Word, 40, "zuplo.com/docs"),
    is("devcycle-key", &["dvc_server_", "dvc_client_"], Word, 30, "docs.devcycle.com"),
    may_be("flagsmith-key", &["ser."], Alnum, 20, "docs.flagsmith.com"),
    is("infracost-key", &["ico-"], Alnum, 32, "www.infracost.io/docs"),
    is("workato-key", &["wrkus-", "wrkeu-", "wrkjp-", "wrksg-", "wrkau-", "wrkaus-"], Wide, 40, "docs.workato.com"),
    is("trigger-key", &["tr_dev_", "tr_prod_", "tr_pat_", "tr_stg_"], Alnum, 20, "trigger.dev/docs"),
    is("inngest-key", &["signkey-prod-", "signkey-test-", "signkey-branch-"], Hex, 32, "www.inngest.com/docs/platform/signing-keys"),
    // Keepers of secrets and of identities.
    is("vault-token", &["hvs.", "hvb.", "hvr."], Word, 20, "developer.hashicorp.com/vault/docs/concepts/tokens"),
    may_be("vault-token", &["s.", "b."], Alnum, 24, "developer.hashicorp.com/vault/docs/concepts/tokens"),
    is("onepassword-token", &["ops_eyJ"], Base64, 60, "developer.1password.com/docs/service-accounts"),
    is("onepassword-key", &["A3-"], Word, 30, "support.1password.com/secret-key-security"),
    is("doppler-token", &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."], Dotted, 36, "docs.doppler.com/docs"),
    is("infisical-token", &["st."], Dotted, 60, "infisical.com/docs"),
    is("age-key", &["AGE-SECRET-KEY-1", "AGE-PLUGIN-"], Word, 40, "github.com/C2SP/C2SP/blob/main/age.md"),
    is("usage-ledger-key", &["usage-ledger-key-1-"], Alnum, 52, PATTERN),
    is("stytch-secret", &["secret-live-", "secret-test-"], Wide, 30, "stytch.com/docs"),
    is("authress-key", &["authress_", "scauth_"], Wide, 40, "authress.io/knowledge-base"),
    is("bitwarden-token", &["0."], Wide, 70, "bitwarden.com/help/access-tokens"),
    is("openshift-token", &["sha256~"], Word, 40, "docs.redhat.com/en/documentation/openshift_container_platform"),
    is("kubernetes-token", &["k8s-aws-v1."], Word, 60, "github.com/kubernetes-sigs/aws-iam-authenticator"),
    is("rancher-token", &["token-"], Wide, 58, "ranchermanager.docs.rancher.com"),
    is("rfc8959-token", &["secret-token:"], Wide, 16, "www.rfc-editor.org/rfc/rfc8959"),
    // Talk and mail.
    is("slack-token", &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxe-", "xoxc-", "xoxe.", "xapp-", "xwfp-"], Dotted, 16, "api.slack.com/authentication/token-types"),
    is("slack-token", &["xoxd-"], Wide, 16, "api.slack.com/authentication/token-types"),
    is("slack-webhook", &["hooks.slack.com/services/", "hooks.slack.com/workflows/", "hooks.slack.com/triggers/"], Base64, 30, "api.slack.com/messaging/webhooks"),
    is("discord-webhook", &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"], Wide, 40, "discord.com/developers/docs/resources/webhook"),
    is("teams-webhook", &["webhookb2/", "outlook.office.com/webhook/"], Wide, 40, "learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors"),
    is("zapier-webhook", &["hooks.zapier.com/hooks/catch/"], Wide, 10, "help.zapier.com"),
    is("linear-key", &["lin_api_", "lin_oauth_", "lin_wh_"], Alnum, 32, "linear.app/developers"),
    is("notion-token", &["ntn_", "secret_"], Alnum, 40, "developers.notion.com"),
    is("asana-token", &["1/1", "2/1"], Wide, 40, "developers.asana.com/docs/personal-access-token"),
    is("airtable-token", &["pat"], Dotted, 70, "airtable.com/developers/web"),
    is("clickup-token", &["pk_0", "pk_1", "pk_2", "pk_3", "pk_4", "pk_5", "pk_6", "pk_7", "pk_8", "pk_9"], Word, 30, "developer.clickup.com/docs/authentication"),
    may_be("klaviyo-key", &["pk_"], Hex, 32, "developers.klaviyo.com"),
    is("twilio-key", &["SK"], Hex, 32, "www.twilio.com/docs/iam/api-keys"),
    is("sendgrid-key", &["SG."], Dotted, 60, "www.twilio.com/docs/sendgrid"),
    is("brevo-key", &["xkeysib-", "xsmtpsib-"], Word, 60, "developers.brevo.com"),
    is("mailgun-key", &["key-", "pubkey-"], Hex, 32, "documentation.mailgun.com"),
    is("mailersend-key", &["mlsn."], Alnum, 40, "developers.mailersend.com"),
    may_be("resend-key", &["re_"], Word, 24, "resend.com/docs"),
    is("courier-key", &["pk_prod_", "dk_prod_"], Alnum, 24, "www.courier.com/docs"),
    is("intercom-token", &["dG9rO"], Base64, 40, "developers.intercom.com"),
    is("telnyx-key", &["KEY01"], Word, 40, "developers.telnyx.com"),
    is("calcom-key", &["cal_live_", "cal_test_"], Alnum, 30, "cal.com/docs"),
    is("typeform-token", &["tfp_"], Dotted, 40, "www.typeform.com/developers"),
    is("frameio-token", &["fio-u-"], Word, 50, "developer.frame.io"),
    is("dropbox-token", &["sl."], Word, 100, "www.dropbox.com/developers/documentation"),
    is("onesignal-key", &["os_v2_app_", "os_v2_org_"], Alnum, 60, "documentation.onesignal.com"),
    is("tally-key", &["tly-"], Alnum, 30, "developers.tally.so"),
    is("adafruit-key", &["aio_"], Alnum, 26, "io.adafruit.com/api/docs"),
    // Money and shops.
    is("stripe-key", &["sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_", "sk_org_"], Word, 10, "docs.stripe.com/keys"),
    is("liveblocks-key", &["sk_dev_"], Word, 30, "liveblocks.io/docs"),
    is("elevenlabs-key", &["sk_"], Hex, 40, "elevenlabs.io/docs"),
    is("stripe-webhook-secret", &["whsec_"], Base64, 24, "docs.stripe.com/webhooks"),
    is("square-token", &["sq0atp-", "sq0csp-", "sq0idp-", "EAAA", "EAAl"], Word, 22, "developer.squareup.com/docs"),
    is("shopify-token", &["shpat_", "shpca_", "shppa_", "shpss_", "shpua_", "shptka_", "shprt_"], Alnum, 30, "shopify.dev/docs/apps/build/authentication-authorization"),
    is("woocommerce-key", &["ck_", "cs_"], Hex, 40, "woocommerce.github.io/woocommerce-rest-api-docs"),
    is("paypal-token", &["access_token$production$", "access_token$sandbox$"], Value, 40, "developer.paypal.com/braintree/docs"),
    is("plaid-token", &["access-sandbox-", "access-development-", "access-production-"], Word, 36, "plaid.com/docs"),
    is("razorpay-key", &["rzp_live_", "rzp_test_"], Alnum, 14, "razorpay.com/docs"),
    is("flutterwave-key", &["FLWSECK_TEST-", "FLWSECK-"], Word, 12, "developer.flutterwave.com"),
    is("adyen-key", &["AQE"], Wide, 80, "docs.adyen.com/development-resources/api-credentials"),
    may_be("lob-key", &["live_pub_", "test_pub_"], Hex, 30, "docs.lob.com"),
    may_be("mollie-key", &["live_", "test_"], Word, 30, "docs.mollie.com"),
    is("paddle-key", &["pdl_live_apikey_", "pdl_sdbx_apikey_", "pdl_ntfset_"], Word, 30, "developer.paddle.com/api-reference/about/api-keys"),
    is("duffel-token", &["duffel_live_", "duffel_test_"], Word, 40, "duffel.com/docs"),
    is("easypost-key", &["EZAK", "EZTK"], Alnum, 50, "docs.easypost.com"),
    is("shippo-token", &["shippo_live_", "shippo_test_"], Hex, 40, "docs.goshippo.com"),
    is("polar-token", &["polar_oat_", "polar_pat_", "polar_whs_"], Word, 30, "polar.sh/docs"),
    is("xendit-key", &["xnd_production_", "xnd_development_"], Alnum, 30, "docs.xendit.co"),
    is("midtrans-key", &["Mid-server-", "SB-Mid-server-"], Word, 20, "docs.midtrans.com"),
    // Sight of programs.
    is("newrelic-key", &["NRAK-", "NRII-", "NRJS-", "NRAA-", "NRIQ-", "NRRA-", "NRBR-"], Word, 18, "docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys"),
    is("grafana-token", &["glsa_"], Word, 32, "grafana.com/docs/grafana/latest/administration/service-accounts"),
    is("grafana-token", &["glc_", "eyJrIjoi"], Base64, 30, "grafana.com/docs/grafana/latest/administration/service-accounts"),
    is("sentry-token", &["sntrys_", "sntryu_", "sntrya_", "sntryi_"], Wide, 40, "docs.sentry.io/account/auth-tokens"),
    is("honeycomb-key", &["hcaik_", "hcxik_", "hcxlk_", "hcamk_", "hcbik_", "hcalk_"], Alnum, 30, "docs.honeycomb.io"),
    is("dynatrace-token", &["dt0c01.", "dt0s01.", "dt0s02.", "dt0s08.", "dt0s16."], Dotted, 60, "docs.dynatrace.com"),
    is("axiom-token", &["xaat-", "xapt-", "xait-"], Word, 30, "axiom.co/docs"),
    is("posthog-key", &["phx_", "phs_", "pha_"], Alnum, 36, "posthog.com/docs/api"),
    is("statsig-key", &["secret-", "console-"], Alnum, 36, "docs.statsig.com"),
    is("configcat-key", &["configcat-sdk-1/"], Wide, 40, "configcat.com/docs"),
    is("logfire-token", &["pylf_v1_"], Word, 32, "logfire.pydantic.dev/docs"),
    is("checkly-key", &["cu_"], Hex, 32, "www.checklyhq.com/docs"),
    may_be("pagerduty-key", &["u+"], Word, 18, "developer.pagerduty.com"),
    is("rootly-token", &["rootly_"], Hex, 48, "rootly.com/api"),
    is("elastic-key", &["essu_"], Base64, 40, "www.elastic.co/docs"),
    // Networks of people, pages and maps.
    is("facebook-token", &["EAACEdEose0cBA", "EAAC", "EAAM", "EAAB", "EAAG", "EAAJ"], Alnum, 60, "developers.facebook.com/docs/facebook-login/guides/access-tokens"),
    is("instagram-token", &["IGQV", "IGAA"], Word, 60, "developers.facebook.com/docs/instagram-platform"),
    is("twitter-token", &["AAAAAAAAAAAAAAAAAAAAA"], Wide, 40, "docs.x.com"),
    is("linkedin-secret", &["WPL_AP"], Wide, 20, "learn.microsoft.com/en-us/linkedin"),
    is("twitch-token", &["oauth:"], Alnum, 28, "dev.twitch.tv/docs/authentication"),
    is("spotify-token", &["BQ"], Word, 80, "developer.spotify.com/documentation/web-api"),
    is("tiktok-token", &["act.", "clt.", "rft."], Wide, 40, "developers.tiktok.com/doc"),
    is("mapbox-token", &["sk.eyJ", "tk.eyJ"], Dotted, 40, "docs.mapbox.com/accounts/guides/tokens"),
    is("contentful-token", &["CFPAT-"], Word, 40, "www.contentful.com/developers/docs"),
    is("sanity-token", &["sk"], Alnum, 78, "www.sanity.io/docs"),
    is("prismic-token", &["MC5"], Wide, 50, "prismic.io/docs"),
    is("hubspot-token", &["pat-na1-", "pat-na2-", "pat-eu1-", "pat-ap1-"], Word, 32, "developers.hubspot.com/docs"),
    is("adobe-secret", &["p8e-"], Word, 30, "developer.adobe.com/developer-console/docs"),
    is("canva-secret", &["cnvca"], Word, 40, "www.canva.dev/docs"),
    may_be("imagekit-key", &["private_"], Base64, 24, "imagekit.io/docs"),
    is("settlemint-token", &["sm_aat_", "sm_pat_", "sm_sat_"], Alnum, 16, "console.settlemint.com/documentation"),
    is("ubidots-token", &["BBFF-", "BBUS-"], Alnum, 30, "docs.ubidots.com"),
    is("riot-key", &["RGAPI-"], Word, 36, "developer.riotgames.com/docs"),
    is("ebay-token", &["v^1.1#"], Wide, 40, "developer.ebay.com/api-docs/static/oauth-tokens.html"),
    is("ringcentral-token", &["U0pD"], Word, 60, "developers.ringcentral.com"),
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
