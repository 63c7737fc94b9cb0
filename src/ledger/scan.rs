//! Bytes → rows, line by line, as liberally as a hand-edited, merged or spreadsheet-saved file
//! needs: what cannot be read is named with its line, and the rows around it are still read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::str;

use crate::error::{Error, excerpt};
use crate::ledger::fields::{
    BOM, Columns, RECORD_BYTES_MAX, begins_header, begins_row, is_marker, parse,
};
use crate::ledger::files::LedgerFile;
use crate::ledger::gzip;
use crate::ledger::plain::{Found, Plain, Rows};
use crate::record::{self, StrayQuote, Unquoter};
use crate::row::{Refused, Row};

/// Large enough that reading costs little, small enough to stay in the processor's cache.
const BUFFER_BYTES: usize = 128 << 10;

/// A record with its line end, CRLF at most.
const LINE_BYTES_MAX: usize = RECORD_BYTES_MAX + 2;

/// So many lines may be damaged before a file without a header or a row is no ledger.
const DOUBTFUL_LINES_MAX: u32 = 16;

/// A first line with this many NULs is no text; fewer may be damage to one that is.
const NULS_MIN: usize = 3;

/// What stands on a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A row.
    Row(&'a Found<'a>),
    /// A row that cannot be read, and why.
    Bad(Refused),
    /// A header, the first or a repeated one.
    Header,
    /// A marker that a merge conflict left.
    Marker,
    /// Nothing.
    Blank,
}

/// What was seen of a file as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// It begins with a byte order mark.
    pub has_bom: bool,
    /// The first line that ends in CRLF, and how many do.
    pub crlf: Option<(u64, u64)>,
    /// The number of its last line, where that lacks its line end.
    pub unfinished: Option<u64>,
    /// It has rows, but no header before them.
    pub is_headerless: bool,
    /// Its header is not exactly ours: columns were added or moved.
    pub has_other_columns: bool,
}

/// A file that is not a ledger.
#[derive(Debug, PartialEq, Eq)]
pub struct NotALedger {
    /// The line that says so, the first being 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Who is shown what stands on the lines: most often a closure.
pub trait Visit {
    /// Takes what stands on a line.
    fn see(&mut self, line: u64, item: Item<'_>);
}

impl<F: FnMut(u64, Item<'_>)> Visit for F {
    #[inline(always)]
    fn see(&mut self, line: u64, item: Item<'_>) {
        self(line, item);
    }
}

/// Which part of a file an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// It begins where the file does; else at a row, below a header of our own columns.
    pub is_first: bool,
    /// It ends where the file does.
    pub is_last: bool,
}

impl Part {
    /// A file, as a whole.
    pub const WHOLE: Part = Part { is_first: true, is_last: true };
}

/// What was seen of an input as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Its traits.
    pub traits: Traits,
    /// How many lines it has.
    pub lines: u64,
    /// Whether the next part of the file may be read as if a header of our own columns stood before
    /// it: no record is open at the end of this one, and its columns are ours.
    pub is_handed_over: bool,
}

/// Reads inputs one after the other, in memory that is used again.
pub struct Scanner {
    buffer: Vec<u8>,
    plain: Plain,
    unquoter: Unquoter,
    /// Every line goes the long way.
    #[cfg(test)]
    is_slow: bool,
}

impl Default for Scanner {
    fn default() -> Scanner {
        let (plain, unquoter) = (Plain::default(), Unquoter::default());
        Scanner {
            buffer: vec![0; BUFFER_BYTES],
            plain,
            unquoter,
            #[cfg(test)]
            is_slow: false,
        }
    }
}

impl Scanner {
    /// The number of a model's name; None if no model may be called so.
    pub fn model(&mut self, name: &str) -> Option<u32> {
        self.plain.names.number(name)
    }

