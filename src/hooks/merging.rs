//! Exact merging in this clone: lines in its own attributes, and the driver that they name.
//! Neither is committed: a clone without the driver would stop with a conflict.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result, shell_word};
use crate::git;
use crate::hooks::block::{self, Found, MADE};
use crate::hooks::plan::{Mode, Plan, Step};
use crate::hooks::site::Site;
use crate::workspace::FOLDER;

/// The section of the driver.
const SECTION: &str = "merge.log-usage";

/// The driver's command.
pub const DRIVER: &str = "merge.log-usage.driver";

const NAME: &str = "merge.log-usage.name";

/// What people read of the driver.
const ABOUT: &str = "the rows of both sides, each of them once";

/// The lines that give the ledger's files to the driver.
fn attributes(prefix: &[u8]) -> [String; 3] {
    ["usage.csv", "archive/*.csv", "usage.d/*.csv"].map(|files| {
        let mut pattern = b"/".to_vec();
        for byte in prefix {
            // A folder's name is no pattern.
            if b"*?[\\".contains(byte) {
                pattern.push(b'\\');
            }
            pattern.push(*byte);
        }
        pattern.extend(format!("{FOLDER}/{files}").bytes());
        format!("{} merge=log-usage", quoted(&pattern))
    })
}

/// As git writes names that hold more than plain letters.
fn quoted(pattern: &[u8]) -> String {
    if pattern.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"') {
        return String::from_utf8_lossy(pattern).into_owned();
    }
    let byte = |byte: &u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(*byte)),
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\{byte:03o}"),
    };
    format!("\"{}\"", pattern.iter().map(byte).collect::<String>())
}

/// What the driver is called with. Where the program is gone git would keep one side alone and say
/// nothing: then the lines of both are taken, which readers understand as well.
fn driver(program: &str) -> String {
    let program = shell_word(program).replace('%', "%%");
    format!("{program} merge-driver %O %A %B -- %P || git merge-file --union %A %O %B")
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, &error)),
    }
}

/// Plans what makes merging exact here.
///
/// # Errors
/// The attributes cannot be read, or our block in them was cut in half.
pub fn install(site: &Site, program: &str) -> Result<Plan> {
    let mut plan = Plan::default();
    let path = &site.attributes;
    if path.is_symlink() {
        return Err(Error::Hooks {
            problem: format!("{} is a link", site.shown(path)),
            fix: "put the file in its place: this clone's own lines belong there".to_owned(),
        });
    }
    let old = read(path)?;
    let text = old.clone().unwrap_or_default();
    let range = match block::find(&text) {
        Found::None => text.len()..text.len(),
        Found::At(range) => range,
        Found::Damaged => return Err(damaged(site, path)),
    };
    // Other ledgers of this repository may have lines there.
    let ours = String::from_utf8_lossy(&text[range]).into_owned();
    let mut lines: Vec<String> = ours.lines().map(str::to_owned).collect();
    lines.retain(|line| !line.starts_with('#') && !line.is_empty());
    for line in attributes(&site.prefix) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let block = block::framed(&(lines.join("\n") + "\n"));
    let new = match &old {
        None => format!("{block}{MADE}").into_bytes(),
        Some(text) => block::put(text, &block, text.len()),
    };
    let mut steps = Vec::new();
    if old.as_ref() != Some(&new) {
        steps.push(Step::Write(path.clone(), new, Mode::Kept));
    }
    for (name, value) in [(NAME, ABOUT.to_owned()), (DRIVER, driver(program))] {
        if local(site, name).as_ref() != Some(&value) {
            steps.push(Step::Set(name, value));
        }
    }
    if !steps.is_empty() {
        let shown = site.shown(path);
        plan.add(
            steps,
            format!("merging      {shown} and {DRIVER}: branches merge row by row in this clone"),
        );
    }
    Ok(plan)
}

/// Plans to leave merging as it was before us.
///
/// # Errors
/// As [`install`].
pub fn uninstall(site: &Site) -> Result<Plan> {
    let mut plan = Plan::default();
    let path = &site.attributes;
    let mut steps = Vec::new();
    let text = read(path)?.unwrap_or_default();
    if block::find(&text) == Found::Damaged {
        return Err(damaged(site, path));
    }
    if let Some(rest) = block::cut(&text) {
        steps.push(match rest == MADE.as_bytes() {
            true => Step::Remove(path.clone()),
            false => Step::Write(path.clone(), rest, Mode::Kept),
        });
    }
    if [NAME, DRIVER].iter().any(|name| local(site, name).is_some()) {
        steps.push(Step::Forget(SECTION));
    }
    if !steps.is_empty() {
        let shown = site.shown(path);
        plan.add(steps, format!("merging      {shown} and {DRIVER}: as before"));
    }
    Ok(plan)
}

/// Whether our lines stand in the attributes of this clone.
pub fn has_attributes(site: &Site) -> bool {
    let text = fs::read(&site.attributes).unwrap_or_default();
    matches!(block::find(&text), Found::At(_) | Found::Damaged)
}

/// What this clone itself sets under a name.
pub fn local(site: &Site, name: &str) -> Option<String> {
    git::local_setting(&site.top, name)
}

/// The refusal to guess which lines are ours.
pub fn damaged(site: &Site, path: &Path) -> Error {
    Error::Hooks {
        problem: format!("{}: one end of the lines of log-usage is missing", site.shown(path)),
        fix: format!("delete them with what is left of {} and {}", block::BEGIN, block::END),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_name_is_no_pattern() {
        assert_eq!(attributes(b"")[0], "/.telemetry/usage.csv merge=log-usage");
        assert_eq!(attributes(b"a/b/")[1], "/a/b/.telemetry/archive/*.csv merge=log-usage");
        assert_eq!(attributes(b"a*[b]/")[0], "/a\\*\\[b]/.telemetry/usage.csv merge=log-usage");
        assert_eq!(
            attributes(b"my \"a?\"\xff/")[2],
            "\"/my \\\"a\\\\?\\\"\\377/.telemetry/usage.d/*.csv\" merge=log-usage"
        );
    }

    #[test]
    fn the_drivers_program_is_one_word() {
        assert!(driver("log-usage").starts_with("log-usage merge-driver %O %A %B -- %P || git"));
        assert!(driver("/50% off/log-usage").starts_with("'/50%% off/log-usage' merge-driver %O"));
    }
}
