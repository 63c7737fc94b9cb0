//! What people did about alerts: one act ⇄ one line of `alerts.csv`.

use std::collections::BTreeSet;

use crate::record::Unquoter;
use crate::row::line_hash;
use crate::timestamp::Timestamp;

/// The first line of the file.
pub const HEADER: &str = "timestamp,alert,action,user,note";

/// The columns, in the order in which they are written.
const COLUMNS: [&str; 5] = ["timestamp", "alert", "action", "user", "note"];

/// So many hex digits tell alerts apart.
pub const ID_CHARS: usize = 12;

/// A note says why, and is no report.
pub const NOTE_BYTES_MAX: usize = 1_024;

/// No line of ours is longer: what is, is none.
pub const LINE_BYTES_MAX: usize = 4_096;

/// How often a reader names what it cannot read.
const BAD_NAMED_MAX: usize = 100;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Somebody looks after it.
    Ack,
    /// It is over, whatever the figures say.
    Resolve,
    /// Neither of these any more.
    Reopen,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 3] = [Action::Ack, Action::Resolve, Action::Reopen];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Ack => "ack",
            Action::Resolve => "resolve",
            Action::Reopen => "reopen",
        }
    }

    /// The action of that name.
    pub fn parse(text: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|it| it.name() == text)
    }
}

/// One act.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// The alert's id.
    pub alert: String,
    /// What was done.
    pub action: Action,
    /// The pseudonym of who did it; empty unless identity is allowed.
    pub user: String,
    /// Why; may be empty.
    pub note: String,
}

impl Act {
    /// The line, without its line end.
    pub fn to_line(&self) -> String {
        let Act { at, alert, action, user, note } = self;
        let at = at.to_string();
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory cannot fail.
        let _ = writer.write_record([&at, alert, action.name(), user, note]);
        let line = String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default();
        line.trim_end_matches('\n').to_owned()
    }
}

/// Whether a text is an alert's id.
pub fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// An alert's id: the same in every clone that has the same rule, series and first window.
pub fn id_of(parts: &[&str]) -> String {
    line_hash(parts.join("\0").as_bytes(), ID_CHARS / 2)
}

/// Everything that a file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acts {
    /// In order of time, each once.
    pub acts: Vec<Act>,
    /// How many lines cannot be read.
    pub unreadable: u64,
    /// The first of them: their number, the first being 1, and what is wrong.
    pub bad: Vec<(u64, String)>,
}

impl Acts {
    /// Reads a file, in whatever state merges and editors left it.
    pub fn read(text: &str) -> Acts {
        let mut all = Acts::default();
        let mut unquoter = Unquoter::default();
        let mut columns: [Option<usize>; COLUMNS.len()] = std::array::from_fn(Some);
        let mut seen = BTreeSet::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in (1..).zip(text.split('\n')) {
            let line = line.trim_end_matches('\r');
            let is_marker = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];
            if line.trim().is_empty() || is_marker.iter().any(|it| line.starts_with(it)) {
                continue;
            }
            let fields = (line.len() <= LINE_BYTES_MAX).then(|| unquoter.fields(line)).flatten();
            let fields: Vec<String> = fields.into_iter().flatten().map(str::to_owned).collect();
            if fields.iter().any(|it| it == COLUMNS[0]) {
                columns = COLUMNS.map(|name| fields.iter().position(|it| it == name));
                continue;
            }
            let field = |column: usize| {
                let at = columns[column];
                at.and_then(|at| fields.get(at)).map_or("", |it| it.trim())
            };
            let act = || -> Result<Act, &'static str> {
                Ok(Act {
                    at: Timestamp::parse_liberally(field(0)).ok_or("timestamp is not RFC 3339")?,
                    alert: Some(field(1))
                        .filter(|it| is_id(it))
                        .ok_or("alert is not 12 hex digits")?
                        .to_owned(),
                    action: Action::parse(field(2))
                        .ok_or("action is not ack, resolve or reopen")?,
                    user: field(3).to_owned(),
                    note: field(4).to_owned(),
                })
            };
            match act() {
                Ok(act) if seen.insert(act.to_line()) => all.acts.push(act),
                Ok(_) => {}
                Err(why) => {
                    all.unreadable += 1;
                    if all.bad.len() < BAD_NAMED_MAX {
                        all.bad.push((number, why.to_owned()));
                    }
                }
            }
        }
        // Whatever order a merge brought them in.
        all.acts.sort_by_cached_key(|act| (act.at.instant(), act.action, act.to_line()));
        all
    }

    /// What was done about one alert, in order.
    pub fn of(&self, id: &str) -> impl Iterator<Item = &Act> {
        self.acts.iter().filter(move |act| act.alert == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACK: &str = "2026-11-20T10:00:00Z,0123456789ab,ack,,\"looked, it was the batch\"";

    #[test]
    fn a_line_is_read_back() {
        let acts = Acts::read(&format!("{HEADER}\n{ACK}\n"));
        assert_eq!((acts.acts.len(), acts.unreadable), (1, 0));
        assert_eq!(acts.acts[0].to_line(), ACK);
        assert_eq!(acts.acts[0].note, "looked, it was the batch");
    }

    /// A conflict left in, lines twice and in any order, other line ends, columns of a later program.
    #[test]
    fn readers_are_liberal() {
        let resolve = "2026-11-20T10:00:01Z,0123456789ab,resolve,,";
        let text = format!(
            "\u{feff}{HEADER}\r\n<<<<<<< ours\n{resolve}\n=======\n{ACK}\r\n{ACK}\n>>>>>>> theirs\n\
             {HEADER}\n\nnonsense\n2026-11-20T10:00:00Z,0123456789AB,ack,,\n"
        );
        let acts = Acts::read(&text);
        assert_eq!(
            acts.acts.iter().map(|it| it.action).collect::<Vec<_>>(),
            [Action::Ack, Action::Resolve]
        );
        assert_eq!((acts.unreadable, acts.bad[0].0), (2, 10));
        let other =
            "note,action,colour,alert,timestamp\nwhy,ack,red,0123456789ab,2026-11-20T10:00:00Z\n";
        let acts = Acts::read(other);
        assert_eq!((acts.acts[0].note.as_str(), acts.acts[0].user.as_str()), ("why", ""));
    }

    #[test]
    fn an_id_is_of_all_its_parts() {
        let id = id_of(&["a", "b"]);
        assert!(is_id(&id));
        assert_ne!(id, id_of(&["ab", ""]));
        assert_eq!(id, id_of(&["a", "b"]));
    }
}
