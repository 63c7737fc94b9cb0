//! Sums of files that are read: every part once, side by side. Where rows are out of time order all
//! is read again, knowing which instants to wait for.

use crate::engine::inputs::Input;
use crate::engine::parts;
use crate::engine::pass::{Pass, Sums};
use crate::engine::query::Query;
use crate::engine::threads;
use crate::error::Result;
use crate::report::dimension::Dimension;

/// Sums the inputs; `progress` is told of every byte read.
///
/// # Errors
/// The first file that cannot be read, or is no ledger.
pub fn sum(inputs: &[&Input], query: &Query, progress: &(dyn Fn(u64) + Sync)) -> Result<Sums> {
    let bytes: u64 = inputs.iter().map(|input| input.bytes()).sum();
    // Which of two equal rows is counted makes a difference only between files: the first one is.
    let threads = match query.by.contains(&Dimension::File) || bytes < 2 * parts::BYTES_MIN {
        true => 1,
        false => threads::count(),
    };
    sum_in_parts(inputs, query, threads, parts::size(inputs, threads), progress)
}

/// As [`sum`], on so many threads, in parts of about so many bytes.
///
/// # Errors
/// As there.
pub fn sum_in_parts(
    inputs: &[&Input],
    query: &Query,
    threads: usize,
    size: u64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Sums> {
    let mut stretches = parts::divided(inputs, size)?;
    let mut pass = Pass::run(inputs, query, threads, &stretches, None, progress);
    if !pass.is_handed_over() {
        stretches = parts::whole(inputs);
        pass = Pass::run(inputs, query, threads, &stretches, None, &|_| ());
    }
    let range = pass.range();
    let late = match query.keep_duplicates {
        true => None,
        false => pass.late(inputs, threads, &stretches),
    };
    if let Some(late) = late {
        pass = Pass::run(inputs, query, threads, &stretches, Some(&late), &|_| ());
    }
    pass.finish(inputs, range)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::ledger::distinct::{Rank, fingerprint, rank};
    use crate::report::left_out::LeftOut;
    use crate::report::measures::Measures;
    use crate::row::{HEADER, Row};
    use proptest::prelude::*;

    /// Lines as a file, a merge or a careless hand may leave them: among them notes that hold what
    /// looks like a row, and quotes that are never closed.
    fn line() -> impl Strategy<Value = String> {
        let notes = prop::sample::select(vec![
            "",
            "done",
            "\"a, b\"",
            "\"said \"\"so\"\"\"",
            "\"two\nlines\"",
            "\"2026-02-23T22:19:01Z,m,1,2,true,plan,3,\n2026-02-23T22:19:02Z,m,1,2,true,plan,3,\"",
            "{source=a id=b}",
            "{source=a id=b rev=1}",
            "{id=c role=sub}",
            "{cache_read=1 cost_usd=0.250000}",
            "\"never closed",
        ]);
        let row = (0u8..60, "m|o3", 0u8..3, notes).prop_map(|(second, model, tokens, notes)| {
            format!("2026-02-23T22:19:{second:02}Z,{model},{tokens},2,true,plan,3,{notes}")
        });
        prop_oneof![9 => row, 1 => prop::sample::select(vec![
            HEADER.to_owned(),
            "=======".to_owned(),
            "2026-02-23T22:19:28Z,m,1,2,yes,plan,3,".to_owned(),
            "garbage".to_owned(),
        ])]
    }

    fn inputs(files: &[String]) -> Vec<Input> {
        files.iter().map(|text| Input::spooled("usage.csv", text.as_bytes()).unwrap()).collect()
    }

    fn totals(sums: Sums) -> (Measures, u64, LeftOut) {
        (sums.aggregate.totals(), sums.aggregate.rows, sums.left_out)
    }

    /// Its line is longer when it is written again than as it was read.
    #[test]
    fn a_late_row_with_many_quotes_is_counted() {
        let row = |second: u8, notes: &str| {
            format!("2026-02-23T22:19:{second:02}Z,m,1,2,true,plan,3,{notes}\n")
        };
        let quotes = format!("x{} {{id=a}}", "\"".repeat(40_000));
        let file = format!("{HEADER}\n{}{}", row(9, ""), row(1, &quotes));
        let inputs = inputs(&[file]);
        let inputs: Vec<&Input> = inputs.iter().collect();
        let sums = sum(&inputs, &Query::default(), &|_| ()).unwrap();
        assert_eq!((sums.aggregate.rows, sums.left_out), (2, LeftOut::default()));
    }

    proptest! {
        /// However files are divided, the sums are those of reading them as a whole.
        #[test]
        fn parts_make_no_difference(
            files in prop::collection::vec(prop::collection::vec(line(), 0..40), 1..3),
            is_sorted: bool,
            size in 30u64..2_000,
        ) {
            let files: Vec<String> = files.into_iter().map(|mut lines| {
                if is_sorted {
                    lines.sort();
                }
                format!("{HEADER}\n{}\n", lines.join("\n"))
            }).collect();
            let inputs = inputs(&files);
            let inputs: Vec<&Input> = inputs.iter().collect();
            let query = Query::default();
            let sum = |threads, size| sum_in_parts(&inputs, &query, threads, size, &|_| ()).unwrap();
            prop_assert_eq!(totals(sum(3, size)), totals(sum(1, u64::MAX)));
        }

        /// Of rows that are the same the greatest stands, wherever they are.
        #[test]
        fn every_distinct_row_is_counted_once(
            rows in prop::collection::vec((0u8..6, 0u8..3, 0usize..6), 0..60),
            cut in 0usize..60,
            size in 30u64..2_000,
        ) {
            let notes = ["", "x", "{id=a}", "{id=a rev=1}", "{source=s id=a}", "{source=s id=a rev=2}"];
            let rows: Vec<Row<'_>> = rows.iter().map(|(second, tokens, at)| {
                let (second, notes) = (second * 9, notes[*at]);
                Row::parse(&format!("2026-02-23T22:19:{second:02}Z,m,{tokens},2,true,plan,3,{notes}"))
                    .unwrap()
            }).collect();
            let mut stand: HashMap<u128, Rank> = HashMap::new();
            for row in &rows {
                let stands = stand.entry(fingerprint(row)).or_insert_with(|| rank(row));
                if rank(row) > *stands {
                    *stands = rank(row);
                }
            }
            let lines: Vec<String> = rows.iter().map(Row::to_line).collect();
            let (one, other) = lines.split_at(cut.min(lines.len()));
            let files = [one, other].map(|lines| format!("{HEADER}\n{}\n", lines.join("\n")));
            let query = Query::default();
            let inputs = inputs(&files);
            let inputs: Vec<&Input> = inputs.iter().collect();
            let Sums { aggregate, left_out, .. } =
                sum_in_parts(&inputs, &query, 2, size, &|_| ()).unwrap();
            prop_assert_eq!(aggregate.rows as usize, stand.len());
            prop_assert_eq!((left_out.repeated + left_out.corrected) as usize, rows.len() - stand.len());
            let tokens: u128 = stand.values().map(|rank| u128::from(rank.tokens)).sum();
            prop_assert_eq!(aggregate.totals().total_tokens(), tokens);
        }
    }
}
