//! What must never be written, tried with secrets that are made here: from the formats that
//! providers document, by a list of its own, anew in each run.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use usage_ledger::redact::Redactor;

use crate::sandbox::{SEED, Sandbox, text};

/// Formats with a prefix. In a template `{A36}` is 36 letters and digits; H lower-case hex,
/// U capitals and digits, L small letters and digits, W the letters of base64url, B of base64,
/// D digits, V a UUID.
const TOKENS: &[&str] = &[
    "sk-ant-api03-{W93}AA",
    "sk-ant-admin01-{W93}AA",
    "sk-ant-oat01-{W93}AA",
    "sk-proj-{W74}T3BlbkFJ{W74}",
    "sk-{A20}T3BlbkFJ{A20}",
    "sk-svcacct-{W58}T3BlbkFJ{W58}",
    "sk-or-v1-{H64}",
    "sk-{H32}",
    "gsk_{A52}",
    "xai-{A80}",
    "pplx-{A48}",
    "hf_{A34}",
    "r8_{A37}",
    "csk-{L48}",
    "fw_{A22}",
    "nvapi-{W64}",
    "tgp_v1_{W43}",
    "lsv2_pt_{H32}_{H10}",
    "tvly-dev-{A32}",
    "pcsk_{A6}_{A63}",
    "pa-{W43}",
    "jina_{H32}{W27}",
    "llx-{A48}",
    "fc-{H32}",
    "e2b_{H40}",
    "bb_live_{W27}",
    "apify_api_{A36}",
    "rpa_{U46}",
    "esecret_{L28}",
    "sk-lf-{V}",
    "AKIA{U16}",
    "ASIA{U16}",
    "ABSK{B128}",
    "amzn.mws.{V}",
    "AIza{W35}",
    "GOCSPX-{W28}",
    "ya29.{W120}",
    "1//0{W60}",
    "dop_v1_{H64}",
    "doo_v1_{H64}",
    "dor_v1_{H64}",
    "LTAI{A20}",
    "AKID{A32}",
    "AQVN{W36}",
    "YCAJE{W35}",
    "SCW{U17}",
    "tk-us-{W48}",
    "HRKU-{V}",
    "fm2_{B120}",
    "fo1_{W43}",
    "rnd_{A32}",
    "nfp_{A40}",
    "v1.0-{H24}-{H146}",
    "sbp_{H40}",
    "sb_secret_{W31}",
    "napi_{L64}",
    "pscale_tkn_{W43}",
    "pscale_pw_{W43}",
    "pscale_oauth_{W43}",
    "aivenv1{B100}",
    "4b1d{A38}",
    "dapi{H32}",
    "dapi{H32}-2",
    "dose{H32}",
    "cflt{B60}",
    "mdb_sa_sk_{W40}",
    "fnA{W37}",
    "CCDB1_{A22}_{A40}",
    "akab-{L16}-{L16}",
    "tskey-auth-{A17}-{A32}",
    "tskey-api-{A17}-{A32}",
    "nbp_{A36}",
    "dnkey-{U26}-{U52}",
    "dnsimple_a_{A32}",
    "EXO{H26}",
    "ghp_{A36}",
    "gho_{A36}",
    "ghu_{A36}",
    "ghs_{A36}",
    "ghr_{A36}",
    "github_pat_{A22}_{A59}",
    "glpat-{W20}",
    "gldt-{W20}",
    "glrt-{W20}",
    "glptt-{H40}",
    "glft-{W20}",
    "glimt-{W25}",
    "glagent-{W50}",
    "gloas-{H64}",
    "glcbt-{A5}_{W20}",
    "GR1348941{W20}",
    "ATBB{A32}",
    "ATATT3{W186}",
    "ATCTT3{W180}={H8}",
    "sgp_{H16}_{H40}",
    "sgp_{H40}",
    "npm_{A36}",
    "NpmToken.{V}",
    "pypi-AgEIcHlwaS5vcmc{W120}",
    "rubygems_{H48}",
    "cio{A32}",
    "oy2{L43}",
    "CLOJARS_{L60}",
    "packagist_uut_{H68}",
    "AKCp{A69}",
    "cmVmd{A59}",
    "dckr_pat_{W27}",
    "dckr_oat_{W32}",
    "bkua_{H40}",
    "CCIPAT_{A22}_{H40}",
    "CCIPRJ_{A22}_{H40}",
    "pat.{W22}.{H24}.{A20}",
    "squ_{H40}",
    "sqp_{H40}",
    "sqa_{H40}",
    "API-{U26}",
    "pul-{H40}",
    "{A14}.atlasv1.{W67}",
    "perm:{B64}",
    "ddp_{A36}",
    "figd_{W40}",
    "chpt_{L15}",
    "api-{V}",
    "sdk-{V}",
    "mob-{V}",
    "PMAK-{H24}-{H34}",
    "rdme_{L70}",
    "pnu_{A36}",
    "dbtc_{W40}",
    "retool_01{L26}",
    "dvc_server_{L32}",
    "ico-{A32}",
    "tr_prod_{A20}",
    "signkey-prod-{H64}",
    "hvs.{W95}",
    "hvb.{W140}",
    "s.{A24}",
    "ops_eyJ{B300}",
    "A3-{U6}-{U11}-{U5}-{U5}-{U5}",
    "dp.pt.{A43}",
    "dp.st.prd.{A43}",
    "st.{V}.{H32}.{H32}",
    "AGE-SECRET-KEY-1{U58}",
    "secret-live-{V}-{W40}",
    "sha256~{W43}",
    "xoxb-{D12}-{D13}-{A24}",
    "xoxp-{D12}-{D12}-{D12}-{H32}",
    "xapp-1-A{U10}-{D13}-{H64}",
    "xoxe.xoxp-1-{U163}",
    "xoxe-1-{U146}",
    "xoxa-2-{A40}",
    "lin_api_{A40}",
    "lin_oauth_{H64}",
    "ntn_{D11}{A35}",
    "secret_{A43}",
    "pat{A14}.{H64}",
    "pk_{D8}_{U32}",
    "SK{H32}",
    "SG.{W22}.{W43}",
    "xkeysib-{H64}-{A16}",
    "key-{H32}",
    "mlsn.{H64}",
    "re_{A8}_{A24}",
    "pk_prod_{U28}",
    "dG9rO{B54}=",
    "KEY01{H30}_{A22}",
    "cal_live_{H32}",
    "tfp_{W44}_{A14}",
    "fio-u-{W64}",
    "sl.{W135}",
    "os_v2_app_{L64}",
    "aio_{A28}",
    "tly-{A32}",
    "sk_live_{A24}",
    "sk_test_{A99}",
    "rk_live_{A24}",
    "whsec_{A32}",
    "sq0atp-{W22}",
    "sq0csp-{W43}",
    "EAAA{W60}",
    "shpat_{H32}",
    "shpca_{H32}",
    "shppa_{H32}",
    "shpss_{H32}",
    "ck_{H40}",
    "cs_{H40}",
    "access_token$production${L16}${H32}",
    "access-sandbox-{V}",
    "access-production-{V}",
    "rzp_live_{A14}",
    "FLWSECK_TEST-{H32}-X",
    "live_{A30}",
    "test_{H35}",
    "pdl_live_apikey_{L26}_{A22}_{A3}",
    "duffel_live_{W43}",
    "EZAK{A54}",
    "shippo_live_{H40}",
    "polar_oat_{A43}",
    "xnd_production_{A48}",
    "NRAK-{U27}",
    "NRII-{W32}",
    "NRJS-{H19}",
    "glsa_{A32}_{H8}",
    "glc_eyJ{B80}",
    "sntrys_eyJ{B100}_{B43}",
    "sntryu_{H64}",
    "hcaik_01{L56}",
    "dt0c01.{U24}.{U64}",
    "xaat-{V}",
    "phx_{A43}",
    "secret-{A43}",
    "pylf_v1_us_{A43}",
    "rootly_{H64}",
    "essu_{B80}",
    "EAACEdEose0cBA{A100}",
    "IGQV{W150}",
    "AAAAAAAAAAAAAAAAAAAAA{A90}",
    "oauth:{L30}",
    "BQ{W150}",
    "CFPAT-{W43}",
    "pat-na1-{V}",
    "p8e-{L32}",
    "sm_aat_{A16}",
    "BBFF-{A30}",
    "RGAPI-{V}",
    "cnvca{W50}",
    "private_{B28}",
    "bb_test_{W27}",
];

