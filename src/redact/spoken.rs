//! Secrets in prose: "the password is …", "stripe key …", "Bearer …".

use crate::redact::bytes::{Alphabet, Text, entropy, is_name, is_random, is_uuid};
use crate::redact::hit::Hit;
use crate::redact::values::{Value, is_password, is_placeholder, named, value};

/// Words that announce a password, or a secret.
const PASSWORDS: [&str; 8] =
    ["password", "passwd", "passphrase", "passcode", "pwd", "passwort", "kennwort", "pw"];
const SECRETS: [&str; 9] =
    ["token", "secret", "key", "apikey", "api_key", "api-key", "credential", "pat", "credentials"];

/// Words between the announcement and the value.
const FILLERS: [&str; 22] = [
    "is", "was", "as", "to", "set", "now", "still", "the", "new", "old", "changed", "be", "should",
    "has", "been", "reset", "rotated", "from", "with", "value", "=", "using",
];

/// Announcements that alone make it sure: the word before `key`, `token` or `secret`.
const QUALIFIERS: [&str; 15] = [
    "api", "access", "secret", "private", "client", "auth", "bearer", "signing", "service",
    "admin", "refresh", "webhook", "personal", "deploy", "bot",
];

/// Providers whose tokens look like nothing in particular.
const PROVIDERS: [&str; 96] = [
    "adafruit",
    "adobe",
    "airtable",
    "algolia",
    "amplitude",
    "anthropic",
    "asana",
    "assemblyai",
    "atlassian",
    "auth0",
    "aws",
    "azure",
    "bamboo",
    "bitbucket",
    "bitly",
    "braze",
    "browserstack",
    "circleci",
    "cloudflare",
    "cloudinary",
    "codecov",
    "cohere",
    "coinbase",
    "confluent",
    "contentful",
    "datadog",
    "deepgram",
    "deepl",
    "deepseek",
    "digitalocean",
    "discord",
    "docker",
    "dropbox",
    "elastic",
    "etsy",
    "facebook",
    "fastly",
    "figma",
    "firebase",
    "flickr",
    "freshdesk",
    "gemini",
    "ghost",
    "giphy",
    "gitea",
    "github",
    "gitlab",
    "google",
    "grafana",
    "heroku",
    "hetzner",
    "hubspot",
    "intercom",
    "jenkins",
    "jira",
    "klaviyo",
    "launchdarkly",
    "linear",
    "linode",
    "logdna",
    "mailchimp",
    "mailgun",
    "mailtrap",
    "mandrill",
    "mapbox",
    "mattermost",
    "meraki",
    "mistral",
    "mixpanel",
    "mux",
    "netlify",
    "newrelic",
    "notion",
    "nytimes",
    "okta",
    "openai",
    "opsgenie",
    "pagerduty",
    "paypal",
    "plaid",
    "postmark",
    "pusher",
    "rapidapi",
    "reddit",
    "rollbar",
    "segment",
    "sendgrid",
    "sentry",
    "shodan",
    "slack",
    "snyk",
    "splunk",
    "spotify",
    "stripe",
    "telegram",
    "twilio",
];

/// As far back as a provider is looked for.
const PROVIDER_BYTES_MAX: usize = 24;

/// How many words may stand between the announcement and the value.
const FILLERS_MAX: usize = 4;

/// The shortest token in prose, and where no provider is named.
const TOKEN_BYTES_MIN: usize = 14;
const LONE_TOKEN_BYTES_MIN: usize = 16;

/// What a token in prose tells per byte at least.
const BITS_MIN: f32 = 3.0;

/// Words of the trade that look like passwords.
const TERMS: [&str; 24] = [
    "base64", "base32", "base58", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3", "argon2",
    "argon2id", "bcrypt", "pbkdf2", "scrypt", "oauth2", "http2", "utf8", "utf16", "ascii7",
    "aes128", "aes256", "rsa2048", "rsa4096", "ed25519",
];

/// What a word that begins there announces.
pub(super) fn at(text: &mut Text<'_>, at: usize) -> Option<Hit> {
    let first = text.byte(at).to_ascii_lowercase();
    if !matches!(first, b'p' | b't' | b's' | b'k' | b'a' | b'c' | b'b') {
        return None;
    }
    let length = text.length(at, Alphabet::Word, 14);
    let word = &text.bytes[at..at + length];
    let end = at + length;
    if !matches!(text.byte(end), b' ' | b':' | b'=') {
        return None;
    }
    let is = |words: &[&str]| words.iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes()));
    match first {
        b'p' | b'k' if is(&PASSWORDS) => password(text, at, end),
        b'b' if is(&["bearer", "basic"]) => bearer(text, end, first == b'b' && length == 5),
        _ if is(&SECRETS) => token(text, at, end),
        _ => None,
    }
}

