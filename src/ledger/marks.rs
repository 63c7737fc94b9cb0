//! Where commas, line ends and quotes stand in a text, found by blocks of 64 bytes. Positions are
//! written down for many blocks at a time: so no branch depends on where in a block they are, which
//! no processor foresees.

const BLOCK: usize = 64;

/// So many bytes are looked at in one go: they and their marks stay in the processor's nearest cache
/// until their rows are read.
const WINDOW: usize = 16 << 10;

/// So many positions are written down at once; most blocks have no more.
const AT_ONCE: usize = 8;

/// The marks of one stretch of a text, in memory that is used again for the next.
#[derive(Default)]
pub(super) struct Marks {
    /// The positions, in order; more room than they need.
    positions: Vec<u32>,
    count: usize,
    /// Where the stretch begins and ends.
    start: usize,
    end: usize,
}

impl Marks {
    /// Another text begins.
    pub(super) fn forget(&mut self) {
        (self.start, self.end, self.count) = (0, 0, 0);
    }

    /// Finds the marks of these bytes, at most 4 GiB, from a position on, as far as a window reaches.
    pub(super) fn find(&mut self, bytes: &[u8], start: usize) {
        let end = bytes.len().min(start + WINDOW);
        let (blocks, rest) = bytes[start..end].as_chunks::<BLOCK>();
        // Every byte may be a mark, and a whole block is written where the last one ends.
        let room = end - start + 2 * BLOCK;
        if self.positions.len() < room {
            self.positions.resize(room, 0);
        }
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        (self.start, self.end, self.count) = (start, end, 0);
        vectors::find(self, blocks);
        self.note(marks(&last), blocks.len());
    }

    /// Whether the marks from this position on are known, as far as the window reaches.
    pub(super) fn are_known(&self, at: usize) -> bool {
        self.start <= at && at < self.end
    }

    /// Where the window begins.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Where the window ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The known positions from one on, in order.
    #[inline]
    pub(super) fn from(&self, at: usize) -> &[u32] {
        let found = &self.positions[..self.count];
        &found[found.partition_point(|it| (*it as usize) < at)..]
    }

    /// Writes down the positions of one block's marks.
    #[inline(always)]
    fn note(&mut self, mut word: u64, block: usize) {
        let base = (self.start + block * BLOCK) as u32;
        let marked = word.count_ones() as usize;
        let Some(room) = self.positions.get_mut(self.count..self.count + BLOCK) else { return };
        let mut next = |slot: &mut u32| {
            *slot = base + word.trailing_zeros();
            word &= word.wrapping_sub(1);
        };
        room[..AT_ONCE].iter_mut().for_each(&mut next);
        if marked > AT_ONCE {
            room[AT_ONCE..marked].iter_mut().for_each(&mut next);
        }
        self.count += marked;
    }
}

/// Sixty-four comparisons that the compiler makes by vectors, packed into the bits of a word: the
/// product gathers the lowest bit of eight bytes in its highest byte.
#[inline]
fn marks(block: &[u8; BLOCK]) -> u64 {
    let is_mark = block.map(|byte| u8::from(byte == b',' || byte == b'\n' || byte == b'"'));
    let (eights, _) = is_mark.as_chunks::<8>();
    eights.iter().rev().fold(0, |bits, eight| {
        let bytes = u64::from_le_bytes(*eight);
        bits << 8 | bytes.wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

/// The plain way, for processors without vectors of 32 bytes.
fn find_plainly(found: &mut Marks, blocks: &[[u8; BLOCK]]) {
    for (number, block) in blocks.iter().enumerate() {
        found.note(marks(block), number);
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use pulp::x86::V3;
    use pulp::{NullaryFnOnce, cast};

    use super::{BLOCK, Marks, find_plainly};

    /// By vectors of 32 bytes where this processor has them.
    pub(super) fn find(found: &mut Marks, blocks: &[[u8; BLOCK]]) {
        match V3::try_new() {
            Some(simd) => simd.vectorize(Find { simd, found, blocks }),
            None => find_plainly(found, blocks),
        }
    }

    struct Find<'a> {
        simd: V3,
        found: &'a mut Marks,
        blocks: &'a [[u8; BLOCK]],
    }

    impl NullaryFnOnce for Find<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let simd = self.simd.avx2;
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
            for (number, block) in self.blocks.iter().enumerate() {
                let [low, high]: [[u8; 32]; 2] = cast(*block);
                self.found.note(half(low) | half(high) << 32, number);
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod vectors {
    pub(super) use super::find_plainly as find;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_mark_is_found(text in "[a,\n\"é]{0,300}|[,\n]{100,200}", from in 0usize..200) {
            let mut found = Marks::default();
            found.find(b",,,", 1);
            let from = from.min(text.len());
            let start = text.floor_char_boundary(from / 2);
            found.find(text.as_bytes(), start);
            prop_assert_eq!(found.are_known(from), from < text.len());
            let expected = text.bytes().enumerate().filter(|(_, byte)| b",\n\"".contains(byte));
            let expected: Vec<u32> =
                expected.map(|(at, _)| at as u32).filter(|at| *at as usize >= from).collect();
            prop_assert_eq!(found.from(from), expected);
        }

        /// Whatever this processor has, both ways find the same.
        #[test]
        fn vectors_find_what_the_plain_way_finds(text in "[a,\n\"]{192}") {
            let (blocks, _) = text.as_bytes().as_chunks::<BLOCK>();
            let mut ways = [vec![0; 400], vec![0; 400]].map(|positions| Marks { positions, ..Marks::default() });
            vectors::find(&mut ways[0], blocks);
            find_plainly(&mut ways[1], blocks);
            prop_assert_eq!(ways[0].from(0), ways[1].from(0));
        }
    }
}