/// Formats without a prefix, beside their provider's name.
const NAMED: &[(&str, &str)] = &[
    ("datadog", "{H32}"),
    ("cohere", "{A40}"),
    ("mistral", "{A32}"),
    ("deepgram", "{H40}"),
    ("heroku", "{V}"),
    ("cloudflare", "{W40}"),
    ("fastly", "{W32}"),
    ("algolia", "{H32}"),
    ("okta", "00{W40}"),
    ("mailgun", "{H32}-{H8}-{H8}"),
    ("postmark", "{V}"),
    ("snyk", "{V}"),
    ("codecov", "{V}"),
    ("asana", "{H32}"),
    ("dropbox", "{L15}9"),
    ("twitter", "{A50}7"),
    ("linode", "{H64}"),
    ("hetzner", "{A64}"),
    ("pagerduty", "{W20}"),
    ("rollbar", "{H32}"),
    ("segment", "{A32}"),
    ("amplitude", "{H32}"),
    ("mixpanel", "{H32}"),
    ("browserstack", "{A20}"),
    ("mattermost", "{L26}"),
    ("jenkins", "{H34}"),
    ("spotify", "{H32}"),
    ("assemblyai", "{H32}"),
    ("contentful", "{W43}"),
    ("netlify", "{W43}"),
];

