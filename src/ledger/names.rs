//! The models' names of one scan, each checked and kept once: rows name few of them.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::row::check_model;

/// Names of at most this many bytes are compared as four words.
const SHORT: usize = 32;

/// As many as fit into a small part of the processor's nearest cache.
const RECENT: usize = 256;

/// Names by number, in the order in which they were first met.
pub(super) struct Names {
    names: Vec<Box<str>>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Short names met lately: what most rows need.
    recent: Vec<Recent>,
}

#[derive(Clone, Copy, Default)]
struct Recent {
    words: [u64; 4],
    length: usize,
    number: u32,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            names: Vec::new(),
            numbers: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            // A name is never empty.
            recent: vec![Recent::default(); RECENT],
        }
    }
}

impl Names {
    /// The number of the name at this place of the text; None if no model may be called so.
    #[inline(always)]
    pub(super) fn number_at(&mut self, text: &str, start: usize, end: usize) -> Option<u32> {
        let Some((length, words)) = words(text.as_bytes(), start, end) else {
            return self.number(text.get(start..end)?);
        };
        let recent = &self.recent[place(&words)];
        if recent.length == length && recent.words == words {
            return Some(recent.number);
        }
        let number = self.number(text.get(start..end)?)?;
        self.recent[place(&words)] = Recent { words, length, number };
        Some(number)
    }

    /// The number of this name; None if no model may be called so.
    pub(super) fn number(&mut self, name: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(name.as_bytes());
        if let Some(number) = self.numbers.find(hash, |it| *self.names[*it as usize] == *name) {
            return Some(*number);
        }
        check_model(name).ok()?;
        let Names { names, numbers, hasher, .. } = self;
        let number = u32::try_from(names.len()).ok()?;
        names.push(name.into());
        let hash_of = |it: &u32| hasher.hash_one(names[*it as usize].as_bytes());
        numbers.insert_unique(hash, number, hash_of);
        Some(number)
    }
}

/// The length of a short name and its bytes as four words that end where it does, those before it
/// cleared: equal names have equal words, and no branch depends on their length.
#[inline(always)]
fn words(bytes: &[u8], start: usize, end: usize) -> Option<(usize, [u64; 4])> {
    // An empty name would look like an empty place.
    let length = end.checked_sub(start).filter(|length| *length > 0)?;
    let window = bytes.get(end.wrapping_sub(SHORT)..end)?.first_chunk::<SHORT>()?;
    let masks = MASKS.get(length)?;
    let (eights, _) = window.as_chunks::<8>();
    let mut words = [0; 4];
    for (word, (eight, mask)) in words.iter_mut().zip(eights.iter().zip(masks)) {
        *word = u64::from_le_bytes(*eight) & mask;
    }
    Some((length, words))
}

/// For each length, which bits of the four words belong to the name.
const MASKS: [[u64; 4]; SHORT + 1] = {
    let mut masks = [[0; 4]; SHORT + 1];
    let mut length = 1;
    while length <= SHORT {
        let mut byte = SHORT - length;
        while byte < SHORT {
            masks[length][byte / 8] |= 0xFF << (byte % 8 * 8);
            byte += 1;
        }
        length += 1;
    }
    masks
};

/// Where words are looked for.
#[inline(always)]
fn place(words: &[u64; 4]) -> usize {
    let [a, b, c, d] = words;
    let mixed = (a ^ b.rotate_left(17) ^ c.rotate_left(31) ^ d).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as usize % RECENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let mut names = Names::default();
        let all: Vec<String> =
            (1..500).map(|n| format!("m{}", "x-1.".repeat(n % 30) + &n.to_string())).collect();
        for _ in 0..2 {
            for (number, name) in all.iter().enumerate() {
                let number = Some(number as u32);
                let text = format!("2026-02-23T22:19:28Z,{name},1");
                assert_eq!(names.number_at(&text, 21, 21 + name.len()), number, "{name}");
                assert_eq!(names.number(name), number);
            }
        }
        for (text, start) in [("not a model", 0), (&*format!("{},é", "x".repeat(40)), 41)] {
            assert_eq!(names.number_at(text, start, text.len()), None);
        }
        assert_eq!(names.number(""), None);
        assert_eq!(names.number_at(&" ".repeat(40), 40, 40), None);
        // Cleared bytes before a name are no NULs of its own.
        let text = format!("{}\0m1", " ".repeat(40));
        assert_eq!(names.number_at(&text, 41, 43), Some(499));
        assert_eq!(names.number_at(&text, 40, 43), None);
    }
}
