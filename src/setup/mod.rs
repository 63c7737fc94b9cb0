//! The folder `.telemetry/` itself: what stands in it besides the ledger. Nothing that is there is
//! ever changed.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{Error, Result, shown};
use crate::git::WorkTree;
use crate::git::exclude;
use crate::privacy::identity::RepoId;
use crate::workspace::{Config, FOLDER, Layout, Place};

/// What stays on this machine, as `.telemetry/.gitignore` tells git.
const IGNORED: &str = include_str!("gitignore.txt");

/// What git must know before the first row: which files are rows to be merged, and which stay local.
const FOR_GIT: [(&str, &str); 2] =
    [(".gitattributes", include_str!("gitattributes.txt")), (".gitignore", IGNORED)];

/// What the repository's own list says of our rules in it.
const WHY: &str =
    "What log-usage keeps on this machine, whatever .telemetry/.gitignore a branch has.";

/// What people must know.
const FOR_PEOPLE: [(&str, &str); 2] =
    [("README.md", include_str!("readme.md")), ("config.toml", include_str!("config.toml"))];

/// Makes the ledger's folder where it is missing, and in a `.telemetry` what git needs. A folder
/// named by hand must exist: a mistyped one is better refused than made.
pub fn prepare(place: &Place, may_create: bool) -> Result<()> {
    let folder = place.folder();
    if !folder.is_dir() {
        if !may_create {
            return Err(Error::NoFolder { path: folder.to_owned() });
        }
        make_folder(folder)?;
        // The folder's own name must be on the disk before a row in it can be.
        if let Some(parent) = folder.parent().filter(|_| !cfg!(windows)) {
            let synced = File::open(parent).and_then(|parent| parent.sync_all());
            synced.map_err(|error| Error::io("sync", parent, &error))?;
        }
    }
    if let Some(parent) = place.active().parent().filter(|parent| *parent != folder) {
        make_folder(parent)?;
    }
    if folder.file_name().is_some_and(|name| name == FOLDER) {
        lay_down(folder, &FOR_GIT)?;
    }
    Ok(())
}

/// Tells git to leave alone what stays on this machine on every branch, those too that have no
/// `.gitignore` of ours.
///
/// # Errors
/// The repository's list cannot be read or written.
pub fn hide(tree: &WorkTree) -> Result<()> {
    let shared = tree.shared();
    exclude::add(&shared, WHY, &hidden())
        .map_err(|error| Error::io("write", &exclude::path(&shared), &error))
}

/// Whether git was told.
pub fn is_hidden(tree: &WorkTree) -> bool {
    exclude::has_all(&tree.shared(), &hidden())
}

/// The lines of `.gitignore` as rules of the repository's own list, whose place is its top folder.
fn hidden() -> Vec<String> {
    let rules = IGNORED.lines().filter(|line| !line.starts_with('#'));
    let rule = |rule: &str| match rule.strip_prefix('/') {
        Some(here) => format!("**/{FOLDER}/{here}"),
        None => format!("**/{FOLDER}/**/{rule}"),
    };
    rules.map(rule).collect()
}

/// Lays down the whole folder; gives the names of the files that were missing.
pub fn init(place: &Place) -> Result<Vec<&'static str>> {
    make_folder(place.folder())?;
    let mut made = lay_down(place.folder(), &FOR_PEOPLE)?;
    made.extend(lay_down(place.folder(), &FOR_GIT)?);
    Ok(made)
}

/// Sets the layout in the settings, and leaves every other line of them as it is; whether they changed.
pub fn choose(place: &Place, layout: Layout) -> Result<bool> {
    let path = place.config();
    let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
    let chosen = with(&text, "layout", layout.name());
    if chosen == text {
        return Ok(false);
    }
    write(&path, &chosen).map(|()| true)
}

/// Rules to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What may be spent.
    Budget,
    /// How many tasks must succeed.
    Quality,
    /// How long they may take.
    Latency,
}