/// Where a token may stand; `@` is its place.
const CONTEXTS: &[&str] = &[
    "rotate @ before friday",
    "the key was @, then it worked",
    "tried (@) and failed",
    "list [@] of keys",
    "a|@|b",
    "export TOKEN=@ && make",
    "curl -H 'Authorization: Bearer @' https://api.example.com/v1",
    "GET https://api.example.com/v1?x=1&token=@&page=2 200",
    "https://ci:@@host.example/repo.git",
    "2026-02-23T22:19:12Z ERROR auth failed key=@ code=401",
    "{\"token\": \"@\", \"n\": 1}",
    "{\\\"token\\\":\\\"@\\\"}",
    "<key>@</key>",
    "'@'",
    "`@`",
    "\"@\"",
    "set @; then run",
    "x=@,y=2",
    "line one\\n@\\nline two",
    "token%3D@",
    "[31m@",
    "X-Api-Key: @",
    "--token @ --verbose",
    "@",
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn letters(&mut self, kind: char, count: usize, out: &mut String) {
        let (upper, lower) = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz");
        let digits = "0123456789";
        let letters = match kind {
            'A' => format!("{upper}{lower}{digits}"),
            'H' => format!("{digits}abcdef"),
            'U' => format!("{upper}{digits}"),
            'L' => format!("{lower}{digits}"),
            'W' => format!("{upper}{lower}{digits}_-"),
            'B' => format!("{upper}{lower}{digits}+/"),
            'D' => digits.to_owned(),
            other => panic!("{other}"),
        };
        for at in 0..count {
            let mut letter = letters.as_bytes()[self.below(letters.len())] as char;
            // What stands at the end of a token is a letter, as no sign could be told from the text's.
            while at + 1 == count && !letter.is_ascii_alphanumeric() {
                letter = letters.as_bytes()[self.below(letters.len())] as char;
            }
            out.push(letter);
        }
    }

    fn fill(&mut self, template: &str) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (what, after) = after.split_once('}').unwrap();
            out += before;
            match what {
                "V" => {
                    for (at, count) in [8, 4, 4, 4, 12].into_iter().enumerate() {
                        out += if at > 0 { "-" } else { "" };
                        self.letters('H', count, &mut out);
                    }
                }
                _ => {
                    self.letters(what.chars().next().unwrap(), what[1..].parse().unwrap(), &mut out)
                }
            }
            rest = after;
        }
        out + rest
    }
}

/// Anew in each run; `REDACT_SEED` repeats one.
fn random() -> (Random, u64) {
    let given = std::env::var("REDACT_SEED").ok().and_then(|it| it.parse().ok());
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = given.unwrap_or_else(|| now().as_nanos() as u64 | 1);
    (Random(seed), seed)
}

/// Whether a piece of the secret is left that would shorten the search for it.
fn leaks(out: &str, secret: &str) -> bool {
    let piece = 10.min(secret.len());
    secret.as_bytes().windows(piece).any(|it| out.as_bytes().windows(piece).any(|o| o == it))
        && out.contains(&secret[secret.len() - piece..])
}

/// What came of many texts.
#[derive(Default)]
struct Score {
    texts: usize,
    missed: usize,
    around_lost: usize,
    examples: String,
}

impl Score {
    fn add(&mut self, redactor: &Redactor, context: &str, secret: &str, name: &str) {
        let given = context.replacen('@', secret, 1);
        let (out, hits) = redactor.redact(&given);
        self.texts += 1;
        if hits.is_empty() || leaks(&out, secret) {
            self.missed += 1;
            if self.missed <= 40 {
                writeln!(self.examples, "  {name}: {given}\n      → {out}").unwrap();
            }
        } else {
            let (before, after) = context.split_once('@').unwrap();
            self.around_lost += usize::from(!(out.starts_with(before) && out.ends_with(after)));
        }
        assert_eq!(redactor.redact(&out).0, out, "a second pass changes {given}");
        assert!(out.len() <= given.len() + 32 * hits.len());
    }

    fn judge(&self, what: &str, recall_min: f64, seed: u64) {
        let share = |n: usize| n as f64 / self.texts as f64;
        eprintln!(
            "{what}: {} texts, recall {:.4}, text around kept {:.4} (REDACT_SEED={seed})",
            self.texts,
            1.0 - share(self.missed),
            1.0 - share(self.around_lost)
        );
        assert!(
            1.0 - share(self.missed) >= recall_min,
            "{what}, REDACT_SEED={seed}:\n{}",
            self.examples
        );
        assert!(1.0 - share(self.around_lost) >= 0.95, "{what}, REDACT_SEED={seed}");
    }
}

#[test]
fn tokens_are_found_wherever_they_stand() {
    assert!(TOKENS.len() + NAMED.len() >= 150);
    let (mut random, seed) = random();
    let redactor = Redactor::default();
    let mut score = Score::default();
    for template in TOKENS {
        let mut missed = 0;
        for context in CONTEXTS {
            let before = score.missed;
            // One `@` more is the address's own.
            let context = context.replacen("@@", "@\u{1}", 1);
            let context = context.replace('\u{1}', "@");
            let secret = random.fill(template);
            score.add(&redactor, &context, &secret, template);
            missed += score.missed - before;
        }
        assert!(missed * 4 <= CONTEXTS.len(), "{template} is not known: {}", score.examples);
    }
    score.judge("tokens", 0.97, seed);
}

