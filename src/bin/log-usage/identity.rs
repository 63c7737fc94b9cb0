//! `log-usage consent identity`: the pseudonym that a user's rows carry; and what the door tells the
//! library to make it of.

use std::env;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use usage_ledger::doctor::sign::told;
use usage_ledger::error::{Error, Result, shown};
use usage_ledger::git;
use usage_ledger::intake::draft;
use usage_ledger::ledger::compose::Entry;
use usage_ledger::privacy::consent::{Consent, Level, Source};
use usage_ledger::privacy::identity::{CI, Key, RepoId};
use usage_ledger::privacy::key_file::{self, KeyFile, team_key};
use usage_ledger::setup;
use usage_ledger::workspace::{Config, Permission};

use crate::user;
use crate::voice;
use crate::world::{self, Choice, Target};

/// What to do with the key that your pseudonyms are made of
#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Identity {
    /// Say which pseudonym your rows carry in this repository, and what it is made of
    Show,
    /// Begin a new key: nobody can tell that old and new rows are of one person
    Rotate,
    /// Delete the key: rows carry no pseudonym until you rotate or import
    Forget,
    /// Print the key, to carry it to another machine of yours by hand
    Export,
    /// Take the key of another machine from standard input
    Import,
}

/// A written key is far shorter.
const IMPORT_BYTES_MAX: u64 = 4_096;

/// What names the team's key, before the user's settings do.
const TEAM_KEY_FILE: &str = "LOG_USAGE_TEAM_KEY_FILE";

pub(crate) fn run(action: Identity, target: &Target) -> Result<ExitCode> {
    match action {
        Identity::Show => show(target),
        Identity::Rotate => rotate(target),
        Identity::Forget => forget(),
        Identity::Export => export(target),
        Identity::Import => import(target),
    }
}

/// What pseudonyms here are made of.
enum Maker {
    /// Nobody: no person works here.
    Ci,
    /// The team's key, in this file.
    Team(PathBuf),
    /// The user's own key, if there is one.
    Own(KeyFile),
}

impl Maker {
    fn find() -> Result<Maker> {
        if user::is_ci() {
            return Ok(Maker::Ci);
        }
        match team_key_file()? {
            Some(file) => Ok(Maker::Team(file)),
            None => own_key_file().map(Maker::Own),
        }
    }

    /// The pseudonym; None where the user has no key.
    fn user(&self, target: &Target, repository: &RepoId) -> Result<Option<String>> {
        match self {
            Maker::Ci => Ok(Some(CI.to_owned())),
            Maker::Own(file) => Ok(file.load()?.map(|key| key.user(repository))),
            Maker::Team(file) => {
                let folder = target.place.folder();
                let top = target.work_tree().map_or_else(|| folder.to_owned(), |tree| tree.top);
                let key = team_key(file, &top)?;
                let email = git::email(&top).ok_or_else(|| Error::Git {
                    problem: "the team's key needs your e-mail address, and git knows none"
                        .to_owned(),
                    fix: "git config --global user.email YOU@EXAMPLE.ORG".to_owned(),
                })?;
                Ok(Some(key.user(repository, &email)))
            }
        }
    }
}

