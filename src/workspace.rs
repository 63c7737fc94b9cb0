//! Where things are: the root of the repository, the path of everything in `.telemetry/`, and the
//! settings in its `config.toml`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::alert::rule::{self, Entry, Rule};
use crate::error::{Error, Result};
use crate::privacy::capture;
use crate::privacy::consent::Ceiling;
use crate::privacy::identity::RepoId;
use crate::redact::Allowed;
use crate::wording;

/// The folder of the ledger, at the root of the repository.
pub const FOLDER: &str = ".telemetry";

/// The active segment's name.
pub const LEDGER: &str = "usage.csv";

/// The name of the file that says what people did about alerts.
pub const ALERTS: &str = "alerts.csv";

/// The name of the file that events are appended to.
pub const EVENTS: &str = "events.jsonl";

/// Rotation at 10 MiB unless told otherwise: what a spreadsheet still opens without pain.
pub const MAX_SIZE: u64 = 10 << 20;

/// The nearest folder, from `start` upwards, that holds `.telemetry/` or `.git`; else `start`.
/// Folders above one that belongs to somebody else are not looked at.
///
/// # Errors
/// A folder that cannot be looked at: its ledger may be there, and another would be begun beside it.
pub fn find_root(start: &Path) -> Result<PathBuf> {
    let owner = owner(start);
    for folder in start.ancestors() {
        if folder != start && self::owner(folder) != owner {
            break;
        }
        if is_there(&folder.join(FOLDER))?.is_some_and(|meta| meta.is_dir())
            || is_there(&folder.join(".git"))?.is_some()
        {
            return Ok(folder.to_owned());
        }
    }
    match start.ancestors().find(|folder| is_bare(folder)) {
        Some(bare) => Err(Error::BareRepository { path: bare.to_owned() }),
        None => Ok(start.to_owned()),
    }
}

/// Whether git would take the folder for a repository without a work tree.
fn is_bare(folder: &Path) -> bool {
    folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir()
}

fn is_there(path: &Path) -> Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) => match error.kind() {
            // A folder that may not be looked into belongs to somebody else.
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied => {
                Ok(None)
            }
            _ => Err(Error::io("look at", path, &error)),
        },
    }
}

#[cfg(unix)]
fn owner(folder: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).ok().map(|meta| meta.uid())
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Option<u32> {
    None
}

/// The paths of one ledger, all derived from its active segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
    name: OsString,
    /// The name of the fragment that is appended to instead of the active segment.
    fragment: Option<String>,
    holds: Holds,
}

/// What a place's files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Rows,
    Events,
}

impl Place {
    /// The ledger of the repository at `root`.
    pub fn in_repository(root: &Path) -> Place {
        Place::named(&root.join(FOLDER), LEDGER)
    }

    /// The ledger whose active segment is `file`; None where the path names no file.
    pub fn of_file(file: &Path) -> Option<Place> {
        let name = file.file_name()?.to_owned();
        let folder = match file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Some(Place { folder, name, fragment: None, holds: Holds::Rows })
    }

    /// What is kept in a file of that name.
    pub fn named(folder: &Path, name: &str) -> Place {
        let (folder, name) = (folder.to_owned(), name.into());
        Place { folder, name, fragment: None, holds: Holds::Rows }
    }

    /// What is kept in a file of that name beside this ledger.
    pub fn beside(&self, name: &str) -> Place {
        Place::named(&self.folder, name)
    }

    /// The events beside this ledger.
    pub fn events(&self) -> Place {
        Place { holds: Holds::Events, ..self.beside(EVENTS) }
    }

    /// The same ledger by the path of the file itself: a link is followed once, so that everybody
    /// who comes to it by whichever way takes the same lock.
    ///
    /// # Errors
    /// A link that points to nothing.
    pub fn resolved(self) -> Result<Place> {
        let path = self.active();
        if !path.is_symlink() {
            return Ok(self);
        }
        let file = fs::canonicalize(&path);
        let file = file.map_err(|error| Error::io("follow the link", &path, &error))?;
        Ok(Place::of_file(&file).unwrap_or(self))
    }

    /// A ledger of one's own, outside any repository.
    pub fn personal(data_home: &Path) -> Place {
        Place::named(&data_home.join("usage-ledger"), LEDGER)
    }

    /// The active segment's name.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// The folder that holds everything of this ledger.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that rows are appended to: the active segment, unless it is a fragment.
    pub fn active(&self) -> PathBuf {
        match &self.fragment {
            Some(name) => self.fragments().join(name),
            None => self.folder.join(&self.name),
        }
    }

    /// The same ledger, appended to in the fragment of that name.
    pub fn with_fragment(&self, name: String) -> Place {
        Place { fragment: Some(name), ..self.clone() }
    }

