//! One pass over a text: which scanner is asked at which byte.

use crate::redact::beside;
use crate::redact::blocks;
use crate::redact::bytes::Text;
use crate::redact::hit::{Hit, marked};
use crate::redact::people;
use crate::redact::rules;
use crate::redact::spoken;
use crate::redact::urls;
use crate::redact::words::Words;

/// What a byte may be the beginning, or the middle, of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing that is looked for.
    Other,
    /// A word.
    Letter,
    /// `[`, as replacements begin.
    Bracket,
    /// What stands between a name and its value, or within an address.
    Joint,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Other; 256];
    let mut at = 0;
    while at < 256 {
        let b = at as u8;
        if b.is_ascii_alphanumeric() {
            kinds[at] = Kind::Letter;
        } else if matches!(b, b':' | b'=' | b'@' | b'/' | b'\\' | b'-' | b'~' | b'>' | b'%') {
            kinds[at] = Kind::Joint;
        } else if b == b'[' {
            kinds[at] = Kind::Bracket;
        }
        at += 1;
    }
    kinds
};

/// Everything that one pass finds.
pub(super) fn scan(bytes: &[u8], own: &Words) -> Vec<Hit> {
    let mut text = Text::new(bytes);
    let mut hits = Vec::new();
    let (mut at, mut floor) = (0, 0);
    while at < bytes.len() {
        let kind = KINDS[usize::from(bytes[at])];
        if kind == Kind::Bracket
            && let Some(end) = marked(bytes, at)
        {
            (at, floor) = (end, end);
            continue;
        }
        let mut found = own.at(bytes, at).map(|(rule, end)| Hit { rule, start: at, end });
        if let Some(Hit { end, .. }) = found {
            // Before an @ it is part of an address, whose domain would be left.
            found = people::email(&text, end, floor).filter(|it| it.start <= at).or(found);
        }
        if found.is_none() {
            found = match kind {
                Kind::Letter if text.is_border(at) => word(&mut text, at),
                Kind::Joint => joint(&mut text, at, floor, &mut hits),
                _ => None,
            };
        }
        // A scanner that found several has put all but the last on the list.
        match found {
            Some(hit) if hit.end > hit.start && hit.start >= floor => {
                (at, floor) = (hit.end, hit.end);
                hits.push(hit);
            }
            _ => at += 1,
        }
    }
    hits
}

fn word(text: &mut Text<'_>, at: usize) -> Option<Hit> {
    if let Some((rule, end)) = rules::token(text, at) {
        return Some(Hit { rule, start: at, end });
    }
    match text.byte(at) {
        b'e' => blocks::jwt(text, at),
        b'M' | b'N' | b'O' => blocks::discord(text, at),
        b'P' if text.has(at, b"Private-Lines:") => blocks::putty(text, at),
        _ => None,
    }
    .or_else(|| spoken::at(text, at))
}

fn joint(text: &mut Text<'_>, at: usize, floor: usize, hits: &mut Vec<Hit>) -> Option<Hit> {
    match text.byte(at) {
        b':' if text.has(at, b"://") => urls::userinfo(text, at),
        b':' => blocks::telegram(text, at, floor)
            .or_else(|| people::account(text, at, floor))
            .or_else(|| beside::assigned(text, at, floor, hits)),
        b'=' | b'>' => beside::assigned(text, at, floor, hits),
        b'@' | b'%' => people::email(text, at, floor),
        b'/' | b'\\' => people::home(text, at),
        b'~' => blocks::azure(text, at, floor),
        _ => blocks::pem(text, at)
            .or_else(|| blocks::mailchimp(text, at, floor))
            .or_else(|| people::encoded_home(text, at))
            .or_else(|| beside::flag(text, at)),
    }
}