#[test]
fn keys_passwords_and_headers_are_found() {
    let (mut random, seed) = random();
    let redactor = Redactor::default();
    let mut score = Score::default();
    let glued = [" ", ",", ")", "]", "|", "&", "<", "\"", "'", "`", ";", ""];
    for _ in 0..20 {
        for after in glued {
            let mut add = |context: &str, template: &str| {
                let secret = random.fill(template);
                score.add(&redactor, &format!("{context}{after}"), &secret, context);
            };
            add("see @", "eyJ{A17}.eyJ{A60}.{W43}");
            add("DB_PASSWORD=@", "{A4}{D2}{A5}");
            add("export STRIPE_SECRET=@", "{A12}{D2}{A12}");
            add("token: @", "{A12}{D2}{A12}");
            add("client_secret=@", "{A10}{D2}{A20}");
            add("Authorization: Bearer @", "{W30}{D2}");
            add("Authorization: Basic @", "{B30}{D2}");
            add("Authorization: token @", "{H40}");
            add("X-Auth-Token: @", "{A20}{D2}{A10}");
            add("curl -u bob:@", "{A6}{D2}{A4}");
            add("deploy --password @", "{A6}{D2}{A4}");
            add("PGPASSWORD=@", "{L8}");
            add("AccountKey=@", "{B84}{D2}");
            add("https://api.example.com/x?api_key=@", "{H32}");
            add("https://x.example/y?sig=@", "{W40}{D2}");
            add("//registry.example.org/:_authToken=@", "{V}");
        }
        for context in [
            "postgres://app:@@db.internal:5432/x",
            "redis://:@@cache:6379/0",
            "amqp://u:@@mq/v",
            "mongodb+srv://u:@@c0.example.net/db",
            "https://oauth2:@@gitlab.com/a/b.git",
            "mysql -h db -u root -p@ app",
            "sshpass -p '@' ssh host",
            "\"password\": \"@\"",
            "Server=db;User Id=sa;Password=@;Encrypt=true",
            "Cookie: session=@; theme=dark",
            "Set-Cookie: sid=@; Path=/; HttpOnly",
            "<password>@</password>",
            "openssl rsa -passin pass:@ -in k",
            "password='@'",
            "machine api.example.com login bob password @",
            "PrivateKey = @=",
        ] {
            let secret = random.fill(if context.starts_with("PrivateKey") {
                "{B41}7"
            } else {
                "{A5}{D2}{A6}"
            });
            let context = context.replacen("@@", "@\u{1}", 1).replace('\u{1}', "@");
            score.add(&redactor, &context, &secret, &context);
        }
        for kind in ["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED ", "PGP "] {
            let block = if kind == "PGP " { " BLOCK" } else { "" };
            let body = random.fill("{B64} {B64} {B64} {B40}");
            let dashes = "-----";
            let key = format!(
                "{dashes}BEGIN {kind}PRIVATE KEY{block}{dashes} {body} {dashes}END {kind}PRIVATE KEY{block}{dashes}"
            );
            score.add(&redactor, "key: @ and more", &key, kind);
            let open = format!("{dashes}BEGIN {kind}PRIVATE KEY{block}{dashes} {body}");
            score.add(&redactor, "key: @", &open, kind);
        }
    }
    score.judge("keys, passwords, headers", 0.97, seed);
}

#[test]
fn prose_addresses_and_homes_are_found() {
    let (mut random, seed) = random();
    let redactor = Redactor::default();
    let mut score = Score::default();
    for _ in 0..10 {
        for (provider, template) in NAMED {
            for context in [
                "# api key @ was pasted",
                "set the # token to @ today",
                "# secret: @",
                "#_API_KEY=@",
            ] {
                let secret = random.fill(template);
                let provider = if context.contains('_') {
                    provider.to_uppercase()
                } else {
                    (*provider).to_owned()
                };
                score.add(&redactor, &context.replace('#', &provider), &secret, provider.as_str());
            }
        }
        for context in [
            "the password is @ now",
            "password: @",
            "the new password was @, change it",
            "my api key is @",
            "use token @",
            "the secret is @.",
            "access token = @",
            "login with bob / password @",
        ] {
            let template = if context.contains("pass") { "{A5}{D2}{A6}" } else { "{A12}{D2}{A12}" };
            let secret = random.fill(template);
            score.add(&redactor, context, &secret, context);
        }
        for context in [
            "ask @ about it",
            "From: <@>",
            "mailto:@?subject=x",
            "author=@,",
            "(@)",
            "\"@\"",
            "user @: done",
        ] {
            let secret = random.fill("{L6}.{L5}a@{L7}a.example.com");
            let given = context.replacen('@', &secret, 1);
            let (out, _) = redactor.redact(&given);
            score.texts += 1;
            score.missed += usize::from(out.contains(&secret[..12]));
        }
        for context in [
            "/home/@/src/x.rs",
            "in /Users/@/Library",
            "C:\\Users\\@\\AppData",
            "C:\\\\Users\\\\@\\\\x",
            "C:/Users/@/x",
            "/mnt/c/Users/@/x",
            "\\\\wsl$\\Ubuntu\\home\\@\\x",
            "file:///home/@/x",
            "cd /home/@",
            "(/Users/@)",
            "~/.claude/projects/-Users-@-code-app",
            "projects/-home-@-x",
            "--config=/home/@/c.toml",
            "\"/Users/@/y\"",
        ] {
            let secret = random.fill("{L3}zq{L4}y");
            score.add(&redactor, context, &secret, context);
        }
    }
    score.judge("prose, addresses, homes", 0.80, seed);
}

fn ordinary() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/redact-ordinary.txt");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn ordinary_notes_stay_as_they_are() {
    let notes = ordinary();
    assert!(notes.len() >= 300, "{}", notes.len());
    let redactor = Redactor::default();
    let changed: Vec<String> = notes
        .iter()
        .filter(|note| redactor.redact(note).0 != note.as_str())
        .map(|note| format!("{note}\n    → {}", redactor.redact(note).0))
        .collect();
    eprintln!("ordinary notes: {} of {} changed", changed.len(), notes.len());
    assert!(changed.len() * 100 <= notes.len(), "{}", changed.join("\n"));
}