    /// The same ledger, appended to in the file that bears its name.
    pub fn without_fragment(&self) -> Place {
        Place { fragment: None, ..self.clone() }
    }

    /// The side file that writers lock; it is never renamed, so that its lock never moves.
    pub fn lock(&self) -> PathBuf {
        self.hidden(".lock")
    }

    /// The side file that those lock who correct a row, from when they look it up.
    pub fn amend_lock(&self) -> PathBuf {
        self.hidden(".amend.lock")
    }

    /// A file that a rotation prepares; `number` tells those of one batch apart.
    pub fn temp(&self, number: usize) -> PathBuf {
        self.hidden(&format!(".tmp.{number}"))
    }

    /// What the names of all such files begin with.
    pub fn temp_stem(&self) -> OsString {
        joined([OsStr::new("."), &self.name, OsStr::new(".tmp.")])
    }

    /// Where it is written down before which day rows are pruned. Only the usual name goes without
    /// saying: two ledgers in one folder never mix.
    pub fn pruned(&self) -> PathBuf {
        match self.name == LEDGER {
            true => self.folder.join("pruned"),
            false => self.folder.join(joined([self.stem(), OsStr::new(".pruned")])),
        }
    }

    /// The repository's own prices.
    pub fn prices(&self) -> PathBuf {
        match self.name == LEDGER {
            true => self.folder.join("prices.csv"),
            false => self.folder.join(joined([self.stem(), OsStr::new(".prices.csv")])),
        }
    }

    /// The list of the segments that were moved out of the folder.
    pub fn archived(&self) -> PathBuf {
        match self.name == LEDGER {
            true => self.folder.join("archived.csv"),
            false => self.folder.join(joined([self.stem(), OsStr::new(".archived.csv")])),
        }
    }

    /// The side file that those lock who compress, move or restore segments.
    pub fn archive_lock(&self) -> PathBuf {
        self.hidden(".archive.lock")
    }

    /// A file that they prepare.
    pub fn archive_temp(&self) -> PathBuf {
        self.hidden(".tmp.archive")
    }

    /// What people did about alerts.
    pub fn alerts(&self) -> PathBuf {
        match self.name == LEDGER {
            true => self.folder.join(ALERTS),
            false => self.folder.join(joined([self.stem(), OsStr::new(".alerts.csv")])),
        }
    }

    /// Where torn bytes are kept.
    pub fn torn(&self) -> PathBuf {
        self.folder.join(joined([&self.name, OsStr::new(".torn")]))
    }

    /// Where a repair keeps the old file.
    pub fn before_repair(&self, number: u64) -> PathBuf {
        let suffix = match number {
            1 => ".before-repair".to_owned(),
            number => format!(".before-repair-{number}"),
        };
        self.folder.join(joined([&self.name, OsStr::new(&suffix)]))
    }

    /// The folder of the sealed segments.
    pub fn archive(&self) -> PathBuf {
        match self.holds {
            Holds::Rows => self.folder.join("archive"),
            Holds::Events => self.folder.join(self.stem()),
        }
    }

    /// What the names of its segments end in.
    pub fn extension(&self) -> &'static str {
        match self.holds {
            Holds::Rows => ".csv",
            Holds::Events => ".jsonl",
        }
    }

    /// Where it is counted how many events there were, where that matters.
    pub fn tally(&self) -> PathBuf {
        self.archive().join("tally")
    }

    /// The side file that those lock who count events.
    pub fn tally_lock(&self) -> PathBuf {
        self.hidden(".tally.lock")
    }

    /// The folder of what was captured, encrypted.
    pub fn capture(&self) -> PathBuf {
        self.folder.join("capture")
    }

    /// The file of the repository's settings.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// The folder of the fragments.
    pub fn fragments(&self) -> PathBuf {
        self.folder.join(joined([self.stem(), OsStr::new(".d")]))
    }

    /// The name without its extension, with which the names of this ledger's sealed segments begin.
    pub fn stem(&self) -> &OsStr {
        match Path::new(&self.name).extension() {
            Some(extension) if extension == &self.extension()[1..] => {
                Path::new(&self.name).file_stem().unwrap_or(&self.name)
            }
            _ => &self.name,
        }
    }

    fn hidden(&self, suffix: &str) -> PathBuf {
        self.folder.join(joined([OsStr::new("."), &self.name, OsStr::new(suffix)]))
    }
}

fn joined<'a>(parts: impl IntoIterator<Item = &'a OsStr>) -> OsString {
    let mut name = OsString::new();
    parts.into_iter().for_each(|part| name.push(part));
    name
}

/// What a row's exit code 0 promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The row is in the page cache: it survives the end of the process, not of the machine.
    None,
    /// The row is on the disk.
    #[default]
    Data,
}

impl Durability {
    /// Reads `none` or `data`.
    pub fn parse(text: &str) -> Option<Durability> {
        match text {
            "none" => Some(Durability::None),
            "data" => Some(Durability::Data),
            _ => None,
        }
    }
}

