//! CSV records in bytes: where one ends, and its fields without their quotes. Knows no columns.

use std::str;

/// A record with more fields is none of ours.
const FIELDS_MAX: usize = 64;

/// A quote that is not closed, or is closed in the middle of a field.
#[derive(Debug, PartialEq, Eq)]
pub struct StrayQuote;

/// The line end that closes the record at the start of these bytes, where quoted fields may hold
/// line ends (RFC 4180). None where the bytes end before the record does.
pub fn end(bytes: &[u8]) -> Option<Result<usize, StrayQuote>> {
    let mut at = 0;
    loop {
        if bytes.get(at)? != &b'"' {
            at += memchr::memchr2(b',', b'\n', &bytes[at..])?;
        } else {
            at += 1;
            loop {
                at += memchr::memchr(b'"', bytes.get(at..)?)? + 1;
                match bytes.get(at)? {
                    b'"' => at += 1,
                    b'\r' if bytes.get(at + 1)? == &b'\n' => {
                        at += 1;
                        break;
                    }
                    b',' | b'\n' => break,
                    _ => return Some(Err(StrayQuote)),
                }
            }
        }
        if bytes[at] == b'\n' {
            return Some(Ok(at));
        }
        at += 1;
    }
}

/// Whether the bytes hold an odd number of quotes, so that one of them is open at their end.
pub fn has_open_quote(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'"', bytes).count() % 2 == 1
}

/// The csv crate's state machine, and room for one record without its quotes. To build one costs
/// more than to read a thousand records, so it is built for the first.
#[derive(Default)]
pub struct Unquoter {
    reader: Option<Box<csv_core::Reader>>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Unquoter {
    /// The fields of one record, without its line end; None where there are more than 64.
    pub fn fields(&mut self, record: &str) -> Option<impl Iterator<Item = &str>> {
        let reader = self.reader.get_or_insert_with(|| {
            let terminator = csv_core::Terminator::Any(b'\n');
            Box::new(csv_core::ReaderBuilder::new().terminator(terminator).build())
        });
        reader.reset();
        self.text.resize(record.len() + 1, 0);
        self.ends.resize(FIELDS_MAX, 0);
        let (text, ends) = (&mut self.text, &mut self.ends);
        let (result, _, mut written, mut fields) =
            reader.read_record(record.as_bytes(), text, ends);
        if result == csv_core::ReadRecordResult::InputEmpty {
            // An empty input tells the reader that the record is over.
            let rest = reader.read_record(&[], &mut text[written..], &mut ends[fields..]);
            if rest.0 == csv_core::ReadRecordResult::OutputEndsFull {
                return None;
            }
            written += rest.2;
            fields += rest.3;
        } else if result == csv_core::ReadRecordResult::OutputEndsFull {
            return None;
        }
        let text = str::from_utf8(&text[..written]).unwrap_or_default();
        let starts = [0].into_iter().chain(ends[..fields].iter().copied());
        Some(starts.zip(&ends[..fields]).map(|(start, end)| &text[start..*end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_ends_where_its_quotes_do() {
        for (bytes, expected) in [
            ("a,b\nc", Some(Ok(3))),
            ("a,\"b\nc\"\nd", Some(Ok(7))),
            ("a,\"b\"\"\n\"\r\nd", Some(Ok(9))),
            ("a,b\"c\n", Some(Ok(5))),
            ("a,\"b\"c\n", Some(Err(StrayQuote))),
            ("a,\"b\n", None),
            ("a,b", None),
            ("", None),
        ] {
            assert_eq!(end(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }

    #[test]
    fn fields_lose_their_quotes() {
        let mut unquoter = Unquoter::default();
        let mut fields = |record: &str| {
            unquoter.fields(record).map(|fields| fields.map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(fields("a,\"b, \"\"c\"\"\",").unwrap(), ["a", "b, \"c\"", ""]);
        assert_eq!(fields("é,\"\n\"").unwrap(), ["é", "\n"]);
        assert_eq!(fields(&",".repeat(64)), None);
    }
}
