//! What is to be done to files and settings, as a value; and the doing.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::git::process;
use crate::hooks::site::Site;
use crate::hooks::waiting;

/// The mode of a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it is; where there is no file, that of a plain one.
    Kept,
    /// That of a program.
    Program,
}

/// One thing to do. All are safe to do twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write a file, whole or not at all.
    Write(PathBuf, Vec<u8>, Mode),
    /// Give a file another name; what has that name goes.
    Rename(PathBuf, PathBuf),
    /// Take a file away.
    Remove(PathBuf),
    /// Make a folder.
    Folder(PathBuf),
    /// Take away the folder in which rows wait, and that of git's around it.
    EndWaiting(PathBuf),
    /// Set a setting of this clone.
    Set(&'static str, String),
    /// Take away a setting of this clone.
    Unset(&'static str),
    /// Take away a whole section of this clone's settings.
    Forget(&'static str),
}

/// What is to be done, and what to say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// One line for each thing that people would want to know.
    pub lines: Vec<String>,
}

impl Plan {
    /// One thing more.
    pub fn add(&mut self, steps: impl IntoIterator<Item = Step>, line: String) {
        self.steps.extend(steps);
        self.lines.push(line);
    }

    /// Does everything.
    ///
    /// # Errors
    /// The first step that the system refuses; those before it are done.
    pub fn carry_out(&self, site: &Site) -> Result<()> {
        self.steps.iter().try_for_each(|step| carry_out(step, site))
    }
}

fn carry_out(step: &Step, site: &Site) -> Result<()> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| Error::io(action, &path, &error)
    };
    match step {
        Step::Write(path, bytes, mode) => write(path, bytes, *mode).map_err(failed("write", path)),
        Step::Rename(from, to) => fs::rename(from, to).map_err(failed("rename", from)),
        Step::Remove(path) => fs::remove_file(path).map_err(failed("delete", path)),
        Step::Folder(path) => fs::create_dir_all(path).map_err(failed("make the folder", path)),
        Step::EndWaiting(path) => waiting::end(path),
        Step::Set(name, value) => configure(site, &[name, value]),
        Step::Unset(name) => configure(site, &["--unset-all", name]),
        Step::Forget(section) => configure(site, &["--remove-section", section]),
    }
}

/// Writes a file, whole or not at all.
///
/// # Errors
/// The system refuses.
pub fn write(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".log-usage");
    let old = fs::metadata(path).ok().filter(|_| mode == Mode::Kept);
    let wanted = match (mode, old) {
        (Mode::Kept, Some(old)) => Some(old.permissions()),
        (Mode::Kept, None) => permissions(&mut builder, 0o666, None),
        (Mode::Program, _) => permissions(&mut builder, 0o777, Some(0o755)),
    };
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    if let Some(wanted) = wanted {
        file.as_file().set_permissions(wanted)?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Has a temporary file made with the mode `made`, less what the user's umask forbids; gives the
/// one to be set at last.
#[cfg(unix)]
fn permissions(
    builder: &mut tempfile::Builder<'_, '_>,
    made: u32,
    set: Option<u32>,
) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(Permissions::from_mode(made));
    set.map(Permissions::from_mode)
}

#[cfg(not(unix))]
fn permissions(_: &mut tempfile::Builder<'_, '_>, _: u32, _: Option<u32>) -> Option<Permissions> {
    None
}

/// Whether git would run the file. Elsewhere than on Unix it asks the first line alone.
#[cfg(unix)]
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether git would run the file. Elsewhere than on Unix it asks the first line alone.
#[cfg(not(unix))]
pub fn is_executable(path: &Path) -> bool {
    path.is_file()
}

fn configure(site: &Site, arguments: &[&str]) -> Result<()> {
    let output = process::command(&site.top, &["config", "--local"]).args(arguments).output();
    let failed = |reason: io::Error| Error::io("set git's", "config".as_ref(), &reason);
    let output = output.map_err(failed)?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(failed(io::Error::other(words)))
        }
    }
}