/// Which files of a ledger new rows go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One active segment.
    #[default]
    Single,
    /// Fragments, each never changed once it is committed: for hosts that merge without attributes.
    Fragments,
}

impl Layout {
    /// Reads `single` or `fragments`.
    pub fn parse(text: &str) -> Option<Layout> {
        match text {
            "single" => Some(Layout::Single),
            "fragments" => Some(Layout::Fragments),
            _ => None,
        }
    }

    /// The word for it in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Single => "single",
            Layout::Fragments => "fragments",
        }
    }
}

/// Whether rows may hold free text of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Whatever is given, without its secrets.
    #[default]
    Any,
    /// Nothing.
    None,
}

/// What the rules of redaction would find, but the repository knows to be harmless.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redact {
    /// Each as `RULE:VALUE`.
    #[serde(default, deserialize_with = "allowed")]
    pub allow: Vec<Allowed>,
}

/// How many events are kept, each absent unless the file sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLimits {
    /// The share of sessions of which events are kept: above 0, up to 1.
    #[serde(default, deserialize_with = "share")]
    pub sample: Option<f64>,
    /// How many events are kept of a minute, at most; at least 1.
    #[serde(default, deserialize_with = "per_minute")]
    pub per_minute: Option<u64>,
    /// How long they stay.
    #[serde(default, deserialize_with = "capture::keep")]
    pub keep: Option<Duration>,
}

/// What becomes of old rows, each absent unless the file sets it. Nothing is done by itself: doctor
/// says what is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The age from which sealed segments are compressed.
    #[serde(default, deserialize_with = "compress_after")]
    pub compress_after: Option<Duration>,
    /// The age from which they are moved to an archive.
    #[serde(default, deserialize_with = "archive_after")]
    pub archive_after: Option<Duration>,
    /// The age from which rows are pruned.
    #[serde(default, deserialize_with = "capture::keep")]
    pub keep: Option<Duration>,
}

/// How long events stay unless the settings say otherwise: a quarter, of which reports tell.
pub const EVENTS_KEPT: Duration = Duration::from_secs(90 * 86_400);

/// So few identities a figure of theirs may be of, unless the settings say otherwise: then it says
/// little of each.
pub const IDENTITIES_MIN: u64 = 5;

/// The settings go no lower: of two, each knows the other.
const IDENTITIES_MIN_LEAST: u64 = 3;

/// What reports of activity may show.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivitySettings {
    /// A figure of some of the people must be of so many identities.
    #[serde(deserialize_with = "identities_min")]
    pub min_identities: u64,
}

impl Default for ActivitySettings {
    fn default() -> ActivitySettings {
        ActivitySettings { min_identities: IDENTITIES_MIN }
    }
}

/// The settings of a repository, each absent unless the file sets it.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The size at which the ledger rotates, in bytes.
    #[serde(default, deserialize_with = "size")]
    pub max_size: Option<u64>,
    /// What exit code 0 promises.
    pub durability: Option<Durability>,
    /// Which files new rows go to.
    #[serde(default)]
    pub layout: Layout,
    /// Whether rows may hold notes.
    #[serde(default)]
    pub notes: Permission,
    /// Whether rows may hold tags.
    #[serde(default)]
    pub tags: Permission,
    /// What pseudonyms are made with.
    pub repo_id: Option<RepoId>,
    /// What users may allow at most.
    #[serde(default)]
    pub consent: Ceiling,
    /// How many events are kept.
    #[serde(default)]
    pub events: EventLimits,
    /// What becomes of old rows.
    #[serde(default)]
    pub retention: Retention,
    /// What reports of activity may show.
    #[serde(default)]
    pub activity: ActivitySettings,
    /// What redaction leaves alone.
    #[serde(default)]
    pub redact: Redact,
    /// What is captured, for whom.
    #[serde(default)]
    pub capture: capture::Settings,
    /// What is watched, as the file has it; [`Config::parse`] makes rules of it.
    #[serde(default, rename = "alert", deserialize_with = "rule::entries")]
    pub(crate) entries: Vec<Entry>,
    /// What is watched.
    #[serde(skip)]
    pub alerts: Vec<Rule>,
}

