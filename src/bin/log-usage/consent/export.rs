//! `log-usage consent export`: everything that is stored, in this repository and in the user's own
//! folders, as one JSON object.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use usage_ledger::error::{Error, Result, shown};
use usage_ledger::intake::import::cursor::Cursor;
use usage_ledger::ledger::files;
use usage_ledger::ledger::gzip;
use usage_ledger::ledger::prune;
use usage_ledger::ledger::waiting;
use usage_ledger::workspace::Place;

use crate::consent::choices::Which;
use crate::consent::kept;
use crate::identity::team_key_file;
use crate::user;
use crate::voice;
use crate::world::{self, Choice};
use crate::write::work_tree;

#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    which: Which,
}

/// What the JSON's readers may rely on.
const SCHEMA: &str = "log-usage-consent-export/1";

/// Whoever has such a key can tell whose rows are whose.
const KEY_WITHHELD: &str = "a secret, left out: it tells whose rows are whose";

/// A cache holds nothing that the ledgers do not.
const CACHE_WITHHELD: &str = "left out: made of the ledgers, and made anew";

pub(super) fn run(options: &Export) -> Result<ExitCode> {
    let target = options.which.target()?;
    let place = &target.place;
    let mut all = Vec::new();
    let mut add = |what: &str, path: &Path| -> Result<()> {
        for path in kept::files(path) {
            all.push(file(what, &path)?);
        }
        Ok(())
    };
    let beside = kept::places(&target)?;
    // The first is that of this ledger's events.
    for place in [place].into_iter().chain(&beside[1..]) {
        ledger(place, &mut add)?;
    }
    for place in beside {
        for path in kept::events(&place) {
            add("events", &path)?;
        }
        add("capture", &place.capture())?;
    }
    for (what, folder) in [("choice", user::config_home()), ("state", world::state_home())] {
        folder.map_or(Ok(()), |folder| add(what, &folder))?;
    }
    kept::cache().map_or(Ok(()), |folder| add("cache", &folder))?;
    let tree = work_tree(&target).filter(|_| target.choice == Choice::Repository);
    let waiting = tree.map_or(Ok(Vec::new()), |tree| waiting::lines(&tree, place))?;
    let export = json!({
        "schema": SCHEMA,
        "about": "the ledger's rows are those of everybody who logs here; git blame tells whose",
        "files": all,
        "rows_waiting_for_a_commit": waiting,
    });
    Ok(voice::print(format!("{export:#}\n").as_bytes()))
}

/// Every file that holds rows of the ledger, or that did.
fn ledger(place: &Place, add: &mut dyn FnMut(&str, &Path) -> Result<()>) -> Result<()> {
    let place = place.without_fragment();
    let mut paths: Vec<PathBuf> = files::older(&place)?.into_iter().map(|it| it.path).collect();
    paths.push(place.active());
    paths.extend(prune::copies(&place).iter().map(|name| place.folder().join(name)));
    paths.iter().try_for_each(|path| add("ledger", path))
}

fn file(what: &str, path: &Path) -> Result<Value> {
    let name = shown(path);
    if let Some(why) = match what {
        _ if is_key(path) => Some(KEY_WITHHELD),
        "cache" => Some(CACHE_WITHHELD),
        _ => None,
    } {
        return Ok(json!({ "what": what, "path": name, "withheld": why }));
    }
    // What a link leads to is not stored here.
    if fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return Ok(json!({ "what": what, "path": name, "withheld": "not a file" }));
    }
    let mut bytes = Vec::new();
    let read = gzip::open(path).and_then(|mut text| text.read_to_end(&mut bytes));
    read.map_err(|error| Error::io("read", path, &error))?;
    // Nobody reads the form in which it is kept.
    if let Some(cursor) = Cursor::read(&bytes).filter(|_| is_cursor(path)) {
        return Ok(json!({ "what": what, "path": name, "cursor": cursor }));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => json!({ "what": what, "path": name, "text": text }),
        Err(error) => {
            json!({ "what": what, "path": name, "base64": base64(error.as_bytes()) })
        }
    })
}

/// Whether it says what was imported already.
fn is_cursor(path: &Path) -> bool {
    world::state_home().is_some_and(|state| path.parent() == Some(&*state.join("import")))
}

/// Whether it is the user's key or the team's, or what is left of one that was being written.
fn is_key(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_begun = [".key", ".identity.key"].iter().any(|it| name.starts_with(it));
    let is_same = |key: PathBuf| key == path || files::is_same(&key, path);
    // Settings that cannot be read may name any file.
    let is_teams = |key: Result<Option<PathBuf>>| key.map_or(true, |key| key.is_some_and(is_same));
    let is_ours = user::config_home().into_iter().chain(world::state_home());
    let is_ours = is_ours.into_iter().any(|folder| path.starts_with(folder));
    is_begun || kept::identity().is_some_and(is_same) || is_ours && is_teams(team_key_file())
}

/// Bytes that are no text, as RFC 4648 writes them.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |n: usize| u32::from(group.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for letter in 0..4 {
            let index = (bits >> (18 - 6 * letter)) as usize & 63;
            text.push(if letter > group.len() { '=' } else { char::from(LETTERS[index]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfb]), "//77");
    }
}