impl Profile {
    /// All of them, each with its name.
    pub const ALL: [(&'static str, Profile); 3] =
        [("budget", Profile::Budget), ("quality", Profile::Quality), ("latency", Profile::Latency)];

    fn text(self) -> &'static str {
        match self {
            Profile::Budget => include_str!("alerts/budget.toml"),
            Profile::Quality => include_str!("alerts/quality.toml"),
            Profile::Latency => include_str!("alerts/latency.toml"),
        }
    }
}

/// Adds the rules of a profile to the settings, at their end, but for those whose name stands there
/// already; gives the names of what was added. Every other line stays as it is.
///
/// # Errors
/// Settings that cannot be read, or to which nothing can be added without changing what they say.
pub fn watch(place: &Place, profile: Profile) -> Result<Vec<String>> {
    let path = place.config();
    let old = Config::load(place)?;
    let mut text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut added = Vec::new();
    let ours = Config::parse(profile.text(), &path)?.alerts;
    let pieces = profile.text().trim_end().split("\n\n");
    for (rule, piece) in ours.iter().zip(pieces) {
        if old.alerts.iter().any(|it| it.name == rule.name) {
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text += end;
        }
        text += end;
        piece.lines().for_each(|line| text += &format!("{line}{end}"));
        added.push(rule.name.clone());
    }
    if added.is_empty() {
        return Ok(added);
    }
    let mut expected = old;
    expected.alerts.extend(ours.into_iter().filter(|it| added.contains(&it.name)));
    // Only rules may have been added, whatever the file is made of.
    if !Config::parse(&text, &path).is_ok_and(|new| new == expected) {
        return Err(Error::Usage {
            problem: format!("{}: no alerts can be added at its end", shown(&path)),
            fix: "put them there by hand: docs/alerts.md shows them".to_owned(),
        });
    }
    write(&path, &text)?;
    Ok(added)
}

/// The id of the repository: the one in its settings, else this one, which is written into them. Every
/// other line of them stays as it is.
///
/// # Errors
/// Settings that cannot be read, or in which no line can be added without changing what they say.
pub fn identify(place: &Place, id: RepoId) -> Result<RepoId> {
    let old = Config::load(place)?;
    if let Some(id) = old.repo_id {
        return Ok(id);
    }
    prepare(place, true)?;
    lay_down(place.folder(), &FOR_PEOPLE[1..])?;
    let path = place.config();
    let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
    let text = with(&text, "repo_id", &id.to_string());
    // Only its own line may have changed, whatever the file is made of.
    if !Config::parse(&text, &path).is_ok_and(|new| new == Config { repo_id: Some(id), ..old }) {
        return Err(Error::Usage {
            problem: format!("{}: its id cannot be added", shown(&path)),
            fix: format!("put it there by hand, before the first table: repo_id = \"{id}\""),
        });
    }
    write(&path, &text)?;
    Ok(id)
}

/// The text with this setting in its own line: where it stands already, or is offered, else first. What
/// stands before the first table is no table's.
fn with(text: &str, key: &str, value: &str) -> String {
    let offer = format!("# {key} = ");
    let is_setting = |line: &str| line.split('=').next().is_some_and(|it| it.trim() == key);
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let at = lines.iter().position(|line| is_setting(line));
    let at = at.or_else(|| lines.iter().position(|line| line.starts_with(&offer)));
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let ours = format!("{key} = \"{value}\"{end}");
    match at {
        Some(at) => lines[at] = &ours,
        None => lines.insert(0, &ours),
    }
    lines.concat()
}

/// Puts the text in the file's place, whole or not at all; the file keeps its mode, and a link to it
/// stays one.
fn write(path: &Path, text: &str) -> Result<()> {
    let written = fs::canonicalize(path).and_then(|file| {
        let folder = file.parent().unwrap_or(Path::new("."));
        // As git is told to ignore it.
        let mut temp = tempfile::Builder::new().prefix(".config.toml.tmp.").tempfile_in(folder)?;
        temp.write_all(text.as_bytes())?;
        temp.as_file().set_permissions(fs::metadata(&file)?.permissions())?;
        temp.as_file().sync_all()?;
        temp.persist(&file).map_err(|error| error.error)
    });
    written.map(drop).map_err(|error| Error::io("write", path, &error))
}

fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::io("make the folder", folder, &error))
}

fn lay_down(folder: &Path, files: &[(&'static str, &'static str)]) -> Result<Vec<&'static str>> {
    let mut made = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => made.push(*name),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("write", &path, &error)),
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(settings: &str) -> (tempfile::TempDir, Place) {
        let root = tempfile::tempdir().unwrap();
        let place = Place::in_repository(root.path());
        fs::create_dir(place.folder()).unwrap();
        fs::write(place.config(), settings).unwrap();
        (root, place)
    }

    const ID: RepoId = RepoId::of([7; 16]);
    const LINE: &str = "repo_id = \"07070707070707070707070707070707\"";

    #[test]
    fn an_id_is_added_and_nothing_else_changes() {
        for (settings, expected) in [
            ("", format!("{LINE}\n")),
            (
                "# ours\nmax_size = \"1M\" # small",
                format!("{LINE}\n# ours\nmax_size = \"1M\" # small"),
            ),
            ("# a\r\n# repo_id = \"\"\r\n\r\n", format!("# a\r\n{LINE}\r\n\r\n")),
            ("[redact]\nallow = []\n", format!("{LINE}\n[redact]\nallow = []\n")),
        ] {
            let (_root, place) = repository(settings);
            assert_eq!(identify(&place, ID).unwrap(), ID);
            assert_eq!(fs::read_to_string(place.config()).unwrap(), expected);
            // Who comes later finds it there.
            assert_eq!(identify(&place, RepoId::of([8; 16])).unwrap(), ID);
            assert_eq!(fs::read_to_string(place.config()).unwrap(), expected);
        }
    }

    #[test]
    fn settings_that_would_change_their_meaning_stay() {
        let (_root, place) = repository("[redact]\nallow = [\n# repo_id = \n]\n");
        let before = fs::read(place.config()).unwrap();
        let error = identify(&place, ID).unwrap_err().to_string();
        assert!(error.contains(LINE), "{error}");
        assert_eq!(fs::read(place.config()).unwrap(), before);
        let (_root, place) = repository("max_size = 1\n");
        assert!(identify(&place, ID).unwrap_err().to_string().contains("config.toml:1"));
    }

    #[test]
    fn a_repository_without_settings_gets_those_that_explain_themselves() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::in_repository(root.path());
        identify(&place, ID).unwrap();
        let text = fs::read_to_string(place.config()).unwrap();
        assert!(text.contains(LINE) && text.contains("# layout = "), "{text}");
        assert_eq!(text.lines().count(), include_str!("config.toml").lines().count());
        assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 3);
    }
}
