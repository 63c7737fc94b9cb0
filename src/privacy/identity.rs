//! Pseudonyms: rows and events of one person told apart from those of others, and the person not
//! named. Pure; keys and random bytes are handed in.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// What stands in the place of a pseudonym where no person works.
pub const CI: &str = "ci";

/// As many bytes as an HMAC of SHA-256 gives: a longer key adds nothing.
pub const KEY_BYTES: usize = 32;

/// So many random bytes make a session's id where no agent gave one.
pub const SESSION_BYTES: usize = 10;

/// 60 bits: with 100,000 users two share a pseudonym once in 250 million repositories.
const USER_CHARS: usize = 12;

/// 80 bits: enough for a hundred million sessions.
const SESSION_CHARS: usize = 16;

/// What a key begins with where it is written down; redaction knows it.
const WRITTEN: &str = "usage-ledger-key-1-";

/// So many characters tell a key that was copied whole.
const CHECK_CHARS: usize = 8;

/// Fewer characters could be guessed: whoever can guess the key can tell every member's pseudonym.
const TEAM_KEY_BYTES_MIN: usize = 32;

/// What tells the pseudonyms of this repository from those of others. It is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RepoId([u8; 16]);

impl RepoId {
    /// An id of these random bytes.
    pub const fn of(bytes: [u8; 16]) -> RepoId {
        RepoId(bytes)
    }

    /// Reads 32 hex digits.
    pub fn parse(text: &str) -> Option<RepoId> {
        let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let number = text.bytes().all(is_hex).then(|| u128::from_str_radix(text, 16).ok())??;
        (text.len() == 32).then_some(RepoId(number.to_be_bytes()))
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl TryFrom<String> for RepoId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<RepoId, &'static str> {
        RepoId::parse(&text).ok_or("repo_id: is not 32 of 0-9 a-f")
    }
}

/// The key of one user, on which all pseudonyms of that user depend. It is never in a repository.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// A key of these random bytes.
    pub const fn of(bytes: [u8; KEY_BYTES]) -> Key {
        Key(bytes)
    }

    /// The bytes, to be kept in a private file.
    pub const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The user's pseudonym in this repository. Pseudonyms of two repositories cannot be joined
    /// without the key.
    pub fn user(&self, repository: &RepoId) -> String {
        user(&self.0, "user", repository, "")
    }

    /// The id of a session that an agent calls so.
    pub fn session(&self, agents_own: &str) -> String {
        let code = hmac(&self.0, &format!("session|v1|{agents_own}"));
        format!("s_{}", &base32(&code)[..SESSION_CHARS])
    }

    /// The key as text, to be carried to another machine by hand.
    pub fn written(&self) -> String {
        format!("{WRITTEN}{}{}", base32(&self.0), check(&self.0))
    }

    /// Reads what [`Key::written`] wrote.
    ///
    /// # Errors
    /// What is wrong with the text, in words, and never the text itself.
    pub fn read(text: &str) -> Result<Key, &'static str> {
        let text = text.trim();
        let rest = text.strip_prefix(WRITTEN).ok_or("is no key of log-usage")?;
        let bytes = unbase32(&rest[..rest.len().saturating_sub(CHECK_CHARS)]);
        let bytes: Option<[u8; KEY_BYTES]> = bytes.and_then(|bytes| bytes.try_into().ok());
        // A slip of the hand would otherwise be another person.
        let key = bytes.map(Key).filter(|key| key.written() == text);
        key.ok_or("was not copied whole")
    }
}

/// A key must not get into a log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The key that the members of a team share, so that each is counted once on however many machines.
/// Members can tell whose pseudonym is whose; nobody else can.
#[derive(Clone, PartialEq, Eq)]
pub struct TeamKey(Vec<u8>);

impl TeamKey {
    /// The key in a file's bytes; white space around it is none of it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(bytes: &[u8]) -> Result<TeamKey, &'static str> {
        let key = bytes.trim_ascii();
        match key.len() < TEAM_KEY_BYTES_MIN {
            true => Err("holds a key of fewer than 32 characters, which could be guessed"),
            false => Ok(TeamKey(key.to_owned())),
        }
    }

    /// The pseudonym of whoever has that e-mail address, in this repository.
    pub fn user(&self, repository: &RepoId, email: &str) -> String {
        user(&self.0, "team", repository, &email.trim().to_lowercase())
    }
}

/// A key must not get into a log.
impl fmt::Debug for TeamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TeamKey(..)")
    }
}

/// The id of a session of somebody who has no key: whoever knows the agent's own id can tell it, and
/// an agent's id is long and random. Rows that are imported name it
/// otherwise: by 12 digits of the hash of the agent and its id.
pub fn session_without_key(agents_own: &str) -> String {
    let code = Sha256::digest(format!("session|v1|{agents_own}"));
    format!("s_{}", &base32(&code)[..SESSION_CHARS])
}

/// The id of a session that no agent began.
pub fn random_session(bytes: &[u8; SESSION_BYTES]) -> String {
    format!("s_{}", base32(bytes))
}

/// Whether the text looks like a session's id; it is then fit for the name of a file.
pub fn is_session(text: &str) -> bool {
    let code = text.strip_prefix("s_").unwrap_or_default();
    code.len() == SESSION_CHARS && code.bytes().all(|b| BASE32.contains(&b))
}

