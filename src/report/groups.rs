//! Sums by name, or by a small number.

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::report::dimension::Key;
use crate::report::measures::Measures;

/// The groups of one dimension.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Groups {
    sums: Vec<(Key, Measures)>,
    places: HashMap<Key, usize>,
}

impl Groups {
    /// The place of the group with this name, or of the rows that have none.
    pub fn of_name(&mut self, name: Option<&str>) -> usize {
        match self.places.get(&Name(name)) {
            Some(place) => *place,
            None => self.of_key(name.map_or(Key::None, |name| Key::Text(name.into()))),
        }
    }

    /// The place of the group with this key.
    pub fn of_key(&mut self, key: Key) -> usize {
        let next = self.sums.len();
        let place = *self.places.entry(key.clone()).or_insert(next);
        if place == next {
            self.sums.push((key, Measures::default()));
        }
        place
    }

    /// The sums at a place.
    pub fn at(&mut self, place: usize) -> &mut Measures {
        &mut self.sums[place].1
    }

    /// Adds other groups of the same dimension.
    pub fn merge(&mut self, other: &Groups) {
        for (key, measures) in other.iter() {
            let place = self.of_key(key.clone());
            self.at(place).merge(measures);
        }
    }

    /// Every group that has rows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Measures)> {
        let groups = self.sums.iter().filter(|(_, measures)| measures.rows > 0);
        groups.map(|(key, measures)| (key, measures))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Key::Number(number) => number.hash(state),
            Key::Text(text) => Name(Some(text)).hash(state),
            Key::None => Name(None).hash(state),
        }
    }
}

/// A name that is looked up without being made a key of its own.
#[derive(Hash)]
struct Name<'a>(Option<&'a str>);

impl hashbrown::Equivalent<Key> for Name<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        match (self.0, key) {
            (Some(name), Key::Text(text)) => name == &**text,
            (None, Key::None) => true,
            _ => false,
        }
    }
}
