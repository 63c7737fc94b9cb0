//! What tells an event from all others: a UUID that is in order of time.

use std::fmt;

use crate::timestamp::Instant;

/// A UUIDv7: 48 bits of milliseconds, 12 bits of their fraction, 62 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u128);

impl Id {
    /// The id of an event at that moment; moments before 1970 count as 1970.
    pub fn new(at: Instant, random: u64) -> Id {
        let millis = at.seconds.max(0) as u128 * 1_000 + u128::from(at.nanos / 1_000_000);
        // RFC 9562, 6.2, method 3: ids of one millisecond are in order too.
        let fraction = u128::from(at.nanos % 1_000_000) * 4_096 / 1_000_000;
        let high = (millis & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64;
        Id(high | 0b10 << 62 | u128::from(random >> 2))
    }

    /// Reads a UUID of any version, in lower case.
    pub fn parse(text: &str) -> Option<Id> {
        let shape = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
        let fits = |(shape, byte): (&u8, u8)| match shape {
            b'-' => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        };
        if text.len() != shape.len() || !shape.iter().zip(text.bytes()).all(fits) {
            return None;
        }
        let digits = text.bytes().filter(|byte| *byte != b'-');
        Some(Id(digits.fold(0, |id, digit| {
            let digit = if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 };
            id << 4 | u128::from(digit)
        })))
    }

    pub(super) fn write_to(self, out: &mut String) {
        for at in (0..32).rev() {
            let digit = (self.0 >> (at * 4)) as u8 & 15;
            out.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
            if matches!(at, 24 | 20 | 16 | 12) {
                out.push('-');
            }
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(36);
        self.write_to(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_of_time() {
        let at = |nanos| Instant { seconds: 1_771_885_152, nanos };
        let id = Id::new(at(483_000_000), u64::MAX);
        assert_eq!(id.to_string(), "019c8c95-c8e3-7000-bfff-ffffffffffff");
        assert_eq!(Id::parse(&id.to_string()), Some(id));
        assert!(Id::new(at(483_001_000), 0) > id);
        assert!(Id::new(Instant { seconds: -1, nanos: 0 }, 7).to_string().starts_with("00000000"));
    }
}
