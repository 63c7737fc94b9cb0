//! What a request read and wrote.

use crate::row::COUNT_MAX;

/// What one request read and wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Everything that the model read, cached or not.
    pub prompt: u64,
    /// Everything that it wrote, reasoning included.
    pub completion: u64,
    /// Of the prompt: read from the cache.
    pub cache_read: u64,
    /// Of the prompt: written to the cache for five minutes.
    pub cache_write: u64,
    /// Of the prompt: written to the cache for an hour.
    pub cache_write_1h: u64,
    /// Whether it was answered in the dearer, fast mode.
    pub is_fast: bool,
    /// Whether it was to be answered in the United States.
    pub is_us: bool,
}

impl Usage {
    /// All tokens.
    pub fn total(&self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }

    /// Adds what another request took.
    pub fn add(&mut self, other: &Usage) {
        let sum = |one: u64, other: u64| one.saturating_add(other).min(COUNT_MAX);
        self.prompt = sum(self.prompt, other.prompt);
        self.completion = sum(self.completion, other.completion);
        self.cache_read = sum(self.cache_read, other.cache_read);
        self.cache_write = sum(self.cache_write, other.cache_write);
        self.cache_write_1h = sum(self.cache_write_1h, other.cache_write_1h);
    }
}
