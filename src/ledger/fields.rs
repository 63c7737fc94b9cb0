//! One record → one row: which lines are rows, headers or markers, and where a row's columns stand.

use std::str;

use crate::record::Unquoter;
use crate::row::{COLUMNS, Refused, Row};

/// The longest record a reader takes: four times the longest that we write.
pub const RECORD_BYTES_MAX: usize = 64 << 10;

/// git's markers of a conflict are at least so long.
const MARKER_BYTES: usize = 7;

/// What UTF-8 files of some editors begin with.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Whether a line begins as rows do: with a date and a `T`.
pub fn begins_row(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let shape = b"dddd-dd-ddT";
    line.len() > shape.len()
        && shape.iter().zip(line).all(|(shape, byte)| match shape {
            b'd' => byte.is_ascii_digit(),
            other => byte.eq_ignore_ascii_case(other),
        })
}

/// Whether a merge conflict left this line: one of git's four markers, which are longer where names
/// are in conflict too, or merges within merges.
pub fn is_marker(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let Some(first) = line.first().filter(|first| b"<>|=".contains(first)) else { return false };
    let length = line.iter().take_while(|byte| *byte == first).count();
    match line.get(length) {
        None => length >= MARKER_BYTES,
        Some(next) => length >= MARKER_BYTES && *next == b' ' && *first != b'=',
    }
}

/// Whether a line names columns: at least two of ours, which no row does.
pub fn begins_header(record: &[u8]) -> bool {
    // Rows begin with a digit; this spares them the search.
    if record.first().is_none_or(u8::is_ascii_digit) {
        return false;
    }
    let names = record.split(|b| *b == b',').map(|name| name.trim_ascii());
    let bare = names.map(|name| name.strip_prefix(b"\"").unwrap_or(name));
    let bare = bare.map(|name| name.strip_suffix(b"\"").unwrap_or(name));
    bare.filter(|name| COLUMNS.iter().any(|column| column.as_bytes() == *name)).count() >= 2
}

/// Where our eight columns stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    places: [usize; 8],
    width: usize,
}

impl Columns {
    pub(super) const OURS: Columns = Columns { places: [0, 1, 2, 3, 4, 5, 6, 7], width: 8 };

    /// The columns that a header names.
    pub(super) fn of(header: &[u8]) -> Result<Columns, String> {
        let text = String::from_utf8_lossy(header);
        let names: Vec<String> = text.split(',').map(|name| name.replace('"', "")).collect();
        let mut places = [0; 8];
        for (place, column) in places.iter_mut().zip(COLUMNS) {
            let mut found = names.iter().enumerate().filter(|(_, name)| name.trim() == column);
            *place = match (found.next(), found.next()) {
                (Some((at, _)), None) => at,
                (None, _) => return Err(format!("its header lacks the column {column}")),
                (Some(_), Some(_)) => return Err(format!("its header has {column} twice")),
            };
        }
        Ok(Columns { places, width: names.len() })
    }

    fn pick<'a>(&self, mut fields: impl Iterator<Item = &'a str>) -> Result<[&'a str; 8], Refused> {
        let mut picked = [""; 8];
        if *self == Columns::OURS {
            for (at, slot) in picked.iter_mut().enumerate() {
                *slot = fields.next().ok_or_else(|| Refused::field_count(at))?;
            }
            return match fields.count() {
                0 => Ok(picked),
                more => Err(Refused::field_count(8 + more)),
            };
        }
        let all: Vec<&str> = fields.collect();
        if all.len() != self.width {
            return Err(Refused::field_count(all.len()));
        }
        for (slot, place) in picked.iter_mut().zip(self.places) {
            *slot = all[place];
        }
        Ok(picked)
    }
}

/// One record as a row, its columns in the header's order.
pub(super) fn parse<'a>(
    columns: &Option<Columns>,
    unquoter: &'a mut Unquoter,
    record: &'a [u8],
) -> Result<Row<'a>, Refused> {
    let columns = columns.as_ref().unwrap_or(&Columns::OURS);
    let text = str::from_utf8(record).map_err(|_| Refused::line("not UTF-8"))?;
    let fields = match text.contains('"') {
        false => columns.pick(text.split(','))?,
        true => {
            let fields = unquoter.fields(text);
            columns.pick(fields.ok_or_else(|| Refused::line("too many fields"))?)?
        }
    };
    Row::read(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_known_however_long() {
        for marker in ["<<<<<<< HEAD", "<<<<<<<< HEAD:a.csv", "|||||||| base", ">>>>>>>>> topic"] {
            assert!(is_marker(marker.as_bytes()), "{marker}");
        }
        assert!(
            ["=======", "========\r", ">>>>>>>", "======= "]
                .iter()
                .all(|it| is_marker(it.as_bytes()))
        );
        for other in ["", "<<<<<< HEAD", "======", "======= x", "=======x", "<<<<<<<x", "2026"] {
            assert!(!is_marker(other.as_bytes()), "{other}");
        }
    }
}