fn user(key: &[u8], scheme: &str, repository: &RepoId, whose: &str) -> String {
    let code = hmac(key, &format!("{scheme}|v1|{repository}{whose}"));
    format!("u_{}", &base32(&code)[..USER_CHARS])
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn check(key: &[u8; KEY_BYTES]) -> String {
    let mut code = base32(&hmac(key, "check|v1|"));
    code.truncate(CHECK_CHARS);
    code
}

/// The alphabet of RFC 4648, in small letters: no digit looks like a letter.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Base32 without padding.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[(held >> bits) as usize & 31]));
        }
    }
    if bits > 0 {
        text.push(char::from(BASE32[(held << (5 - bits)) as usize & 31]));
    }
    text
}

/// The bytes of such a text; None where it is none.
fn unbase32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for character in text.bytes() {
        let five = BASE32.iter().position(|it| *it == character)?;
        held = held << 5 | five as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Redactor;
    use proptest::prelude::*;

    fn counted() -> Key {
        Key::of(std::array::from_fn(|n| n as u8))
    }

    fn repository(text: &str) -> RepoId {
        RepoId::parse(text).unwrap()
    }

    const FIRST: &str = "000102030405060708090a0b0c0d0e0f";
    const LAST: &str = "ffffffffffffffffffffffffffffffff";
    const UUID: &str = "5f0c8a1e-7d0b-4a53-9a0e-1c2d3e4f5a6b";

    /// The answers are those of Python's hmac, hashlib and base64.
    #[test]
    fn known_answers() {
        assert_eq!(counted().user(&repository(FIRST)), "u_ewazyd2fm3xm");
        assert_eq!(counted().user(&repository(LAST)), "u_7szanmeafays");
        assert_eq!(Key::of([0xff; 32]).user(&repository(FIRST)), "u_etru5sqq4trc");
        assert_eq!(counted().session(UUID), "s_cipryyl4yd775235");
        assert_eq!(session_without_key("abc"), "s_6c4tpyjg3g2aj2dr");
        let random = std::array::from_fn(|n| 246 + n as u8);
        assert_eq!(random_session(&random), "s_6337r6p27p6p37x7");
        let team = TeamKey::read(b"a team's key of forty-two characters, made.\n").unwrap();
        assert_eq!(team.user(&repository(FIRST), "ann@example.org"), "u_i7ygub62tt54");
        assert_eq!(team.user(&repository(FIRST), " Ann@Example.ORG\n"), "u_i7ygub62tt54");
        // Longer than a block of SHA-256, so that it is hashed first.
        let team = TeamKey::read(&[b'x'; 100]).unwrap();
        assert_eq!(team.user(&repository(FIRST), "ann@example.org"), "u_eblpncg5ekbi");
    }

    /// The test vectors of RFC 4648, without padding and in small letters.
    #[test]
    fn base32_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
            ("foobar", "mzxw6ytboi"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(unbase32(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(unbase32("a1"), None);
    }

    #[test]
    fn a_written_key_is_read_back_and_a_slip_is_not() {
        let written = counted().written();
        assert_eq!(
            written,
            "usage-ledger-key-1-aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypqxv4kjzrf"
        );
        assert_eq!(Key::read(&format!(" {written}\n")), Ok(counted()));
        for at in 0..written.len() {
            let mut slip = written.clone().into_bytes();
            slip[at] = if slip[at] == b'q' { b'z' } else { b'q' };
            assert!(Key::read(std::str::from_utf8(&slip).unwrap()).is_err(), "{at}");
            assert!(Key::read(&written[..at]).is_err(), "{at}");
        }
        assert!(Key::read("usage-ledger-key-1-é").is_err());
        assert_eq!(format!("{:?}", counted()), "Key(..)");
    }

    #[test]
    fn a_key_that_could_be_guessed_is_none() {
        assert!(TeamKey::read(b"").is_err());
        assert!(TeamKey::read(format!("{:31}\n", "hunter2").as_bytes()).is_err());
        assert!(TeamKey::read(&[b'k'; 32]).is_ok());
    }

    #[test]
    fn the_id_of_a_repository_is_32_hex_digits() {
        let text = "00ff02030405060708090a0b0c0d0e0f";
        assert_eq!(RepoId::parse(text).unwrap().to_string(), text);
        for bad in ["", "0", "+0ff02030405060708090a0b0c0d0e0f", &text.to_uppercase(), &text[1..]] {
            assert_eq!(RepoId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sessions_are_known_by_their_look() {
        assert!(is_session("s_cipryyl4yd775235"));
        for bad in ["", "s_", "u_ewazyd2fm3xm", "s_cipryyl4yd77523", "s_../../../../etc/p"] {
            assert!(!is_session(bad), "{bad}");
        }
    }

    proptest! {
        /// Redaction reads what is stored a second time; it must not take a pseudonym for a secret,
        /// nor leave a key alone.
        #[test]
        fn a_pseudonym_is_no_secret_and_a_key_is(
            key in any::<[u8; 32]>(),
            repo in any::<[u8; 16]>(),
            agents_own in ".{0,40}",
        ) {
            let (key, repo) = (Key::of(key), RepoId::of(repo));
            let (user, session) = (key.user(&repo), key.session(&agents_own));
            let text = format!("{{session={session} user={user}}} \"user\":\"{user}\" {repo}");
            prop_assert_eq!(Redactor::default().find(text.as_bytes()), vec![]);
            prop_assert!(is_session(&session));
            let note = format!("my key is {}, see", key.written());
            let (safe, _) = Redactor::default().redact(&note);
            prop_assert_eq!(safe, "my key is [redacted:usage-ledger-key], see");
        }
    }
}
