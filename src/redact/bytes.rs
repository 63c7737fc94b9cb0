//! What bytes are made of: alphabets, borders, runs that are measured once, and how random a value
//! looks. Knows no rule.

/// The longest part of a value that is weighed: enough to judge it, and a bound on what it costs.
const WEIGHED_BYTES_MAX: usize = 64;

/// A set of bytes that a secret may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// `0-9 a-f A-F`.
    Hex,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`: base64 as it stands in URLs.
    Word,
    /// The same and `.`.
    Dotted,
    /// Letters, digits, `+`, `/` and `=`.
    Base64,
    /// Everything that tokens are made of: the above, `~`, `:` and `%`.
    Wide,
    /// What a value may hold that stands without quotes.
    Value,
}

const ALPHABETS: usize = 7;

/// For each byte the alphabets that hold it, as bits.
const MEMBERS: [u8; 256] = {
    let mut members = [0u8; 256];
    let mut at = 0;
    while at < 256 {
        let b = at as u8;
        let mut bits = 0;
        if b.is_ascii_hexdigit() {
            bits |= 1 << Alphabet::Hex as u8;
        }
        if b.is_ascii_alphanumeric() {
            bits |= 1 << Alphabet::Alnum as u8;
        }
        if b.is_ascii_alphanumeric() || b == b'_' || b == b'-' {
            bits |= 1 << Alphabet::Word as u8;
        }
        if b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.' {
            bits |= 1 << Alphabet::Dotted as u8;
        }
        if b.is_ascii_alphanumeric() || b == b'+' || b == b'/' || b == b'=' {
            bits |= 1 << Alphabet::Base64 as u8;
        }
        if b.is_ascii_alphanumeric()
            || matches!(b, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'~' | b':' | b'%')
        {
            bits |= 1 << Alphabet::Wide as u8;
        }
        if b > b' '
            && b != 0x7F
            && !matches!(b, b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}')
            && !matches!(b, b'|' | b'&' | b'<' | b'>' | b'"' | b'\'' | b'`' | b'\\')
        {
            bits |= 1 << Alphabet::Value as u8;
        }
        members[at] = bits;
        at += 1;
    }
    members
};

impl Alphabet {
    /// Whether the byte belongs to it.
    pub(super) const fn has(self, byte: u8) -> bool {
        MEMBERS[byte as usize] >> self as u8 & 1 == 1
    }
}

/// A text whose runs are measured once each, however often they are asked for: what keeps a text of
/// nothing but beginnings of secrets linear.
pub(super) struct Text<'a> {
    /// The text itself.
    pub(super) bytes: &'a [u8],
    runs: [(usize, usize); ALPHABETS],
}

impl<'a> Text<'a> {
    /// A text of which nothing is known yet.
    pub(super) fn new(bytes: &'a [u8]) -> Text<'a> {
        Text { bytes, runs: [(0, 0); ALPHABETS] }
    }

    /// Where the run of this alphabet ends that goes through `from`.
    pub(super) fn run(&mut self, from: usize, alphabet: Alphabet) -> usize {
        let (start, end) = &mut self.runs[alphabet as usize];
        if !(*start..*end).contains(&from) {
            let rest = self.bytes.get(from..).unwrap_or_default();
            let length = rest.iter().position(|b| !alphabet.has(*b)).unwrap_or(rest.len());
            (*start, *end) = (from, from + length);
        }
        *end
    }

    /// How many bytes from there belong to this alphabet, counted to `max` at most.
    pub(super) fn length(&self, from: usize, alphabet: Alphabet, max: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        rest.iter().take(max).take_while(|b| alphabet.has(**b)).count()
    }

    /// The byte there, or a NUL behind the end.
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The byte that stands so far before a place, or a NUL before the beginning.
    pub(super) fn before(&self, at: usize, distance: usize) -> u8 {
        at.checked_sub(distance).map_or(0, |it| self.byte(it))
    }

    /// Whether these bytes stand there.
    pub(super) fn has(&self, at: usize, word: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(word))
    }

