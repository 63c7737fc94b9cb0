//! The folder `.telemetry/` itself: what stands in it besides the ledger. Nothing that is there is
//! ever changed.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::workspace::{FOLDER, Layout, Place};

/// What git must know before the first row: which files are rows to be merged, and which stay local.
const FOR_GIT: [(&str, &str); 2] = [
    (".gitattributes", include_str!("gitattributes.txt")),
    (".gitignore", include_str!("gitignore.txt")),
];

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

/// Lays down the whole folder; gives the names of the files that were missing.
pub fn init(place: &Place) -> Result<Vec<&'static str>> {
    make_folder(place.folder())?;
    let mut made = lay_down(place.folder(), &FOR_PEOPLE)?;
    made.extend(lay_down(place.folder(), &FOR_GIT)?);
    Ok(made)
}

/// Sets the layout in the settings, and leaves every other line of them as it is.
pub fn choose(place: &Place, layout: Layout) -> Result<()> {
    let path = place.folder().join("config.toml");
    let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
    let ours = format!("layout = \"{}\"", layout.name());
    let is_setting = |line: &&str| line.split('=').next().is_some_and(|it| it.trim() == "layout");
    let is_offered = |line: &&str| line.starts_with("# layout = ");
    let mut lines: Vec<&str> = text.lines().collect();
    // What stands before the first table is no table's.
    let place = lines.iter().position(is_setting).or_else(|| lines.iter().position(is_offered));
    match place {
        Some(at) => lines[at] = &ours,
        None => lines.insert(0, &ours),
    }
    fs::write(&path, lines.join("\n") + "\n").map_err(|error| Error::io("write", &path, &error))
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
