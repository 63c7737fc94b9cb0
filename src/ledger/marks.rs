//! Where commas, line ends and quotes stand: one bit for each byte of a buffer, found a whole block
//! at a time.

const BLOCK: usize = 64;

/// The marks of one buffer, in memory that is used again for the next.
#[derive(Default)]
pub(super) struct Marks {
    bits: Vec<u64>,
}

impl Marks {
    /// Finds the marks of these bytes.
    pub(super) fn find(&mut self, bytes: &[u8]) {
        self.bits.clear();
        let blocks = bytes.chunks_exact(BLOCK);
        let rest = blocks.remainder();
        self.bits.extend(blocks.map(|block| marks(block.try_into().unwrap_or(&[0; BLOCK]))));
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        self.bits.push(marks(&last));
    }

    /// The marks from a position on, in order.
    pub(super) fn from(&self, at: usize) -> impl Iterator<Item = usize> {
        let mut block = at / BLOCK;
        let mut bits = self.bits.get(block).map_or(0, |bits| bits & (u64::MAX << (at % BLOCK)));
        std::iter::from_fn(move || {
            while bits == 0 {
                block += 1;
                bits = *self.bits.get(block)?;
            }
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some(block * BLOCK + bit)
        })
    }
}

/// Sixty-four comparisons that the compiler makes by vectors, packed into the bits of a word: the
/// product gathers the lowest bit of eight bytes in its highest byte.
#[inline]
fn marks(block: &[u8; BLOCK]) -> u64 {
    let mut is_mark = [0u8; BLOCK];
    for (is_mark, byte) in is_mark.iter_mut().zip(block) {
        *is_mark = u8::from(*byte == b',') | u8::from(*byte == b'\n') | u8::from(*byte == b'"');
    }
    let mut bits = 0;
    for (at, eight) in is_mark.chunks_exact(8).enumerate() {
        let bytes = u64::from_le_bytes(eight.try_into().unwrap_or_default());
        bits |= (bytes.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (at * 8);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_mark_is_found(bytes in "[a,\n\"é]{0,200}", from in 0usize..200) {
            let mut marks = Marks::default();
            marks.find(bytes.as_bytes());
            let expected: Vec<usize> = bytes.bytes().enumerate()
                .filter(|(at, b)| *at >= from && b",\n\"".contains(b))
                .map(|(at, _)| at)
                .collect();
            prop_assert_eq!(marks.from(from).collect::<Vec<_>>(), expected);
        }
    }
}
