//! Texts larger than memory: read in parts that overlap, so that no secret is cut in two.

use crate::redact::hit::Hit;

/// How much is looked at in one go.
const PART_BYTES: usize = 1 << 20;

/// How much of a part is looked at again with the next one: more than any secret, but for private
/// keys, which are waited for.
const OVERLAP_BYTES: usize = 64 << 10;

/// As long as the end of a private key is waited for.
const HELD_BYTES_MAX: usize = 16 << 20;

/// Finds all hits of a text.
pub type Find<'a> = &'a (dyn Fn(&[u8]) -> Vec<Hit> + Sync);

/// A text in the making.
pub struct Stream<'a> {
    find: Find<'a>,
    held: Vec<u8>,
}

impl<'a> Stream<'a> {
    /// Nothing has been read yet; `find` finds all hits of a text.
    pub fn new(find: Find<'a>) -> Stream<'a> {
        Stream { find, held: Vec::new() }
    }

    /// Takes more of the text, and gives what is settled of it, with the hits in it.
    pub fn push(&mut self, bytes: &[u8], settled: &mut dyn FnMut(&[u8], &[Hit])) {
        self.held.extend_from_slice(bytes);
        while self.held.len() >= PART_BYTES + OVERLAP_BYTES {
            let before = self.held.len();
            self.settle(settled);
            if self.held.len() == before {
                return;
            }
        }
    }

    fn settle(&mut self, settled: &mut dyn FnMut(&[u8], &[Hit])) {
        // A part is never longer than what its cost was reckoned for, unless a key goes on.
        let is_waiting = self.held.len() > 2 * (PART_BYTES + OVERLAP_BYTES);
        let part = if is_waiting { self.held.len() } else { PART_BYTES + OVERLAP_BYTES };
        let part = &self.held[..part.min(self.held.len())];
        let hits = (self.find)(part);
        let safe = part.len() - OVERLAP_BYTES;
        let cut = part[..safe].iter().rposition(u8::is_ascii_whitespace).map_or(safe, |it| it + 1);
        let open = hits.iter().find(|hit| hit.start < cut && hit.end > cut);
        let cut = match open {
            Some(hit) if hit.start == 0 && part.len() >= HELD_BYTES_MAX => part.len(),
            Some(hit) => hit.start,
            None => cut,
        };
        if cut > 0 {
            let inside = hits.partition_point(|hit| hit.end <= cut);
            settled(&part[..cut], &hits[..inside]);
            self.held.drain(..cut);
        }
    }

    /// Gives the rest.
    pub fn finish(self, settled: &mut dyn FnMut(&[u8], &[Hit])) {
        let hits = (self.find)(&self.held);
        settled(&self.held, &hits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::scan::scan;
    use crate::redact::words::Words;

    /// What is left, between the hits.
    fn without(bytes: &[u8], hits: &[Hit]) -> Vec<u8> {
        let ends = [0].into_iter().chain(hits.iter().map(|hit| hit.end));
        let starts = hits.iter().map(|hit| hit.start).chain([bytes.len()]);
        ends.zip(starts).flat_map(|(from, to)| bytes[from..to].to_vec()).collect()
    }

    #[test]
    fn a_text_in_parts_is_the_same_as_in_one() {
        let key = format!("sk-ant-{}", "Ab1Cd2Ef3".repeat(4));
        let block = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
            "MIIE\n".repeat(60_000)
        );
        let mut text = String::new();
        for n in 0..40_000 {
            text += &format!("line {n} says nothing, but at times {key} and goes on\n");
        }
        text = format!("{text}{block}\n{text}");
        let find = |bytes: &[u8]| scan(bytes, &Words::default());
        let whole = without(text.as_bytes(), &find(text.as_bytes()));
        let (mut parts, mut found) = (Vec::new(), 0);
        let mut settled = |bytes: &[u8], hits: &[Hit]| {
            found += hits.len();
            parts.extend(without(bytes, hits));
        };
        let mut stream = Stream::new(&find);
        text.as_bytes().chunks(77_777).for_each(|part| stream.push(part, &mut settled));
        stream.finish(&mut settled);
        assert_eq!(found, 80_001);
        assert!(parts == whole);
    }
}