    /// Whether these bytes stand there, in capitals or not.
    pub(super) fn has_word(&self, at: usize, word: &[u8]) -> bool {
        self.bytes.get(at..at + word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word))
    }

    /// Whether a secret may begin there: not within a word, but well behind what only escapes a
    /// character: `\n` of two characters, `%3D`, `\u003d`, and the `m` that ends a colour.
    pub(super) fn is_border(&self, at: usize) -> bool {
        let last = self.before(at, 1);
        if !last.is_ascii_alphanumeric() {
            return true;
        }
        let behind = |distance| self.before(at, distance);
        if behind(2) == b'\\' && matches!(last, b'n' | b't' | b'r') {
            return true;
        }
        if behind(3) == b'%' && last.is_ascii_hexdigit() && behind(2).is_ascii_hexdigit() {
            return true;
        }
        if behind(6) == b'\\' && behind(5) == b'u' {
            return (1..=4).all(|it| behind(it).is_ascii_hexdigit());
        }
        if last == b'm' {
            let parameters = (2..10).take_while(|it| matches!(behind(*it), b'0'..=b'9' | b';'));
            let length = parameters.count();
            return length > 0 && behind(2 + length) == b'[';
        }
        false
    }
}

/// How many bits each byte of a value tells, as Shannon counts them.
pub(super) fn entropy(value: &[u8]) -> f32 {
    let value = &value[..value.len().min(WEIGHED_BYTES_MAX)];
    let mut counts = [0u8; 256];
    value.iter().for_each(|b| counts[usize::from(*b)] += 1);
    let length = value.len() as f32;
    let share = |count: &u8| {
        let share = f32::from(*count) / length;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(share).sum()
}

/// Whether a value has letters and digits, and is no repetition.
pub(super) fn is_random(value: &[u8], bits_min: f32) -> bool {
    let value = &value[..value.len().min(WEIGHED_BYTES_MAX)];
    value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && entropy(value) >= bits_min
}

/// Whether the bytes say only that a secret would stand here: `xxxx`, `****`, `....`, `0000`.
pub(super) fn is_filler(value: &[u8]) -> bool {
    let filler = |b: &u8| matches!(b, b'x' | b'X' | b'*' | b'.' | b'-' | b'_' | b'0' | b'#');
    value.iter().all(filler)
}

/// Whether it is made as names are, of words, numbers and versions: `gpt-4o-2024-08-06`,
/// `settings.API_V2`, `/run/secrets/db_password`. A name has at least two parts.
pub(super) fn is_name(value: &[u8]) -> bool {
    let value = &value[..value.len().min(WEIGHED_BYTES_MAX)];
    let is_joint = |b: &u8| matches!(b, b'_' | b'-' | b'.' | b'/' | b':' | b'@' | b'+' | b'~');
    let mut parts = value.split(is_joint).filter(|part| !part.is_empty());
    value.iter().any(is_joint) && parts.all(is_part)
}

/// A word with few digits at its end, a number, or something short.
fn is_part(part: &[u8]) -> bool {
    let letters = part.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let digits = part[letters..].iter().take_while(|b| b.is_ascii_digit()).count();
    let is_word = letters + digits == part.len();
    part.len() <= 3 || (is_word && (letters == 0 || (digits <= 4 && is_spelled(&part[..letters]))))
}

/// Whether letters have the case of a word: all small, all capital, or humps of at least two.
fn is_spelled(letters: &[u8]) -> bool {
    let turns =
        letters.windows(2).filter(|it| it[0].is_ascii_lowercase() && it[1].is_ascii_uppercase());
    let capitals = letters.iter().filter(|b| b.is_ascii_uppercase()).count();
    let turns = turns.count();
    letters.len() <= 24
        && (capitals == letters.len() || capitals <= turns + 1)
        && turns * 4 <= letters.len()
}

/// Whether it is a UUID.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    let fits = |(at, b): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *b == b'-',
        _ => b.is_ascii_hexdigit(),
    };
    value.len() == 36 && value.iter().enumerate().all(fits)
}
