//! The models' names of one scan, each checked and kept once: rows name few of them.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::row::check_model;

/// Names by number, in the order in which they were first met.
#[derive(Default)]
pub(super) struct Names {
    names: Vec<Box<str>>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Names {
    /// The number of this name; None if no model may be called so.
    #[inline]
    pub(super) fn number(&mut self, name: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(name.as_bytes());
        let found = self.numbers.find(hash, |it| *self.names[*it as usize] == *name);
        match found {
            Some(number) => Some(*number),
            None => self.add(name, hash),
        }
    }

    #[cold]
    fn add(&mut self, name: &str, hash: u64) -> Option<u32> {
        check_model(name).ok()?;
        let Names { names, numbers, hasher } = self;
        let number = u32::try_from(names.len()).ok()?;
        names.push(name.into());
        numbers.insert_unique(hash, number, |it| hasher.hash_one(names[*it as usize].as_bytes()));
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let mut names = Names::default();
        let all: Vec<String> = (0..500).map(|n| format!("vendor/model-{n}-of-them-all")).collect();
        for _ in 0..2 {
            for (number, name) in all.iter().enumerate() {
                assert_eq!(names.number(name), Some(number as u32));
            }
        }
        assert_eq!(names.number("m"), Some(500));
        assert_eq!(names.number("not a model"), None);
        assert_eq!(names.number(""), None);
    }
}