/// The same bytes, twice as many, may cost twice as much; not four times. Counted as time, so with
/// room for noise: what is quadratic takes minutes here.
#[test]
fn no_text_is_slow() {
    let redactor = Redactor::default();
    let beginnings = [
        "sk-",
        "sk-ant-",
        "eyJ",
        "eyJ-",
        "ghp_",
        "password=",
        "password:",
        "token is ",
        "://",
        "http://a:",
        "@",
        "a@",
        "a.",
        "/home/",
        "-----BEGIN ",
        "Cookie: a=b; ",
        "Authorization: ",
        "--token ",
        "-u a:",
        "-p",
        "= ",
        "\"",
        "key=\"",
        "C:\\Users\\",
        "-Users-",
        "1:A",
        "Q~",
        "3Q~",
        "%40",
        "[redacted:",
        "Bearer ",
        "secret ",
        "pat.",
        "aaaaaaaaaaaaaaaaaaaaaaa.bbbbbb.",
        "0.",
        "x",
        " ",
        "password is ",
        "\\\"",
        "Private-Lines: ",
    ];
    for beginning in beginnings {
        let bytes = if cfg!(debug_assertions) { 1 << 17 } else { 1 << 20 };
        let text = beginning.repeat(bytes / beginning.len());
        let start = Instant::now();
        let (out, _) = redactor.redact(&text);
        let taken = start.elapsed();
        let limit = if cfg!(debug_assertions) { 3_000 } else { 500 };
        assert!(taken.as_millis() < limit, "{beginning:?}: {taken:?}");
        assert_eq!(redactor.redact(&out).0, out, "{beginning:?}");
    }
}

/// A key of a kind that everybody knows, made of parts.
fn key() -> String {
    format!("sk-ant-api03-{}", "Q1w2E3r4T5y6".repeat(8))
}

#[test]
fn a_row_is_stored_without_its_secret_and_says_so() {
    let sandbox = Sandbox::repository();
    let mut row = SEED.to_vec();
    let notes = format!("retry with {} in /home/somebody/x", key());
    row[6] = &notes;
    let output = sandbox.run("log-usage", &row);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "  2 secrets kept out of notes: anthropic-key, home\n");
    assert!(
        sandbox.rows()[0]
            .ends_with(",retry with [redacted:anthropic-key] in /home/[redacted:home]/x")
    );
    let output = sandbox.run("log-usage", &[&row[..], &["--quiet"]].concat());
    assert_eq!(text(&output.stderr), "");
    let before = sandbox.snapshot();
    let output = sandbox.run("log-usage", &[&row[..], &["--strict"]].concat());
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(sandbox.snapshot(), before);
    assert!(!text(&output.stderr).contains("Q1w2"));
    sandbox.ok("log-usage", &[&SEED[..], &["--strict"]].concat());
}

#[test]
fn tags_models_and_batches_pass_the_same_gate() {
    let sandbox = Sandbox::repository();
    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet";
    let mut row = SEED.to_vec();
    row[0] = arn;
    let output =
        sandbox.run("log-usage", &[&row[..], &["--tag", "agent=bob@corp.example.com"]].concat());
    assert_eq!(
        text(&output.stderr),
        "  2 secrets kept out of tags and model: aws-account, email\n"
    );
    let stored = &sandbox.rows()[0];
    assert!(stored.contains(":[redacted:aws-account]:inference-profile/"), "{stored}");
    assert!(stored.ends_with(",notes {agent=redacted:email}"), "{stored}");
    let header = "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes\n";
    let input =
        format!("{header}m,1,2,true,plan,3,one {0}\nm,1,2,true,plan,4,\"two, {0}\"\n", key());
    let mut batch = sandbox.command("log-usage");
    let output = batch.arg("batch").write_stdin(input.clone()).output().unwrap();
    assert_eq!(text(&output.stderr), "  2 secrets kept out of notes: anthropic-key (2)\n");
    assert!(sandbox.rows()[2].ends_with(",\"two, [redacted:anthropic-key]\""));
    let before = sandbox.snapshot();
    let mut batch = sandbox.command("log-usage");
    let output = batch.args(["batch", "--strict"]).write_stdin(input).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn the_user_is_not_named() {
    let sandbox = Sandbox::repository();
    let value = format!("{}-{}", "Zq8", "vT5rK2mN9xL4");
    let mut row = SEED.to_vec();
    let notes = format!(
        "mkrausz (MKrausz) logged in with {value} from /srv/people/mkrausz/x; mkrauszx did not in /srv/work/here"
    );
    row[6] = &notes;
    let mut command = sandbox.command("log-usage");
    let command = command.args(row).env("USER", "mkrausz").env("ODD_SERVICE_TOKEN", &value);
    // Where the shell stands is no password, though the name ends so.
    let command = command.env("PWD", "/srv/work/here").env("OLDPWD", "/srv/work");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let expected = ",[redacted:login] ([redacted:login]) logged in with [redacted:env-value] from \
                    /srv/people/[redacted:login]/x; mkrauszx did not \
                    in /srv/work/here";
    assert!(sandbox.rows()[0].ends_with(expected), "{:?}", sandbox.rows());
}

#[test]
fn a_repository_decides_what_it_allows_and_forbids() {
    let sandbox = Sandbox::repository();
    sandbox.write(".telemetry/config.toml", "[redact]\nallow = [\"email:team@example.org\"]\n");
    let mut row = SEED.to_vec();
    row[6] = "mail team@example.org or bob@example.org";
    sandbox.ok("log-usage", &row);
    assert!(sandbox.rows()[0].ends_with(",mail team@example.org or [redacted:email]"));
    for (allow, problem) in [
        ("jwt:x", "jwt: what this rule finds cannot be allowed"),
        ("no-such:x", "\"no-such\" is no rule"),
        ("email", "email: lacks its value"),
    ] {
        sandbox.write(".telemetry/config.toml", format!("[redact]\nallow = [\"{allow}\"]\n"));
        let output = sandbox.run("log-usage", &SEED);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(problem), "{}", text(&output.stderr));
    }
    sandbox.write(".telemetry/config.toml", "notes = \"none\"\n");
    let output = sandbox.run("log-usage", &[&SEED[..], &["--tag", "id=a1"]].concat());
    assert_eq!(
        text(&output.stderr),
        "  notes of 1 row not stored: config.toml says notes = \"none\"\n"
    );
    assert!(sandbox.rows()[1].ends_with(",{id=a1}"));
    let output = sandbox.run("log-usage", &[&SEED[..], &["--strict"]].concat());
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(sandbox.rows().len(), 2);
}