impl Config {
    /// Reads `config.toml` in the ledger's folder; a missing file sets nothing.
    pub fn load(place: &Place) -> Result<Config> {
        let path = place.config();
        let text = match fs::metadata(&path) {
            // A pipe would have no end.
            Ok(meta) if !meta.is_file() => return Err(Error::NotAFile { path }),
            Ok(_) => fs::read_to_string(&path),
            Err(error) => Err(error),
        };
        match text {
            Ok(text) => Config::parse(&text, &path),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Config::default()),
            // A part of the path is a file: whoever uses the ledger's path says so better.
            Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(Config::default()),
            Err(error) => Err(Error::io("read", &path, &error)),
        }
    }

    /// Reads the text of the settings; `path` is where they are from.
    pub fn parse(text: &str, path: &Path) -> Result<Config> {
        let refuse = |at: Option<usize>, problem| {
            let line = at.map(|at| text[..at].matches('\n').count() + 1);
            Error::Config { path: path.to_owned(), line, problem }
        };
        let mut config: Config = toml::from_str(text).map_err(|error| {
            let at = error.span().map(|span| span.start);
            let key = at.and_then(|at| wording::key_of_line(text, at));
            refuse(at, wording::plain(error.message(), key))
        })?;
        let rules = Rule::all(std::mem::take(&mut config.entries));
        config.alerts = rules.map_err(|(at, problem)| refuse(Some(at), problem))?;
        Ok(config)
    }
}

fn size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refuse = || serde::de::Error::custom(format!("max_size: \"{text}\" is not {SIZES}"));
    parse_size(&text).map(Some).ok_or_else(refuse)
}

fn compress_after<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    capture::age("compress_after", deserializer)
}

fn archive_after<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    capture::age("archive_after", deserializer)
}

fn share<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let share = f64::deserialize(deserializer)?;
    let refuse = || serde::de::Error::custom(format!("sample: {share} is not above 0, up to 1"));
    (share > 0.0 && share <= 1.0).then_some(Some(share)).ok_or_else(refuse)
}

fn per_minute<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let limit = u64::deserialize(deserializer)?;
    let problem = "per_minute: 0 would keep no event; [consent] ceiling = \"ledger\" says so";
    (limit > 0).then_some(Some(limit)).ok_or_else(|| serde::de::Error::custom(problem))
}

fn identities_min<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let given = u64::deserialize(deserializer)?;
    let problem = "is less than 3: of two, each would know the other";
    match given >= IDENTITIES_MIN_LEAST {
        true => Ok(given),
        false => Err(serde::de::Error::custom(format!("min_identities: {given} {problem}"))),
    }
}

fn allowed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Allowed>, D::Error> {
    let all = Vec::<String>::deserialize(deserializer)?;
    all.iter().map(|text| Allowed::parse(text).map_err(serde::de::Error::custom)).collect()
}

/// The sizes that [`parse_size`] takes, in words.
pub const SIZES: &str = "a size such as 500K, 1M or 10M";

/// A size in bytes: digits, then K, M or G (powers of 1,024, as in `ls -h`), then B or iB if you
/// like. Zero is no size.
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = text[digits..].to_ascii_uppercase();
    let letter = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
    let shift = match letter {
        "" if unit != "IB" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("8192", 8192),
            ("8K", 8192),
            ("8kb", 8192),
            ("8KiB", 8192),
            ("1M", 1 << 20),
            ("2G", 2 << 30),
            ("7B", 7),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for bad in ["", "K", "0", "0M", "-1", "1.5M", "1T", "1 M", "8iB", "99999999999G"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_path_takes_the_name_of_the_ledger() {
        let place = Place::of_file(Path::new("some/team.csv")).unwrap();
        assert_eq!(place.lock(), Path::new("some/.team.csv.lock"));
        assert_eq!(place.torn(), Path::new("some/team.csv.torn"));
        assert_eq!(place.temp(0), Path::new("some/.team.csv.tmp.0"));
        assert_eq!(place.fragments(), Path::new("some/team.d"));
        assert_eq!(place.stem(), "team");
        assert_eq!(place.archive(), Path::new("some/archive"));
        assert_eq!(place.events().active(), Path::new("some/events.jsonl"));
        assert_eq!(place.events().archive(), Path::new("some/events"));
        assert_eq!(place.events().stem(), "events");
        assert_eq!(place.prices(), Path::new("some/team.prices.csv"));
        assert_eq!(Place::of_file(Path::new("team.csv")).unwrap().folder(), Path::new("."));
        assert_eq!(Place::of_file(Path::new("..")), None);
    }

    #[test]
    fn a_broken_setting_is_named_with_its_line() {
        let error = Config::parse("# x\nmax_size = \"ten\"\n", Path::new("config.toml"));
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("error: config.toml:2: max_size: \"ten\" is not"), "{text}");
        let error = Config::parse("[activity]\nmin_identities = 2\n", Path::new("config.toml"));
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("error: config.toml:2: min_identities: 2 is less"), "{text}");
        let config = Config::parse("[activity]\nmin_identities = 3\n", Path::new("config.toml"));
        assert_eq!(config.unwrap().activity.min_identities, 3);
        assert_eq!(Config::default().activity.min_identities, IDENTITIES_MIN);
        let error = Config::parse("colour = 1\n", Path::new("config.toml"));
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("error: config.toml:1: unknown field"), "{text}");
    }
}
