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
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        vectors::find(blocks, &mut self.bits);
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        self.bits.push(marks(&last));
    }

    /// The marks from a position on, in order.
    #[inline]
    pub(super) fn from(&self, at: usize) -> Positions<'_> {
        let block = at / BLOCK;
        let word = self.bits.get(block).map_or(0, |bits| bits & (u64::MAX << (at % BLOCK)));
        Positions { bits: &self.bits, block, word }
    }
}

/// Goes through the marks.
pub(super) struct Positions<'a> {
    bits: &'a [u64],
    block: usize,
    /// What is left of the block.
    word: u64,
}

impl Iterator for Positions<'_> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        while self.word == 0 {
            self.block += 1;
            self.word = *self.bits.get(self.block)?;
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(self.block * BLOCK + bit)
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
    let (eights, _) = is_mark.as_chunks::<8>();
    eights.iter().rev().fold(0, |bits, eight| {
        let bytes = u64::from_le_bytes(*eight);
        bits << 8 | bytes.wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use pulp::x86::V3;
    use pulp::{NullaryFnOnce, cast};

    use super::{BLOCK, marks};

    /// By vectors of 32 bytes where this processor has them.
    pub(super) fn find(blocks: &[[u8; BLOCK]], out: &mut Vec<u64>) {
        match V3::try_new() {
            Some(simd) => simd.vectorize(Find { simd, blocks, out }),
            None => out.extend(blocks.iter().map(marks)),
        }
    }

    struct Find<'a> {
        simd: V3,
        blocks: &'a [[u8; BLOCK]],
        out: &'a mut Vec<u64>,
    }

    impl NullaryFnOnce for Find<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Find { simd, blocks, out } = self;
            let simd = simd.avx2;
            let [comma, line_end, quote] =
                [b',', b'\n', b'"'].map(|mark| cast::<[u8; 32], _>([mark; 32]));
            let half = |bytes: [u8; 32]| {
                let bytes = cast(bytes);
                let is_mark = simd._mm256_or_si256(
                    simd._mm256_cmpeq_epi8(bytes, comma),
                    simd._mm256_or_si256(
                        simd._mm256_cmpeq_epi8(bytes, line_end),
                        simd._mm256_cmpeq_epi8(bytes, quote),
                    ),
                );
                u64::from(simd._mm256_movemask_epi8(is_mark) as u32)
            };
            out.extend(blocks.iter().map(|block| {
                let [low, high]: [[u8; 32]; 2] = cast(*block);
                half(low) | half(high) << 32
            }));
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod vectors {
    use super::{BLOCK, marks};

    pub(super) fn find(blocks: &[[u8; BLOCK]], out: &mut Vec<u64>) {
        out.extend(blocks.iter().map(marks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_mark_is_found(bytes in "[a,\n\"é]{0,300}", from in 0usize..200) {
            let mut found = Marks::default();
            found.find(bytes.as_bytes());
            let expected: Vec<usize> = bytes.bytes().enumerate()
                .filter(|(at, b)| *at >= from && b",\n\"".contains(b))
                .map(|(at, _)| at)
                .collect();
            prop_assert_eq!(found.from(from).collect::<Vec<_>>(), expected);
        }

        /// Whatever this processor has, both ways find the same.
        #[test]
        fn vectors_find_what_the_plain_way_finds(block: [u8; BLOCK], marked in 0usize..BLOCK) {
            let mut block = block;
            block[marked] = b",\n\""[marked % 3];
            let mut out = Vec::new();
            vectors::find(&[block], &mut out);
            prop_assert_eq!(out, [marks(&block)]);
        }
    }
}