/// What a repository commits holds for everybody; it cannot publish the name of whoever works there.
#[test]
fn a_repository_cannot_allow_its_users_own_name() {
    let sandbox = Sandbox::repository();
    sandbox.git(["config", "user.email", "jane.doe@corp.example"]);
    sandbox.write(
        ".telemetry/config.toml",
        "[redact]\nallow = [\"login:janedoe77\", \"home:janedoe77\", \"home:bob\", \
         \"email:Jane.Doe@corp.example\", \"email:janedoe77@other.example\", \
         \"email:a@example.org\", \"email:team@example.org\"]\n",
    );
    let mut row = SEED.to_vec();
    row[6] = "janedoe77 /home/janedoe77/x /home/bob/x Jane.Doe@corp.example \
              janedoe77@other.example a@example.org team@example.org";
    let output = sandbox.command("log-usage").args(row).env("USER", "janedoe77").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let row = &sandbox.rows()[0];
    assert!(!row.contains("janedoe77") && !row.contains("corp.example"), "{row}");
    assert!(!row.contains("a@example.org"), "{row}");
    assert!(row.contains("/home/bob/x") && row.ends_with("team@example.org"), "{row}");
}

/// The environment of a service, a cron job or `env -i` tells no login.
#[test]
fn the_login_is_known_without_the_environment() {
    let sandbox = Sandbox::repository();
    let of = |arguments: &[&str]| sandbox.ok("id", arguments).trim().to_owned();
    // A login that is nobody's name, such as root, is left alone: then we act as another.
    let (login, mut command) = match &*of(&["-un"]) {
        "root" => {
            let as_another = || {
                let mut command = sandbox.command("setpriv");
                command.args(["--reuid=1", "--clear-groups", env!("CARGO_BIN_EXE_log-usage")]);
                // The sandbox is ours.
                command.current_dir("/");
                command
            };
            let can = as_another().arg("--version").output().is_ok_and(|it| it.status.success());
            if !can {
                eprintln!("SKIPPED the_login_is_known_without_the_environment: root alone runs it");
                return;
            }
            let command = as_another();
            (of(&["-un", "1"]), command)
        }
        login => (login.to_owned(), sandbox.command("log-usage")),
    };
    let output = command.args(["redact", &format!("ran by {login} here")]).output().unwrap();
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(printed, "ran by [redacted:login] here\n", "{said}");
}

#[test]
fn keys_of_events_do_not_name_the_user() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["consent", "grant", "events"]);
    let mut command = sandbox.command("log-usage");
    command.args(["event", "agent.completed", "--attr", "by_janedoe77=1", "--attr", "strategy=x"]);
    command.args(["--metric", "janedoe77=2"]).env("USER", "janedoe77");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let events = sandbox.read(".telemetry/events.jsonl");
    assert!(!events.contains("janedoe77"), "{events}");
    assert!(events.contains("\"by_redacted_login\":\"1\""), "{events}");
    assert!(events.contains("\"redacted_login\":2"), "{events}");
}

#[test]
fn every_long_value_of_a_secret_variable_is_kept_out() {
    let sandbox = Sandbox::repository();
    for (name, value, is_kept_out) in [
        ("DB_PASSWORD", "zebra-umbrella-42", true),
        ("DB_PASSWORD", "aaaa-bbbb-cccc-dddd", true),
        ("DB_PASSWORD", "hunter22", true),
        ("SERVICE_TOKEN", "organization", true),
        ("DB_PASSWORD", "postgres", false),
        ("BUILD_FOLDER", "zebra-umbrella-42", false),
    ] {
        let mut command = sandbox.command("log-usage");
        let command = command.args(["redact", &format!("it was {value} then")]).env(name, value);
        let printed = text(&command.output().unwrap().stdout);
        assert_eq!(!printed.contains(value), is_kept_out, "{name}: {printed}");
    }
    for (given, expected) in [
        ("curl --api-key s3cr3tv4lue x", "curl --api-key [redacted:secret] x"),
        ("GITHUB_TOKEN=abc12345 make", "GITHUB_TOKEN=[redacted:secret] make"),
    ] {
        assert_eq!(sandbox.ok("log-usage", &["redact", given]), format!("{expected}\n"));
    }
    let key = "5f".repeat(31) + "a1";
    sandbox.write("../team.key", format!("{key}\n"));
    let mut command = sandbox.command("log-usage");
    command.args(["redact", &format!("we share {key} now")]);
    command.env("LOG_USAGE_TEAM_KEY_FILE", sandbox.path("../team.key"));
    let printed = text(&command.output().unwrap().stdout);
    assert_eq!(printed, "we share [redacted:secret] now\n");
}

