//! Is every line of every file as the writer would have written it? Findings, each with its file
//! and line; nothing is changed.

use std::io::{self, Read};

use hashbrown::HashMap;

use crate::error::printable;
use crate::ledger::distinct::{is_revision, line_bits};
use crate::ledger::files::Role;
use crate::ledger::gzip;
use crate::ledger::scan::{self, Item};
use crate::notes::Tags;
use crate::notes::line::{clean, is_formula};
use crate::row::{NOTES_BYTES_MAX, Row};
use crate::timestamp::{Instant, Timestamp};

/// Something that is not as we would have written it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// Which file, by its place in the order of reading.
    file: usize,
    /// Its line, the first being 1.
    line: u64,
    what: String,
}

/// Faults of style, which a spreadsheet or a merge puts on many lines at once: each is named at its
/// first line, with a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Style {
    Order,
    Crlf,
    Blank,
    Written,
}

impl Style {
    fn words(self) -> &'static str {
        match self {
            Style::Order => "is earlier than a row before it",
            Style::Crlf => "ends in CRLF",
            Style::Blank => "is blank",
            Style::Written => "is quoted or written otherwise than log-usage does",
        }
    }
}

/// What is known of all files read so far.
#[derive(Default)]
pub struct Verifier {
    findings: Vec<Finding>,
    labels: Vec<String>,
    /// Where each row was first seen, by what makes it the same row.
    seen: HashMap<(Instant, u128), (usize, u64)>,
    rows: u64,
    /// Rows that stand in a file before, too.
    shared: u64,
    /// How many notes a spreadsheet would run as formulas, and where the first is.
    formulas: (u64, Option<(usize, u64)>),
    /// The newest moment of the files before, and which file holds it.
    newest: Option<(Instant, usize)>,
}

impl Verifier {
    /// Reads one file.
    ///
    /// # Errors
    /// The reader's own.
    pub fn read(&mut self, label: &str, role: Role, input: impl Read) -> io::Result<()> {
        let mut page = Page::default();
        let file = self.labels.len();
        self.labels.push(printable(label));
        let scanned = scan::scan(input, &mut |line, item| match item {
            Item::Row(found) => {
                let row = &found.row;
                self.rows += 1;
                page.row(line, row, found.bytes());
                if is_formula(&row.notes) {
                    self.formulas.0 += 1;
                    self.formulas.1.get_or_insert((file, line));
                }
                if let Some(first) = self.first_seen(row, (file, line)) {
                    self.shared += u64::from(first.0 != file);
                    page.find(line, format!("repeats {}", self.place(first, file)));
                }
            }
            Item::Bad(refused) => {
                page.last_bad = Some(line);
                page.find(line, format!("cannot be read: {refused}"));
            }
            Item::Header if page.has_header => page.find(line, "repeats the header".to_owned()),
            Item::Header => page.has_header = true,
            Item::Marker => page.find(line, "is a marker of a merge conflict".to_owned()),
            Item::Blank => page.note(line, Style::Blank),
        });
        let scanned = match scanned {
            // What a compressed file says of itself; the system has other words.
            Err(error) if gzip::is_damage(&error) => {
                page.damage = Some(error.to_string());
                Ok(scan::Traits::default())
            }
            scanned => scanned?,
        };
        // Fragments of different branches stand side by side.
        let is_in_line = role != Role::Fragment;
        let overlap = self
            .newest
            .filter(|_| is_in_line)
            .zip(page.oldest)
            .filter(|((newest, _), (oldest, _))| oldest < newest);
        if let Some(((_, other), (_, line))) = overlap {
            page.find(line, format!("is earlier than the last row of {}", self.labels[other]));
        }
        let newest = page.newest.filter(|_| is_in_line).map(|newest| (newest, file));
        self.newest = self.newest.max(newest);
        match scanned {
            Ok(traits) => page.finish(&traits, role),
            Err(refusal) => page.find(refusal.line, refusal.reason),
        }
        let found = page.found.into_iter();
        self.findings.extend(found.map(|(line, what)| Finding { file, line, what }));
        Ok(())
    }

    /// What is no fault of the ledger, but good to know before a spreadsheet opens it.
    pub fn note(&self) -> Option<String> {
        let (notes, first) = self.formulas;
        let (file, line) = first?;
        let noun = if notes == 1 { "row has" } else { "rows have" };
        Some(format!(
            "{notes} {noun} notes that begin as formulas do (the first: {}:{line}): import that \
             column of a spreadsheet as text",
            self.labels[file]
        ))
    }

    /// How many rows stand in more than one file.
    pub fn shared(&self) -> u64 {
        self.shared
    }