    /// Reads an input, and gives every line to `visit` with its number, the first being 1. A record
    /// of several lines has the number of its first. Memory is bounded by the longest record, not
    /// by the input.
    ///
    /// # Errors
    /// The reader's own; the inner result says that the input is no ledger at all.
    pub fn scan(
        &mut self,
        mut input: impl Read,
        part: Part,
        visit: &mut impl Visit,
    ) -> io::Result<Result<Scanned, NotALedger>> {
        let Scanner { buffer, plain, unquoter, .. } = self;
        let mut pass = Pass {
            visit,
            traits: Traits::default(),
            line: 1,
            columns: (!part.is_first).then_some(Columns::OURS),
            is_in_long_line: false,
            is_in_broken_record: false,
            doubt: None,
            doubtful_lines: 0,
            plain,
            unquoter,
            #[cfg(test)]
            is_slow: self.is_slow,
        };
        let mut filled = 0;
        loop {
            let read = match input.read(&mut buffer[filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            filled += read;
            let is_end = read == 0;
            let used = match pass.take(&buffer[..filled], is_end && part.is_last) {
                Ok(used) => used,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if is_end {
                return Ok(pass.finish(part, used == filled));
            }
            buffer.copy_within(used..filled, 0);
            filled -= used;
        }
    }
}

/// Reads a whole input; see [`Scanner::scan`].
///
/// # Errors
/// As there.
pub fn scan(
    input: impl Read,
    visit: &mut impl FnMut(u64, Item<'_>),
) -> io::Result<Result<Traits, NotALedger>> {
    let scanned = Scanner::default().scan(input, Part::WHOLE, visit)?;
    Ok(scanned.map(|scanned| scanned.traits))
}

/// Reads a whole file of a ledger; None where it is gone. See [`Scanner::scan`].
///
/// # Errors
/// It cannot be read; [`Error::Unreadable`] where it is no ledger.
pub fn file(
    file: &LedgerFile,
    visit: &mut impl FnMut(u64, Item<'_>),
) -> Result<Option<Traits>, Error> {
    match File::open(&file.path) {
        Ok(input) => opened(&input, file, visit).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &file.path, &error)),
    }
}

/// The same of a file that is open already.
///
/// # Errors
/// As [`file()`].
pub fn opened(
    input: &File,
    file: &LedgerFile,
    visit: &mut impl FnMut(u64, Item<'_>),
) -> Result<Traits, Error> {
    let text = gzip::text(&file.path, input);
    let scanned = scan(text, visit).map_err(|error| Error::io("read", &file.path, &error))?;
    scanned.map_err(|NotALedger { line, reason }| {
        let file = file.label.clone();
        Error::Unreadable { file, line, reason }
    })
}

/// Where a record of several lines may end.
enum End {
    /// At this line end, which is not part of it.
    At(usize),
    /// Nowhere sensible: a quote is not closed, or what it closes is no row.
    Nowhere(Refused),
    /// Behind what was read so far.
    Unknown,
}

impl<V: Visit> Rows for V {
    #[inline(always)]
    fn row(&mut self, line: u64, found: &Found<'_>) {
        self.see(line, Item::Row(found));
    }
}

/// One input on its way through.
struct Pass<'s, V> {
    visit: &'s mut V,
    traits: Traits,
    /// The number of the next line.
    line: u64,
    /// Where each of our columns stands; None before the first header or row.
    columns: Option<Columns>,
    /// The rest of a line that is too long is skipped.
    is_in_long_line: bool,
    /// After a record that never ended, lines that do not begin as rows belong to it.
    is_in_broken_record: bool,
    /// Why the file may be no ledger, until it shows a header or a row.
    doubt: Option<NotALedger>,
    doubtful_lines: u32,
    plain: &'s mut Plain,
    unquoter: &'s mut Unquoter,
    #[cfg(test)]
    is_slow: bool,
}

impl<V: Visit> Pass<'_, V> {
    /// Reads every whole record of these bytes and gives how many bytes that were.
    fn take(&mut self, bytes: &[u8], is_end: bool) -> Result<usize, NotALedger> {
        let mut at = 0;
        if self.line == 1 && self.columns.is_none() {
            if !is_end && bytes.len() < 1024 {
                return Ok(0);
            }
            self.refuse_foreign(bytes)?;
            if bytes.starts_with(BOM) {
                self.traits.has_bom = true;
                at = BOM.len();
            }
        }
        // What is valid as a whole need not be checked line by line.
        let text = match simdutf8::basic::from_utf8(if self.is_in_long_line { b"" } else { bytes })
        {
            Ok(text) => text,
            Err(_) => valid_beginning(bytes),
        };
        self.plain.begin();
        while at < bytes.len() {
            at = self.plain_rows(text, at);
            if at >= bytes.len() {
                break;
            }
            let rest = &bytes[at..];
            let line_end = match memchr::memchr(b'\n', rest) {
                Some(line_end) => line_end,
                None if is_end => {
                    self.traits.unfinished = Some(self.line);
                    rest.len()
                }
                None if rest.len() < LINE_BYTES_MAX => break,
                None => {
                    if !self.is_in_long_line {
                        self.is_in_long_line = true;
                        self.visit.see(self.line, Item::Bad(too_long()));
                    }
                    at = bytes.len();
                    break;
                }
            };
            // A line that is too long is too long, whatever quotes are in it.
            let has_quote =
                line_end < LINE_BYTES_MAX && memchr::memchr(b'"', &rest[..line_end]).is_some();
            let end = match has_quote && !self.is_in_long_line {
                true => self.record_end(rest, line_end, is_end),
                false => End::At(line_end),
            };
            match end {
                End::At(end) => {
                    self.record(&rest[..end])?;
                    at += end + 1;
                }
                End::Nowhere(refused) => {
                    self.broken_record(&rest[..line_end], refused)?;
                    at += line_end + 1;
                }
                End::Unknown => break,
            }
        }
        Ok(at.min(bytes.len()))
    }

    /// Reads the plain rows from here on, where there may be some; gives the start of the first line
    /// that is anything else.
    fn plain_rows(&mut self, text: &str, at: usize) -> usize {
        let is_plain = self.columns == Some(Columns::OURS)
            && !self.is_in_long_line
            && !self.is_in_broken_record;
        #[cfg(test)]
        let is_plain = is_plain && !self.is_slow;
        if !is_plain {
            return at;
        }
        let Pass { plain, unquoter, visit, line, .. } = self;
        plain.rows(text, at, unquoter, line, *visit)
    }

    /// Files that are no text of ours at all, told apart so that the message can help.
    fn refuse_foreign(&self, bytes: &[u8]) -> Result<(), NotALedger> {
        let reason = match bytes {
            [0x1F, 0x8B, ..] => "it is compressed with gzip: gunzip it first",
            [0x28, 0xB5, 0x2F, 0xFD, ..] => "it is compressed with zstd: unzstd it first",
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "it is UTF-16: save it as UTF-8",
            _ if first_line(bytes).iter().filter(|b| **b == 0).count() >= NULS_MIN => {
                "it is not text"
            }
            _ => return Ok(()),
        };
        Err(NotALedger { line: 1, reason: reason.to_owned() })
    }

    /// Where the record ends that begins these bytes, whose first line holds a quote. However many
    /// bytes are there, it is looked for in as many as a record may have.
    fn record_end(&mut self, bytes: &[u8], line_end: usize, is_end: bool) -> End {
        let window = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
        match record::end(window) {
            Some(Ok(end)) if end == line_end => return End::At(end),
            // A stray quote may find another one far below: several lines must be a row together.
            Some(Ok(end)) => {
                let lines = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
                return match self.read_row(lines) {
                    Ok(_) => End::At(end),
                    Err(refused) => End::Nowhere(refused),
                };
            }
            None if !is_end && window.len() == bytes.len() => return End::Unknown,
            Some(Err(StrayQuote)) | None => {}
        }
        // A stray quote inside one line is the csv crate's to read.
        match record::has_open_quote(&bytes[..line_end]) {
            false => End::At(line_end),
            true => End::Nowhere(Refused::line("a quote that is not closed")),
        }
    }

    fn record(&mut self, record: &[u8]) -> Result<(), NotALedger> {
        let line = self.line;
        self.line += 1 + memchr::memchr_iter(b'\n', record).count() as u64;
        if std::mem::take(&mut self.is_in_long_line) {
            return Ok(());
        }
        if record.last() == Some(&b'\r') {
            self.traits.crlf.get_or_insert((line, 0)).1 += 1;
        }
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        if record.len() > RECORD_BYTES_MAX {
            self.visit.see(line, Item::Bad(too_long()));
            return Ok(());
        }
        if std::mem::take(&mut self.is_in_broken_record)
            && !(begins_row(record) || is_marker(record) || begins_header(record))
        {
            self.is_in_broken_record = true;
            return Ok(());
        }
        if record.trim_ascii().is_empty() {
            self.visit.see(line, Item::Blank);
        } else if is_marker(record) {
            self.visit.see(line, Item::Marker);
        } else if begins_header(record) {
            self.header(line, record);
        } else {
            self.row(line, record);
        }
        self.settle(false)
    }

    /// A record that has no end costs one row: the next line that begins as a row is read again.
    fn broken_record(&mut self, first_line: &[u8], refused: Refused) -> Result<(), NotALedger> {
        if self.columns.is_none() && !begins_row(first_line) {
            self.doubt(self.line, not_a_header(first_line));
        }
        if !self.is_in_broken_record || begins_row(first_line) {
            self.visit.see(self.line, Item::Bad(refused));
        }
        self.is_in_broken_record = true;
        self.line += 1;
        self.settle(false)
    }

    fn header(&mut self, line: u64, record: &[u8]) {
        let item = match Columns::of(record) {
            Ok(columns) => {
                self.traits.has_other_columns |= columns != Columns::OURS;
                self.columns = Some(columns);
                self.doubt = None;
                Item::Header
            }
            Err(reason) => {
                if self.columns.is_none() {
                    self.doubt(line, reason.clone());
                }
                Item::Bad(Refused::line(reason))
            }
        };
        self.visit.see(line, item);
    }

    fn row(&mut self, line: u64, record: &[u8]) {
        let row = parse(&self.columns, self.unquoter, record).and_then(|row| {
            let model = self.plain.names.number(&row.model);
            Ok((row, model.ok_or_else(|| Refused::line("too many models"))?))
        });
        let is_row = row.is_ok();
        match row {
            Ok((row, model)) => {
                let may_have_tags = row.notes.ends_with('}');
                let (ahead, length) = (record, record.len());
                let found = Found { row, model, ahead, length, is_plain: false, may_have_tags };
                self.visit.see(line, Item::Row(&found));
            }
            Err(refused) => self.visit.see(line, Item::Bad(refused)),
        }
        if self.columns.is_some() {
            return;
        }
        if is_row {
            // A flipped bit in the header must not cost the rows below it.
            self.traits.is_headerless = self.doubt.is_none();
            self.columns = Some(Columns::OURS);
            self.doubt = None;
        } else if !begins_row(record) {
            self.doubt(line, not_a_header(record));
        }
    }

    /// Notes that the file may be no ledger; the first reason is the one that is told.
    fn doubt(&mut self, line: u64, reason: String) {
        self.doubt.get_or_insert(NotALedger { line, reason });
        self.doubtful_lines += 1;
    }

    /// Gives up on a file that has shown neither a header nor a row.
    fn settle(&mut self, is_end: bool) -> Result<(), NotALedger> {
        match is_end || self.doubtful_lines > DOUBTFUL_LINES_MAX {
            true => self.doubt.take().map_or(Ok(()), Err),
            false => Ok(()),
        }
    }

    fn finish(mut self, part: Part, is_all_used: bool) -> Result<Scanned, NotALedger> {
        let is_handed_over = is_all_used
            && self.columns == Some(Columns::OURS)
            && !self.is_in_long_line
            && !self.is_in_broken_record;
        self.settle(part.is_last)?;
        Ok(Scanned { traits: self.traits, lines: self.line - 1, is_handed_over })
    }

    fn read_row<'a>(&'a mut self, record: &'a [u8]) -> Result<Row<'a>, Refused> {
        parse(&self.columns, self.unquoter, record)
    }
}

/// As much of the bytes as is text.
fn valid_beginning(bytes: &[u8]) -> &str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// Why a first line is none of ours.
fn not_a_header(line: &[u8]) -> String {
    let found = excerpt(&String::from_utf8_lossy(line));
    match found.contains(';') {
        true => "its columns are separated by semicolons: save it with commas".to_owned(),
        false => format!("it begins with \"{found}\", not with the usage header"),
    }
}

/// The first line, as far as it must be looked at to tell text from other things.
fn first_line(bytes: &[u8]) -> &[u8] {
    let head = &bytes[..bytes.len().min(1024)];
    &head[..memchr::memchr(b'\n', head).unwrap_or(head.len())]
}

fn too_long() -> Refused {
    Refused::line("longer than 64 KiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{COLUMNS, HEADER};
    use proptest::prelude::*;

    /// Every line as `number:what`, as short as can be.
    fn read(bytes: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        let traits = scan(bytes, &mut |line, item| {
            seen.push(match item {
                Item::Row(found) => format!("{line}:{}", found.row.notes),
                Item::Bad(refused) => format!("{line}:! {}", refused.short()),
                Item::Header => format!("{line}:header"),
                Item::Marker => format!("{line}:marker"),
                Item::Blank => format!("{line}:blank"),
            });
        });
        if let Err(refusal) = traits.unwrap() {
            seen.push(format!("{}:refused {}", refusal.line, refusal.reason));
        }
        seen
    }

    fn ledger(lines: &[&str]) -> Vec<u8> {
        format!("{HEADER}\n{}\n", lines.join("\n")).into_bytes()
    }

    const ROW: &str = "2026-02-23T22:19:28Z,m,1,2,true,plan,3,";

    #[test]
    fn rows_are_read_around_whatever_is_not_one() {
        let seen = read(&ledger(&[
            &format!("{ROW}plain"),
            "",
            &format!("{ROW}\"one, \"\"two\"\"\nthree\""),
            "<<<<<<< HEAD",
            &format!("{ROW}ours"),
            "=======",
            &format!("{ROW}theirs"),
            ">>>>>>> topic",
            HEADER,
            "2026-02-23T22:19:28Z,m,1,2,yes,plan,3,",
            "2026-02-23T22:19:28Z,m,1,2,true,plan,3",
            "garbage",
            &format!("{}last", ROW.replace("true", "TRUE")),
        ]));
        assert_eq!(
            seen,
            [
                "1:header",
                "2:plain",
                "3:blank",
                "4:one, \"two\"\nthree",
                "6:marker",
                "7:ours",
                "8:marker",
                "9:theirs",
                "10:marker",
                "11:header",
                "12:! task_success \"yes\"",
                "13:! 7 fields",
                "14:! 1 field",
                "15:last",
            ]
        );
    }

    #[test]
    fn a_stray_quote_costs_one_row() {
        let seen = read(&ledger(&[
            &format!("{ROW}\"oops"),
            "its second line",
            &format!("{ROW}next"),
            &format!("{ROW}\"quoted\""),
            &format!("{ROW}said \"so\" twice"),
        ]));
        let expected = ["1:header", "2:! a quote that is not closed", "4:next", "5:quoted"];
        assert_eq!(seen[..4], expected);
        assert_eq!(seen[4], "6:said \"so\" twice");
    }

    /// Two stray quotes far apart look like one long note.
    #[test]
    fn rows_between_two_stray_quotes_are_read() {
        let seen = read(&ledger(&[
            &format!("{ROW}\"oops"),
            &format!("{ROW}one"),
            &format!("{ROW}two"),
            &format!("{ROW}\", and so on\""),
            &format!("{ROW}three"),
        ]));
        let expected = ["1:header", "2:! 9 fields", "3:one", "4:two", "5:, and so on", "6:three"];
        assert_eq!(seen, expected);
    }

    #[test]
    fn columns_are_found_by_name() {
        let file = "\u{feff}notes,\"model\",extra,timestamp,prompt_tokens,completion_tokens,\
                    task_success,task_type,duration_ms\r\n\
                    hi,m,x,2026-02-23T22:19:28Z,1,2,true,plan,3\r\n";
        assert_eq!(read(file.as_bytes()), ["1:header", "2:hi"]);
    }

    #[test]
    fn a_damaged_header_costs_no_row() {
        for (damaged, line) in [
            (HEADER.replace("model", "mo`el"), "1:! its header lacks the column model"),
            (HEADER.replace("timestamp", "timestamq"), "1:! its header lacks the column timestamp"),
            (HEADER.replace(",task", "\ntask"), "1:! its header lacks the column task_success"),
        ] {
            let seen = read(format!("{damaged}\n{ROW}a\n").as_bytes());
            assert_eq!(seen[0], line);
            assert!(seen.last().unwrap().ends_with(":a"), "{seen:?}");
        }
        let seen = read(format!("{HEADER}?{ROW}a\n{ROW}b\n").as_bytes());
        assert_eq!(seen[1..], ["2:b"]);
    }

    #[test]
    fn what_is_no_ledger_is_refused_by_name() {
        for (bytes, reason) in [
            (&b"\x1f\x8b\x08\0"[..], "1:refused it is compressed with gzip: gunzip it first"),
            (&b"\xff\xfet\0"[..], "1:refused it is UTF-16: save it as UTF-8"),
            (&b"\0\0\0"[..], "1:refused it is not text"),
            (
                &b"a;b\n"[..],
                "1:refused its columns are separated by semicolons: save it with commas",
            ),
            (&b"hello\n"[..], "1:refused it begins with \"hello\", not with the usage header"),
            (&b"timestamp,model\n"[..], "1:refused its header lacks the column prompt_tokens"),
        ] {
            assert_eq!(read(bytes).last().unwrap(), reason);
        }
        assert_eq!(read(b""), [""; 0]);
        assert_eq!(read(format!("{ROW}headerless").as_bytes()), ["1:headerless"]);
    }

    #[test]
    fn a_line_too_long_is_one_bad_row() {
        let just_too_long = format!("{ROW}{}", "x".repeat(RECORD_BYTES_MAX));
        assert_eq!(read(&ledger(&[&just_too_long]))[1], "2:! longer than 64 KiB");
        let long = format!("{ROW}{}", "x".repeat(700_000));
        let quoted = format!("{ROW}\"{}", "x\n".repeat(100_000));
        let seen = read(&ledger(&[&long, &format!("{ROW}a"), &quoted, &format!("{ROW}b")]));
        let expected =
            ["1:header", "2:! longer than 64 KiB", "3:a", "4:! a quote that is not closed"];
        assert_eq!(seen[..4], expected);
        assert_eq!(seen.last().unwrap(), "100005:b");
        assert_eq!(seen.len(), 5);
    }

    /// Pieces of lines, put together by chance: good rows, almost good ones, quotes and line ends.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            ROW,
            "2026-02-23T22:19:28.5+01:00,a-model-with-a-name-of-more-than-32-letters,12345678,0,false,discuss,90,",
            "2026-02-24T02:09:08.123456789Z,n,1,1234567890123456,false,verify,1234567,",
            "2026-02-23t22:19:28z,m,1,2,TRUE,quick,3,",
            "2026-02-30T22:19:28Z,m,1,2,true,plan,3,",
            "2026-02-23T22:19:28Z,m,01,2,true,plan,3,",
            "2026-02-23T22:19:28Z,,1,2,true,plan,3,",
            "2026-02-23T22:19:28Z,\"m\",1,2,true,plan,3,",
            "2026-02-23T22:19:28Z,m m,1,2,true,plans,3,",
            "\n",
            "\n",
            "\n",
            "\r\n",
            ",",
            "\"",
            "\"\"",
            "\"a, b\"",
            "\"a\nb\"",
            "notes ✅",
            "{id=a1}",
        ]);
        let bytes = prop::collection::vec(any::<u8>(), 0..4);
        let piece = prop_oneof![30 => piece.prop_map(|it| it.as_bytes().to_vec()), 1 => bytes];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    /// A reader that gives so many bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let bytes = self.0.len().min(buffer.len()).min(self.1);
            buffer[..bytes].copy_from_slice(&self.0[..bytes]);
            self.0 = &self.0[bytes..];
            Ok(bytes)
        }
    }

    /// What a record of more than 64 KiB is does not depend on how much of it was read at once.
    #[test]
    fn a_long_record_is_the_same_wherever_it_stands() {
        let fakes = format!("{ROW}fake\n").repeat(1_600);
        let expected = ledger(&[&format!("{ROW}\"{fakes}\""), &format!("{ROW}next")]);
        let seen = read(&expected);
        for (rows, bytes) in
            [(0, 1_000), (0, 65_000), (0, 100_000), (400, 1 << 20), (1_500, 1 << 20)]
        {
            let before = format!("{ROW}before\n").repeat(rows);
            let file = [HEADER.as_bytes(), b"\n", before.as_bytes(), &expected[HEADER.len() + 1..]]
                .concat();
            let mut count = 0;
            let visit = &mut |_: u64, item: Item<'_>| {
                count += usize::from(matches!(item, Item::Row(_)));
            };
            scan(Drops(&file, bytes), visit).unwrap().unwrap();
            let rows_seen =
                seen.iter().filter(|it| it.ends_with("fake") || it.ends_with("next")).count();
            assert_eq!(count - rows, rows_seen, "{rows} rows before, {bytes} bytes at a time");
        }
    }

    proptest! {
        /// What the fast way reads, the long way, which is the csv crate's, reads just so.
        #[test]
        fn the_fast_way_agrees_with_the_long_way(pieces in pieces()) {
            let mut file = format!("{HEADER}\n").into_bytes();
            file.extend_from_slice(&pieces);
            let read = |is_slow| {
                let mut scanner = Scanner { is_slow, ..Scanner::default() };
                let mut seen = Vec::new();
                let mut visit = |line, item: Item<'_>| seen.push(match item {
                    Item::Row(found) => {
                        assert!(found.may_have_tags || !found.row.notes.ends_with('}'));
                        (line, format!("{:?} {} {:?}", found.row, found.model, found.bytes()))
                    }
                    other => (line, format!("{other:?}")),
                });
                let scanned = scanner.scan(&file[..], Part::WHOLE, &mut visit).unwrap();
                (seen, scanned)
            };
            prop_assert_eq!(read(false), read(true));
        }

        /// Where the csv crate reads eight fields of well-formed CSV, so do we, and the same ones.
        #[test]
        fn agrees_with_the_csv_crate(notes in prop::collection::vec("[a,\"\n\r ✅;]{0,12}", 0..8)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(COLUMNS).unwrap();
            for notes in &notes {
                let row = ["2026-02-23T22:19:28Z", "m", "1", "2", "true", "plan", "3", notes];
                writer.write_record(row).unwrap();
            }
            let mut seen = Vec::new();
            let bytes = writer.into_inner().unwrap();
            scan(&bytes[..], &mut |_, item| if let Item::Row(found) = item {
                seen.push(found.row.notes.clone().into_owned());
            }).unwrap().unwrap();
            prop_assert_eq!(seen, notes);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut file = ledger(&[ROW]);
            file.extend_from_slice(&bytes);
            let mut first = None;
            let _ = scan(&file[..], &mut |line, item| if line == 2 {
                first = Some(matches!(item, Item::Row(..)));
            });
            prop_assert_eq!(first, Some(true));
        }
    }
}