/// Behind the fillers: where the value begins, and whether there were any.
fn behind_fillers(text: &mut Text<'_>, from: usize) -> Option<(Value, bool)> {
    let mut at = from;
    let mut is_announced = false;
    for _ in 0..=FILLERS_MAX {
        if matches!(text.byte(at), b':' | b'=') {
            at += 1;
            is_announced = true;
        }
        if text.byte(at) != b' ' {
            return None;
        }
        let value = value(text, at + 1)?;
        let word = value.of(text);
        let is_filler = FILLERS.iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes()));
        if !is_filler {
            return Some((value, is_announced));
        }
        is_announced = true;
        at = value.end;
    }
    None
}

fn password(text: &mut Text<'_>, start: usize, from: usize) -> Option<Hit> {
    let (value, is_announced) = behind_fillers(text, from)?;
    let word = value.of(text);
    let is_term = TERMS.iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes()));
    let has = |fits: fn(&u8) -> bool| word.iter().take(64).any(fits);
    let is_mixed = has(u8::is_ascii_alphabetic)
        && (has(u8::is_ascii_digit) || has(|b| b"!@#$%^&*".contains(b)));
    // "login x password y", as in .netrc; "password for user42" is announced by nothing.
    let is_netrc = {
        let before = &text.bytes[start.saturating_sub(64)..start];
        before.windows(6).any(|it| it == b"login ")
    };
    let is_sure = is_announced || is_netrc || value.is_quoted || word.len() >= 8;
    let fits = is_sure
        && is_mixed
        && !is_term
        && !word.contains(&b' ')
        && !is_name(word)
        && !is_uuid(word)
        && !looks_like_count(word)
        && is_password(word, value.is_quoted);
    fits.then(|| named(text, value, "password"))
}

/// `12chars`, `v2beta1`, `3rd`, `2024-05-01T…`: what begins in a digit and goes on in a word.
fn looks_like_count(word: &[u8]) -> bool {
    let digits = word.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && word[digits..].iter().all(|b| b.is_ascii_alphabetic() || *b == b'-')
}

fn token(text: &mut Text<'_>, start: usize, from: usize) -> Option<Hit> {
    let (value, is_announced) = behind_fillers(text, from)?;
    let word = value.of(text);
    if word.len() < TOKEN_BYTES_MIN || is_placeholder(word) || is_name(word) || word.contains(&b' ')
    {
        return None;
    }
    let is_token = |b: &u8| Alphabet::Wide.has(*b);
    if !word.iter().all(is_token) || !is_random(word, BITS_MIN) {
        return None;
    }
    let own = &text.bytes[start..from];
    let is_compound = own.len() > 6 || has_before(text, start, &QUALIFIERS, 12);
    let is_provided = has_before(text, start, &PROVIDERS, PROVIDER_BYTES_MAX);
    let is_hex = word.iter().all(u8::is_ascii_hexdigit);
    let is_plain = (is_hex || is_uuid(word)) && !is_provided && !is_compound;
    let is_harmless = has_before(
        text,
        start,
        &[
            "cache",
            "idempotency",
            "trace",
            "public",
            "sort",
            "partition",
            "primary",
            "foreign",
            "dedup",
        ],
        14,
    );
    let is_key = own.eq_ignore_ascii_case(b"key");
    let is_sure = is_provided
        || (is_compound && word.len() >= LONE_TOKEN_BYTES_MIN)
        || (is_announced && !is_key && word.len() >= LONE_TOKEN_BYTES_MIN && entropy(word) > 3.3);
    (is_sure && !is_plain && !is_harmless).then(|| named(text, value, "secret"))
}

/// Whether one of the words stands in the bytes before a place.
fn has_before(text: &Text<'_>, at: usize, words: &[&str], bytes_max: usize) -> bool {
    let before = &text.bytes[at.saturating_sub(bytes_max)..at];
    let parts = before.split(|b| !b.is_ascii_alphanumeric());
    parts
        .filter(|part| part.len() > 1)
        .any(|part| words.iter().any(|it| part.eq_ignore_ascii_case(it.as_bytes())))
}

/// `Bearer …`, and `Basic …` where what follows is a name and a password.
fn bearer(text: &mut Text<'_>, from: usize, is_basic: bool) -> Option<Hit> {
    if text.byte(from) != b' ' {
        return None;
    }
    let value = value(text, from + 1)?;
    let word = value.of(text);
    let fits = match is_basic {
        true => is_pair(word),
        false => {
            word.len() >= TOKEN_BYTES_MIN
                && word.iter().all(|b| Alphabet::Wide.has(*b))
                && is_random(word, BITS_MIN)
                && !is_name(word)
        }
    };
    fits.then(|| named(text, value, "auth-header"))
}

/// Whether it is the base64 of `name:password`.
fn is_pair(word: &[u8]) -> bool {
    let mut decoded = Vec::with_capacity(word.len());
    let (mut bits, mut held) = (0u32, 0);
    for b in word.iter().take(256) {
        let digit = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => return false,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push((bits >> held) as u8);
        }
    }
    word.len() >= 8
        && decoded.iter().all(|b| (b' '..0x7F).contains(b))
        && decoded.iter().position(|b| *b == b':').is_some_and(|at| at > 0)
}