/// Adds the user's pseudonym to rows that carry none, where the user has allowed it. A row is never
/// lost for it: what is wrong with a key is said.
pub(crate) fn sign(target: &Target, config: &Config, entries: &mut [Entry<'_>], quiet: bool) {
    // Who wants no tags wants no pseudonyms.
    let Some(user) = user_or_warn(target, config, quiet).filter(|_| config.tags == Permission::Any)
    else {
        return;
    };
    entries.iter_mut().for_each(|entry| draft::sign(entry, &user));
}

/// The user's pseudonym in this repository, for somebody who has allowed it; None where there is none.
pub(crate) fn user_or_warn(target: &Target, config: &Config, quiet: bool) -> Option<String> {
    let repository = config.repo_id.as_ref()?;
    match Maker::find().and_then(|maker| maker.user(target, repository)) {
        Ok(user) => user,
        Err(error) if quiet => {
            drop(error);
            None
        }
        Err(error) => {
            let (what, fix) = told(&error);
            voice::say(&format!("warning: no pseudonym was added: {what}\n  fix: {fix}"));
            None
        }
    }
}

/// Why rows of somebody who has allowed it carry no pseudonym here, and what to do; None where they do.
pub(crate) fn lack(target: &Target, config: &Config) -> Option<(String, String)> {
    let lack = |why: &str, fix: &str| Some((why.to_owned(), fix.to_owned()));
    let Some(repository) = &config.repo_id else {
        return lack("this repository has no id yet", "log-usage init");
    };
    match Maker::find().and_then(|maker| maker.user(target, repository)) {
        Ok(Some(_)) => None,
        Ok(None) => {
            lack("you have no key on this machine", "log-usage consent identity rotate, or import")
        }
        Err(error) => Some(told(&error)),
    }
}

/// The key that names the sessions of somebody who has allowed it; None where there is none. A session
/// of nobody's is named without it.
pub(crate) fn session_key() -> Option<Key> {
    let file = own_key_file().ok().filter(|_| !user::is_ci());
    file.and_then(|file| file.load().ok().flatten())
}

/// Makes what pseudonyms here need and is not there yet: the user's key, and the repository's id in its
/// settings. For somebody who has allowed it. Gives what was done, in words.
pub(crate) fn switch_on(target: &Target, config: &Config) -> Result<Vec<String>> {
    let mut done = Vec::new();
    if let Maker::Own(file) = Maker::find()? {
        let (_, is_new) = file.begin(&Key::of(user::random()?))?;
        if is_new {
            done.push(format!("your key is {}; no repository holds it", shown(&file.path())));
        }
    }
    let folder = target.place.folder();
    if config.repo_id.is_none() && (target.choice != Choice::Named || folder.is_dir()) {
        setup::identify(&target.place, RepoId::of(user::random()?))?;
        let settings = shown(&target.place.config());
        done.push(format!("{settings} has an id of the repository now: commit it, for all clones"));
    }
    Ok(done)
}

fn show(target: &Target) -> Result<ExitCode> {
    let config = Config::load(&target.place)?;
    let consent = user::consent(target, &config)?;
    if !consent.identity {
        let why = consent.identity_decided_by().words();
        return Ok(print(&nothing(why, &allowing(&consent))));
    }
    let maker = Maker::find()?;
    let user = config.repo_id.as_ref().map(|it| maker.user(target, it)).transpose()?.flatten();
    let (Some(user), Some(repository)) = (user, &config.repo_id) else {
        let (why, fix) = lack(target, &config).unwrap_or_default();
        return Ok(print(&nothing(&why, &fix)));
    };
    let of = match &maker {
        Maker::Ci => "constant: this is a CI job, and no person's".to_owned(),
        Maker::Own(file) => format!("made of your key: {}", shown(&file.path())),
        Maker::Team(file) => {
            let file = shown(file);
            format!("made of your e-mail address in git and the team's key: {file}")
        }
    };
    let said = match config.tags {
        Permission::None => "events carry it; the repository wants no tags in rows",
        Permission::Any => "rows and events that you log here carry it",
    };
    Ok(print(&format!(
        "pseudonym: {user}\n  {said}\n  {of}\n  repository: {repository}\n  \
         git blame shows who committed a row all the same\n"
    )))
}

fn nothing(why: &str, fix: &str) -> String {
    format!("pseudonym: none\n  why: {why}\n  fix: {fix}\n")
}

fn rotate(target: &Target) -> Result<ExitCode> {
    demand(target)?;
    let file = own_key_file()?;
    let had_one = file.path().is_file();
    file.replace(&Key::of(user::random()?))?;
    let old = match had_one {
        true => {
            "a new key; the old one is gone, and what it marked cannot be joined to what comes\n"
        }
        false => "a new key\n",
    };
    Ok(print(&format!("{old}{}", team_note()?)))
}

fn forget() -> Result<ExitCode> {
    let file = own_key_file()?;
    let text = match file.forget()? {
        true => {
            "the key is deleted: rows carry no pseudonym, until log-usage consent identity rotate \
             or import\n  rows that carry one keep it; nothing but git blame tells any more whose it was\n"
        }
        false => "there is no key\n",
    };
    Ok(print(&format!("{text}{}", team_note()?)))
}

fn export(target: &Target) -> Result<ExitCode> {
    let Some(key) = own_key_file()?.load()? else {
        let consent = user::consent(target, &Config::load(&target.place)?)?;
        return Err(Error::Usage {
            problem: "there is no key to export".to_owned(),
            fix: match consent.identity {
                true => "log-usage consent identity rotate makes one".to_owned(),
                false => allowing(&consent),
            },
        });
    };
    voice::say(
        "warning: whoever has this key can tell which rows are yours, in every repository\n  \
         fix: carry it by hand to log-usage consent identity import; keep it in no file, chat or note",
    );
    Ok(print(&format!("{}\n", key.written())))
}

fn import(target: &Target) -> Result<ExitCode> {
    demand(target)?;
    let file = own_key_file()?;
    if io::stdin().is_terminal() {
        voice::say("the key, as log-usage consent identity export printed it:");
    }
    let key = Key::read(&typed()?).map_err(|problem| Error::Usage {
        problem: format!("standard input {problem}"),
        fix: "send what log-usage consent identity export printed on the other machine".to_owned(),
    })?;
    let (kept, is_new) = file.begin(&key)?;
    if kept != key {
        return Err(Error::Usage {
            problem: "this machine has another key already".to_owned(),
            fix: "log-usage consent identity forget deletes it; then import again".to_owned(),
        });
    }
    let text = if is_new { "the key is yours here, too\n" } else { "it is the key already\n" };
    Ok(print(&format!("{text}{}", team_note()?)))
}

/// One line, or all that there is: nobody ends a line of a terminal twice.
fn typed() -> Result<String> {
    let mut text = String::new();
    let read = match io::stdin().is_terminal() {
        true => io::stdin().read_line(&mut text),
        false => io::stdin().lock().take(IMPORT_BYTES_MAX).read_to_string(&mut text),
    };
    read.map_err(|error| Error::io("read", "standard input".as_ref(), &error))?;
    Ok(text)
}

/// A key is made for somebody who has allowed it, and for nobody else.
fn demand(target: &Target) -> Result<()> {
    let consent = user::consent(target, &Config::load(&target.place)?)?;
    if consent.identity {
        return Ok(());
    }
    let why = consent.identity_decided_by().words();
    Err(Error::Usage {
        problem: format!("no key is made: identity is off ({why})"),
        fix: allowing(&consent),
    })
}

/// What switches identity on, and leaves the level that the user chose as it is.
fn allowing(consent: &Consent) -> String {
    let decided_by = consent.identity_decided_by();
    if let Some(command) = consent.granting(decided_by, Level::Ledger, true) {
        return command;
    }
    match decided_by {
        Source::Disabled => "unset LOG_USAGE_DISABLED".to_owned(),
        Source::DoNotTrack => "unset DO_NOT_TRACK".to_owned(),
        _ => "[consent] in .telemetry/config.toml forbids it for everybody here".to_owned(),
    }
}

/// Whose own key is of no consequence is told.
fn team_note() -> Result<String> {
    Ok(team_key_file()?.map_or_else(String::new, |file| {
        format!(
            "  your pseudonym does not depend on it: the team's key makes it ({})\n",
            shown(&file)
        )
    }))
}

fn own_key_file() -> Result<KeyFile> {
    world::state_home().map(|folder| KeyFile::in_folder(&folder)).ok_or_else(|| Error::Usage {
        problem: "neither XDG_STATE_HOME nor HOME is set: a key has no place".to_owned(),
        fix: "set HOME".to_owned(),
    })
}

/// The file of the team's key, if the user has one: as the environment says, else the user's settings.
pub(crate) fn team_key_file() -> Result<Option<PathBuf>> {
    if let Some(file) = env::var_os(TEAM_KEY_FILE).filter(|file| !file.is_empty()) {
        return Ok(Some(PathBuf::from(file)));
    }
    user::config_home().map_or(Ok(None), |folder| key_file::of_team(&folder.join("config.toml")))
}

/// What the file of the team's key holds, so that no note does; as far as the environment names it,
/// for who has none must not pay for looking.
pub(crate) fn team_key_text() -> Option<String> {
    let file = env::var_os(TEAM_KEY_FILE).filter(|file| !file.is_empty())?;
    let is_small = fs::metadata(&file).is_ok_and(|it| it.is_file() && it.len() <= IMPORT_BYTES_MAX);
    let text = is_small.then(|| fs::read_to_string(file).ok()).flatten()?;
    Some(text.trim().to_owned())
}

fn print(text: &str) -> ExitCode {
    voice::print(text.as_bytes())
}