    /// Where the same row was seen before, if it was.
    fn first_seen(&mut self, row: &Row<'_>, here: (usize, u64)) -> Option<(usize, u64)> {
        // An amended or refreshed row has the same identity, but is another line: that is no fault.
        let key = (row.at.instant(), line_bits(&row.to_line()));
        let first = *self.seen.entry(key).or_insert(here);
        (first != here).then_some(first)
    }

    fn place(&self, (file, line): (usize, u64), here: usize) -> String {
        if file == here { format!("line {line}") } else { format!("{}:{line}", self.labels[file]) }
    }

    /// All findings as `file:line: what`, in the order of files and lines; and how many rows and
    /// files were read.
    pub fn finish(mut self) -> (Vec<String>, u64, usize) {
        self.findings.sort();
        let labels = &self.labels;
        let text = |it: &Finding| format!("{}:{}: {}", labels[it.file], it.line, it.what);
        (self.findings.iter().map(text).collect(), self.rows, labels.len())
    }
}

/// What is found in one file.
#[derive(Default)]
struct Page {
    found: Vec<(u64, String)>,
    styles: HashMap<Style, (u64, u64)>,
    newest: Option<Instant>,
    /// The earliest row, and its line.
    oldest: Option<(Instant, u64)>,
    has_header: bool,
    last_bad: Option<u64>,
    /// Why the rest of it cannot be read.
    damage: Option<String>,
}

impl Page {
    fn find(&mut self, line: u64, what: String) {
        self.found.push((line, what));
    }

    fn note(&mut self, line: u64, style: Style) {
        self.styles.entry(style).or_insert((line, 0)).1 += 1;
    }

    fn row(&mut self, line: u64, row: &Row<'_>, raw: &[u8]) {
        let at = row.at.instant();
        let is_early = self.newest.is_some_and(|newest| at < newest);
        let is_first = self.oldest.is_none_or(|(oldest, _)| at < oldest);
        // A correction has the time of the row that it corrects, wherever it was made.
        if !(is_early || is_first) || !is_revision(row) {
            if is_early {
                self.note(line, Style::Order);
            }
            self.newest = self.newest.max(Some(at));
            if is_first {
                self.oldest = Some((at, line));
            }
        }
        match contract_breach(row) {
            Some(what) => self.find(line, what),
            None if row.to_line().as_bytes() != raw => self.note(line, Style::Written),
            None => {}
        }
    }

    fn finish(&mut self, traits: &scan::Traits, role: Role) {
        if let Some(damage) = self.damage.take() {
            return self.find(1, format!("begins a file that is damaged: {damage}"));
        }
        if let Some(line) = traits.unfinished {
            let is_torn = self.last_bad == Some(line) && role == Role::Active;
            match self.found.last_mut().filter(|_| is_torn) {
                Some((_, what)) => *what = "is torn: a writer died here".to_owned(),
                None => self.find(line, "lacks its line end".to_owned()),
            }
        }
        if traits.has_bom {
            self.find(1, "begins with a byte order mark".to_owned());
        }
        if !self.has_header && !traits.is_headerless && self.found.is_empty() {
            self.find(1, "has no header".to_owned());
        }
        if traits.is_headerless {
            self.find(1, "is not the header".to_owned());
        }
        if traits.has_other_columns {
            self.find(1, "has other columns than the ledger's, or another order".to_owned());
        }
        let crlf = traits.crlf.map(|lines| (Style::Crlf, lines));
        for (style, (line, lines)) in std::mem::take(&mut self.styles).into_iter().chain(crlf) {
            let more = match lines {
                1 => String::new(),
                lines => format!(" ({lines} such lines)"),
            };
            self.find(line, format!("{}{more}", style.words()));
        }
    }
}

/// What readers take as it is, and the writer would have refused.
fn contract_breach(row: &Row<'_>) -> Option<String> {
    let text = &row.notes;
    if Timestamp::parse(&row.stamp).is_none() {
        return Some("timestamp: is written in lower case".to_owned());
    }
    if text.contains(['\n', '\r']) {
        return Some("notes: are of several lines, which merges tear apart".to_owned());
    }
    if text.len() > NOTES_BYTES_MAX {
        return Some(format!("notes: are {} bytes, more than 4096", text.len()));
    }
    if clean(text) != text.as_ref() {
        return Some("notes: hold characters that log-usage takes out".to_owned());
    }
    let cached = Tags::of(text).count("cache_read")?;
    (cached > row.prompt_tokens)
        .then(|| "notes: cache_read is more than prompt_tokens, which include it".to_owned())
}
