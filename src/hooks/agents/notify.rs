//! Our entry in Codex's `config.toml`: the one program that it notifies of each turn.

use toml::{Table, Value};

use crate::hooks::agents::change::{Change, MEND, Trouble};

const MINE: [&str; 2] = ["hook", "codex"];

/// The settings with our entry; it stands first, for it belongs to no table.
///
/// # Errors
/// They are broken, or Codex notifies another program.
pub fn install(text: &str, program: &str) -> Result<Change, Trouble> {
    let settings = parse(text)?;
    match settings.get("notify") {
        Some(value) if ours(value).is_some() => Ok(Change::None),
        Some(_) => Err(Trouble {
            line: None,
            problem: "notify names another program, and Codex notifies one alone".to_owned(),
            fix: "let that program run log-usage hook codex with its last argument, or use the \
                  project's hooks: log-usage hooks install --agent codex",
        }),
        None => {
            let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            let words =
                [program, MINE[0], MINE[1]].map(|word| serde_json::Value::from(word).to_string());
            let line = format!("notify = [{}]{line_end}", words.join(", "));
            let (mark, rest) = text.split_at(if text.starts_with('\u{feff}') { 3 } else { 0 });
            Ok(Change::Write(format!("{mark}{line}{rest}")))
        }
    }
}

/// The settings without our entry.
///
/// # Errors
/// They are broken, or our entry is not in the form that we gave it.
pub fn uninstall(text: &str) -> Result<Change, Trouble> {
    if command(text)?.is_none() {
        return Ok(Change::None);
    }
    let is_ours = |line: &&str| {
        let table = line.trim_start_matches('\u{feff}').parse::<Table>().ok();
        table.as_ref().and_then(|table| table.get("notify")).is_some_and(|it| ours(it).is_some())
    };
    let Some(line) = text.split_inclusive('\n').find(is_ours) else {
        return Err(Trouble {
            line: None,
            problem: "notify calls log-usage, but not in a line of its own".to_owned(),
            fix: "take notify out by hand",
        });
    };
    let line = line.trim_start_matches('\u{feff}');
    let rest = text.replacen(line, "", 1);
    Ok(if rest.is_empty() { Change::Remove } else { Change::Write(rest) })
}

/// The command that Codex notifies, if it is ours.
///
/// # Errors
/// The settings are broken.
pub fn command(text: &str) -> Result<Option<String>, Trouble> {
    let settings = parse(text)?;
    Ok(settings.get("notify").and_then(ours).map(str::to_owned))
}

fn parse(text: &str) -> Result<Table, Trouble> {
    text.trim_start_matches('\u{feff}').parse::<Table>().map_err(|error| {
        let before = error.span().map(|it| text.get(..it.start).unwrap_or_default());
        Trouble {
            line: before.map(|it| it.matches('\n').count() + 1),
            problem: error.message().to_owned(),
            fix: MEND,
        }
    })
}

/// The program, if these words call ours.
fn ours(value: &Value) -> Option<&str> {
    let words: Vec<&str> = value.as_array()?.iter().filter_map(Value::as_str).collect();
    let at = words.windows(MINE.len()).position(|it| it == MINE)?;
    words[..at].last().copied().filter(|it| it.trim_end_matches(".exe").ends_with("log-usage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_comes_and_goes() {
        for text in ["", "# mine\nmodel = \"gpt\"\n\n[tools]\nnotify = 1\n", "a = 1\r\n[b]\r\n"] {
            let Ok(Change::Write(new)) = install(text, "/a \"b\"/log-usage") else { panic!() };
            assert_eq!(command(&new).unwrap().as_deref(), Some("/a \"b\"/log-usage"));
            assert_eq!(install(&new, "log-usage"), Ok(Change::None));
            match uninstall(&new).unwrap() {
                Change::Remove => assert_eq!(text, ""),
                back => assert_eq!(back, Change::Write(text.to_owned())),
            }
        }
    }

    #[test]
    fn what_is_of_others_stays() {
        assert!(install("notify = [\"say\"]\n", "log-usage").is_err());
        assert_eq!(uninstall("notify = [\"say\"]\n"), Ok(Change::None));
        assert!(uninstall("notify = [\n\"log-usage\",\n\"hook\", \"codex\"]\n").is_err());
        assert_eq!(install("a = 1\nb =\n", "x").unwrap_err().line, Some(2));
    }
}
