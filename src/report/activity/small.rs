//! Which cells of a split by people may not be shown: those of too few, and those from which these
//! could be worked out.

use std::collections::BTreeSet;

/// Which cells to hide. Each line is of cells whose sum is known: what its hidden cells sum up to is
/// known too, and so these must be of enough identities together, or nothing of the line is shown.
pub fn hidden(cells: &[&BTreeSet<u32>], lines: &[Vec<usize>], min: u64) -> Vec<bool> {
    let mut hidden: Vec<bool> = cells.iter().map(|it| (it.len() as u64) < min).collect();
    loop {
        let mut is_changed = false;
        for line in lines {
            while reveals(cells, line, &hidden, min) {
                let shown = line.iter().filter(|cell| !hidden[**cell]);
                // The least of them is missed least.
                let Some(least) = shown.min_by_key(|cell| (cells[**cell].len(), **cell)) else {
                    break;
                };
                hidden[*least] = true;
                is_changed = true;
            }
        }
        if !is_changed {
            return hidden;
        }
    }
}

/// Whether what a line hides is known to be of too few.
fn reveals(cells: &[&BTreeSet<u32>], line: &[usize], hidden: &[bool], min: u64) -> bool {
    let is_hidden = |cell: &&usize| hidden[**cell];
    let mut of_hidden = line.iter().filter(is_hidden).peekable();
    of_hidden.peek().is_some() && (union(cells, of_hidden).len() as u64) < min
}

/// The identities of all these cells.
pub fn union<'a>(
    cells: &[&BTreeSet<u32>],
    these: impl Iterator<Item = &'a usize>,
) -> BTreeSet<u32> {
    these.flat_map(|cell| cells[*cell].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(ids: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
        ids.into_iter().collect()
    }

    #[test]
    fn the_least_of_those_shown_goes_with_a_single_small_one() {
        let cells = [set(0..9), set(10..12), set(20..26), set(30..40)];
        let cells: Vec<&BTreeSet<u32>> = cells.iter().collect();
        assert_eq!(hidden(&cells, &[vec![0, 1, 2, 3]], 5), [false, true, true, false]);
        // Two small ones hide each other only if they are enough together.
        let cells = [set(0..9), set(10..12), set(20..23)];
        let cells: Vec<&BTreeSet<u32>> = cells.iter().collect();
        assert_eq!(hidden(&cells, &[vec![0, 1, 2]], 5), [false, true, true]);
        assert_eq!(hidden(&cells, &[vec![0, 1, 2]], 6), [true, true, true]);
        assert_eq!(hidden(&cells, &[], 3), [false, true, false]);
    }

    proptest! {
        /// Whatever can be worked out from sums of lines is of enough identities, or of a whole line.
        #[test]
        fn no_sum_gives_a_small_cell_away(
            table in prop::collection::vec(prop::collection::vec(prop::collection::btree_set(0u32..12, 0..9), 4), 1..5),
            min in 3u64..7,
        ) {
            let cells: Vec<&BTreeSet<u32>> = table.iter().flatten().collect();
            let rows = (0..table.len()).map(|row| (0..4).map(|at| row * 4 + at).collect());
            let columns = (0..4).map(|at| (0..table.len()).map(|row| row * 4 + at).collect());
            let lines: Vec<Vec<usize>> = rows.chain(columns).collect();
            let hidden = hidden(&cells, &lines, min);
            for (cell, is_hidden) in hidden.iter().enumerate() {
                prop_assert!(*is_hidden || cells[cell].len() as u64 >= min);
            }
            for line in lines {
                let of_hidden: Vec<usize> = line.iter().copied().filter(|it| hidden[*it]).collect();
                let known = union(&cells, of_hidden.iter()).len() as u64;
                let is_safe = of_hidden.is_empty() || of_hidden.len() == line.len() || known >= min;
                prop_assert!(is_safe);
            }
        }
    }
}