#[test]
fn a_correction_passes_the_same_gate() {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &SEED);
    let notes = format!("retried\nwith {}", key());
    let amend = ["amend", "--last", "--notes", &notes, "--tag", "agent=bob@corp.example.com"];
    let before = sandbox.snapshot();
    let output = sandbox.run("log-usage", &[&amend[..], &["--strict"]].concat());
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: 2 secrets in notes and tags: anthropic-key, email"), "{said}");
    assert!(!said.contains("Q1w2"), "{said}");
    let output = sandbox.run("log-usage", &[&amend[..], &["--dry-run"]].concat());
    let line = "  2 secrets kept out of notes and tags: anthropic-key, email\n";
    assert_eq!(text(&output.stderr), line);
    assert!(!text(&output.stdout).contains("Q1w2"));
    assert_eq!(sandbox.snapshot(), before);
    let output = sandbox.run("log-usage", &amend);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(0), 2), "{said}");
    assert!(said.starts_with(&format!("{line}  the old notes stay ")), "{said}");
    let stored = &sandbox.rows()[1];
    assert!(stored.contains(",retried with [redacted:anthropic-key] {id="), "{stored}");
    assert!(stored.ends_with(" rev=1 agent=redacted:email}"), "{stored}");
    // The limit counts what is stored: of two texts of one length the redacted one is too long.
    for (end, code) in [("ada.b.example", 0), ("ada@b.example", 2)] {
        let long = format!("{} {end}", "x".repeat(4036));
        let output = sandbox.run("log-usage", &["amend", "--last", "--notes", &long, "--dry-run"]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    }
    assert_eq!(sandbox.rows().len(), 2);
    // A revision that may not say of which row would be counted beside it.
    sandbox.write(".telemetry/config.toml", "tags = \"none\"\n");
    let output = sandbox.run("log-usage", &["amend", "--last", "--success", "false"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("tags of 1 row not wanted"), "{}", text(&output.stderr));
    let row = "2036-03-02T09:00:00Z,n,7,8,true,plan,10,{source=s id=bob@corp.example.com}\n";
    let ledger = sandbox.read(".telemetry/usage.csv") + row;
    sandbox.write(".telemetry/usage.csv", &ledger);
    sandbox.write(".telemetry/config.toml", "");
    let output = sandbox.run("log-usage", &["amend", "--last", "--success", "false"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("id=redacted:email"), "{}", text(&output.stderr));
    assert_eq!(sandbox.read(".telemetry/usage.csv"), ledger);
}

#[test]
fn messages_repeat_no_secret() {
    let sandbox = Sandbox::repository();
    let key = key();
    for arguments in [
        vec!["m", "1", "2", "true", "plan", "3", "notes", &key],
        vec![&*key, "1", "2", "maybe", "plan", "3"],
        vec!["m", &key, "2", "true", "plan", "3"],
        vec!["m", "1", "2", "maybe", "plan", "3", &key],
        vec!["m", "1", "2", "true", "plan", "3", "--tag", &key],
        vec!["m", "1", "2", "true", "plan", "3", "--timestamp", &key],
        vec!["m", "1", "2", "true", "plan", "3", "--max-size", &key],
        vec!["init", &key],
    ] {
        let output = sandbox.run("log-usage", &arguments);
        let said = text(&output.stderr);
        assert!(!said.contains("Q1w2") && !said.is_empty(), "{said}");
    }
}

/// What no rule knows is known by its variable: whole, and where a message cuts it short.
#[test]
fn messages_repeat_no_secret_of_the_environment() {
    let sandbox = Sandbox::repository();
    let value = format!("{}-{}", "Zq8'vT", "rK2mN9xL4+".repeat(9));
    let long = format!("{} {value}", "word ".repeat(12));
    let below = format!("{value}/usage.csv");
    for (program, arguments) in [
        ("log-usage", vec!["m", "1", "2", "true", "plan", "3", "notes", &value]),
        ("log-usage", vec!["m", "1", "2", "true", "plan", "3", "notes", &long]),
        ("log-usage", vec![&*value, "1", "2", "maybe", "plan", "3"]),
        ("log-usage", vec!["m", &value, "2", "true", "plan", "3"]),
        ("log-usage", vec!["m", "1", "2", "maybe", "plan", "3", &value]),
        ("log-usage", vec!["m", "1", "2", "true", "plan", "3", "--tag", &value]),
        ("log-usage", vec!["m", "1", "2", "true", "plan", "3", "--timestamp", &value]),
        ("log-usage", vec!["m", "1", "2", "true", "plan", "3", "--file", &below]),
        ("log-usage", vec!["m", "1", "2", "true", "plan", "3", "--max-size", &value]),
        ("log-usage", vec!["amend", &value]),
        ("log-usage", vec!["amend", "--last", "--duration", &value]),
        ("log-usage", vec!["batch", "--max-size", &value]),
        ("log-usage", vec!["hooks", &value]),
        ("log-usage", vec!["init", &value]),
        ("log-usage", vec!["prune", "--before", &value]),
        ("log-usage", vec!["redact", "--check", &value]),
        ("usage-report", vec!["--since", &value]),
        ("usage-report", vec!["--by", &value]),
        ("usage-report", vec!["--file", &value]),
        ("usage-report", vec!["--range", &value]),
        ("usage-report", vec!["--output", &value, "--file", &value]),
        ("usage-report", vec![&*value]),
    ] {
        let mut command = sandbox.command(program);
        let output = command.args(&arguments).env("ODD_SERVICE_TOKEN", &value).output().unwrap();
        let said = text(&output.stderr);
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!said.contains("rK2mN9xL4") && !said.contains("Zq8'v"), "{arguments:?}: {said}");
        assert!(!said.is_empty());
    }
    let header = "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes\n";
    let json = format!("{{\"model\":\"m\",\"{value}\":1}}\n");
    for input in [format!("{header}m,1,2,{value},plan,3,n\n"), json, format!("{value},b\n")] {
        let mut command = sandbox.command("log-usage");
        let command = command.args(["batch", "--keep-going"]).env("ODD_SERVICE_TOKEN", &value);
        let said = text(&command.write_stdin(input).output().unwrap().stderr);
        assert!(said.contains("[redacted:env-value]"), "{said}");
        assert!(!said.contains("rK2mN9xL4"), "{said}");
    }
}

/// Rows that passed no gate are shown as if they had.
#[test]
fn old_notes_are_shown_without_their_secrets() {
    let value = "Zq8-vT5rK2mN9xL4";
    let row = format!(
        "2026-03-02T09:00:00Z,m,7,8,true,plan,10,{value} of mkrausz and bob@corp.example.com {}",
        key()
    );
    let sandbox = Sandbox::with_rows(&[&row]);
    let mut command = sandbox.command("log-usage");
    let command = command.env("USER", "mkrausz").env("ODD_SERVICE_TOKEN", value);
    let shown = text(&command.args(["amend", "--list"]).output().unwrap().stdout);
    let notes = "[redacted:env-value] of [redacted:login] and [redacted:email] [redacted:";
    assert!(shown.contains(notes), "{shown}");
}

/// What failed in a hook is written down for later, and shown again.
#[test]
fn the_log_of_hooks_keeps_no_secret() {
    let sandbox = Sandbox::repository();
    let value = "Zq8-vT5rK2mN9xL4";
    let mut command = sandbox.command("log-usage");
    let command = command.env("GIT_PREFIX", "").env("ODD_SERVICE_TOKEN", value);
    let output = command.args(["m", "1", "2", value, "plan", "3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let log = sandbox.path("../home/.local/state/usage-ledger/hooks.log");
    let kept = std::fs::read_to_string(&log).unwrap();
    assert!(kept.contains("task_success: \"[redacted:env-value]\""), "{kept}");
    // One of an older version, which kept what it was given.
    let here = sandbox.path("").canonicalize().unwrap();
    let old = format!("2026-03-02T09:00:00Z  {}  {value} {}\u{1b}[1m\n", here.display(), key());
    std::fs::write(&log, old).unwrap();
    let output =
        sandbox.command("log-usage").arg("doctor").env("ODD_SERVICE_TOKEN", value).output();
    let shown = text(&output.unwrap().stdout);
    assert!(shown.contains("[redacted:env-value] [redacted:anthropic-key]"), "{shown}");
    assert!(!shown.contains('\u{1b}') && !shown.contains(value), "{shown}");
}

#[test]
fn redact_prints_any_text_without_its_secrets() {
    let sandbox = Sandbox::repository();
    let secret = key();
    let shown = sandbox.ok("log-usage", &["redact", &format!("use {secret} now")]);
    assert_eq!(shown, "use [redacted:anthropic-key] now\n");
    let mut command = sandbox.command("log-usage");
    let input = format!("one\ntwo {secret}\n");
    let output = command.arg("redact").write_stdin(input.clone()).output().unwrap();
    assert_eq!(text(&output.stdout), "one\ntwo [redacted:anthropic-key]\n");
    let mut command = sandbox.command("log-usage");
    let output = command.args(["redact", "--json"]).write_stdin(input.clone()).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["findings"][0]["rule"], "anthropic-key");
    assert_eq!(
        (&json["findings"][0]["line"], &json["findings"][0]["start"]),
        (&2.into(), &8.into())
    );
    assert_eq!(json["text"], "one\ntwo [redacted:anthropic-key]\n");
    let rules = sandbox.ok("log-usage", &["redact", "--list-rules"]);
    assert!(rules.lines().count() >= 150 && rules.contains("anthropic-key\n"));

    sandbox.write("clean.txt", "nothing here\n");
    sandbox.write("bad.txt", &input);
    assert_eq!(sandbox.ok("log-usage", &["redact", "--check", "clean.txt"]), "");
    let output = sandbox.run("log-usage", &["redact", "--check", "clean.txt", "bad.txt"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "bad.txt:2: anthropic-key\n");
    let output = sandbox.run("log-usage", &["redact", "--check", "--json", "bad.txt"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["findings"][0]["file"], "bad.txt");
    assert!(!text(&output.stdout).contains("Q1w2"));
    assert_eq!(sandbox.run("log-usage", &["redact", "--check", "missing"]).status.code(), Some(1));
}

/// Lines far apart, and a secret where two parts of a large file meet.
#[test]
fn large_files_are_checked_to_their_end() {
    let sandbox = Sandbox::new();
    let filler = "nothing to see in this line\n".repeat(100_000);
    sandbox.write("large.log", format!("{filler}{0}\n{filler}{0}", key()));
    let output = sandbox.run("log-usage", &["redact", "--check", "large.log"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        "large.log:100001: anthropic-key\nlarge.log:200002: anthropic-key\n"
    );
}

/// Two rows of one moment must not become one because what tells them apart was replaced.
#[test]
fn an_id_that_may_not_be_stored_refuses_the_row() {
    let sandbox = Sandbox::repository();
    for tag in ["id=bob@corp.example.com", "source=ann@corp.example.com"] {
        let output = sandbox.run("log-usage", &[&SEED[..], &["--tag", tag]].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("=redacted:email\" would stand for every row"), "{error}");
        assert!(!error.contains("corp"), "{error}");
    }
    assert!(!sandbox.path(".telemetry/usage.csv").exists());
}
