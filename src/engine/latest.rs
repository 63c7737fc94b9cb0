//! The newest rows, from the ends of the newest files: however large the ledger is, no more is read.

use std::io::Read;

use crate::engine::inputs::Input;
use crate::error::Result;
use crate::report::glance::Latest;
use crate::row::Row;
use crate::timestamp::Instant;

/// So much of a file's end is read: some hundred rows of usual length.
const END_BYTES: u64 = 64 << 10;

/// Rows wait in a file beside the active one, and that may just have been begun.
const FILES: usize = 3;

/// The newest rows that stand whole on a line, newest first.
///
/// # Errors
/// A file that cannot be read.
pub fn rows(inputs: &[Input], rows_max: usize) -> Result<Vec<Latest>> {
    let mut found: Vec<(Instant, String, Latest)> = Vec::new();
    for input in inputs.iter().rev().take(FILES) {
        let from = input.bytes().saturating_sub(END_BYTES);
        let mut bytes = Vec::new();
        let mut reader = input.open((from, input.bytes()), &|_| ())?;
        reader.read_to_end(&mut bytes).map_err(|error| input.fail(&error))?;
        let text = String::from_utf8_lossy(&bytes);
        // The first line may be half of one.
        let lines = text.lines().skip(usize::from(from > 0));
        for (line, row) in lines.filter_map(|line| Some((line, Row::parse(line).ok()?))) {
            if input.border.is_none_or(|border| row.at.day() >= border) {
                found.push((row.at.instant(), line.to_owned(), latest(&row)));
            }
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| b.1.cmp(&a.1)));
    found.dedup_by(|a, b| (a.0, &a.1) == (b.0, &b.1));
    found.truncate(rows_max);
    Ok(found.into_iter().map(|(.., latest)| latest).collect())
}

fn latest(row: &Row<'_>) -> Latest {
    Latest {
        time: row.stamp.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect(),
        model: row.model.to_string(),
        task_type: row.task_type,
        success: row.success,
        prompt_tokens: row.prompt_tokens,
        completion_tokens: row.completion_tokens,
        duration_ms: row.duration_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::HEADER;

    #[test]
    fn the_newest_rows_come_first_and_once() {
        let row =
            |second: u8| format!("2026-11-21T10:00:{second:02}Z,m{second},1,2,true,plan,3,\n");
        let long: String =
            (0..3_000).map(|_| format!("{}{}", row(1), row(2))).chain([row(9)]).collect();
        let files = [format!("{HEADER}\n{long}"), format!("{HEADER}\n{}half,of", row(7) + &row(9))];
        let inputs = files.map(|text| Input::spooled("usage.csv", text.as_bytes()).unwrap());
        let told = |rows_max| -> Vec<String> {
            rows(&inputs, rows_max).unwrap().into_iter().map(|it| it.model).collect()
        };
        assert_eq!(told(9), ["m9", "m7", "m2", "m1"]);
        assert_eq!(told(2), ["m9", "m7"]);
        assert_eq!(rows(&inputs, 1).unwrap()[0].time, "2026-11-21 10:00:09");
        assert!(rows(&[], 9).unwrap().is_empty());
    }
}
