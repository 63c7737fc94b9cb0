//! A check → annotations of a build: workflow commands, in which no text of the ledger is one.

use crate::alert::severity::Severity;
use crate::error::printable;
use crate::render::alert::page::Page;
use crate::render::alert::sentences;
use crate::report::alert::finding::{Finding, State};

/// How the whole is, and a line for each alert.
pub fn render(page: &Page<'_>) -> String {
    let mut out = format!("{}\n", sentences::health(page.check));
    page.check.findings.iter().for_each(|it| out += &annotation(it));
    for note in sentences::changing(page) {
        out += &format!("::notice title=usage-report check::{}\n", data(&note));
    }
    out
}

fn annotation(it: &Finding) -> String {
    let command = match (it.state, it.severity) {
        (State::Acknowledged | State::Resolved, _) | (_, Severity::Info) => "notice",
        (State::Firing, Severity::Warning) => "warning",
        (State::Firing, Severity::Error | Severity::Critical) => "error",
    };
    let series = it.series.as_ref().map(|it| format!(", {it}")).unwrap_or_default();
    let title = format!("{}{series} ({})", it.name, it.severity.name());
    let id = it.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    let text = format!("{}; {}{id}, since {}", it.evidence, it.state.name(), it.since);
    format!("::{command} title={}::{}\n", property(&title), data(&text))
}

/// What stands behind the second pair of colons.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    printable(&text)
}

/// What stands before it, where colons and commas end something.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_or_begins_a_command() {
        let hostile = "x\n::error::y,z: 100%\r\u{1b}[31m";
        assert_eq!(property(hostile), "x%0A%3A%3Aerror%3A%3Ay%2Cz%3A 100%25%0D\u{FFFD}[31m");
        assert_eq!(data(hostile), "x%0A::error::y,z: 100%25%0D\u{FFFD}[31m");
    }
}
