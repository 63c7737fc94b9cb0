//! `log-usage amend`: a corrected row that stands for the one that was logged.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Parser};
use usage_ledger::error::{Error, Result, excerpt, shell_word};
use usage_ledger::figures::{self, counted};
use usage_ledger::intake::draft::{Draft, check};
use usage_ledger::ledger::archived;
use usage_ledger::ledger::compose::Entry;
use usage_ledger::ledger::lock::Lock;
use usage_ledger::ledger::lookup::{self, ID_PREFIX_MIN, Standing};
use usage_ledger::notes;
use usage_ledger::notes::{Screen, Tags};
use usage_ledger::privacy::identity::CI;
use usage_ledger::redact::Redactor;
use usage_ledger::redact::withheld::Withheld;
use usage_ledger::row::{Refused, Row};
use usage_ledger::timestamp::Timestamp;
use usage_ledger::workspace::{Config, Place};

use crate::redact;
use crate::row_form::plainly;
use crate::user;
use crate::voice;
use crate::world::Target;
use crate::write::waiting_for;
use crate::write::{
    correct, permitted, policy, refused_by_environment, screen, tell, tell_withheld,
};

/// Correct a row: a new revision is written, which stands for the old one
///
/// Nothing in the ledger is changed; readers count the newest revision alone.
/// A row that still waits for a commit is replaced, its old text gone.
/// The model and the time of a row cannot be corrected.
#[derive(Parser)]
#[command(
    name = "log-usage amend",
    bin_name = "log-usage amend",
    group = ArgGroup::new("which").required(true),
    after_help = "Examples:\n  log-usage amend --list\n  log-usage amend 4f2a90 --success false --notes \"broke the build\"\n  log-usage amend --last --duration 2m"
)]
pub(crate) struct Amend {
    /// The row's id, or the beginning of it: --list shows them
    #[arg(group = "which")]
    id: Option<String>,
    /// What is typed behind the id, as people do who mean notes
    #[arg(hide = true, num_args = 0..)]
    stray: Vec<String>,
    /// Correct the newest row
    #[arg(long, group = "which")]
    last: bool,
    /// Show the newest rows with their ids, change nothing [default: 10 rows]
    #[arg(long, value_name = "ROWS", group = "which", num_args = 0..=1, default_missing_value = "10")]
    list: Option<usize>,
    /// Whether the task succeeded: true or false
    #[arg(long, value_name = "TASK_SUCCESS", allow_negative_numbers = true)]
    success: Option<String>,
    /// Another text; tags stay
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    notes: Option<String>,
    /// plan, execute, verify, discuss or quick
    #[arg(long, value_name = "TYPE", allow_negative_numbers = true)]
    task_type: Option<String>,
    /// Milliseconds, or a time such as 45s
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true)]
    duration: Option<String>,
    /// Everything that the model read
    #[arg(long, value_name = "TOKENS", allow_negative_numbers = true)]
    prompt_tokens: Option<String>,
    /// Everything that it wrote
    #[arg(long, value_name = "TOKENS", allow_negative_numbers = true)]
    completion_tokens: Option<String>,
    /// Set a tag; may be repeated
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    tag: Vec<String>,
    /// Of several rows with this id, the one of this time
    #[arg(long, value_name = "RFC3339", requires = "id")]
    timestamp: Option<String>,
    /// Use another ledger
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Use your own ledger, outside any repository
    #[arg(long)]
    personal: bool,
    /// Refuse the row if a secret would be kept out of it (exit code 3)
    #[arg(long)]
    strict: bool,
    /// Print the row, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// What a row is counted by the readers as, and what is no remark about it.
const IDENTITY: [&str; 3] = ["source", "id", "rev"];

/// A correction is no erasure.
const OLD_TEXT_STAYS: &str = "  the old notes stay in the ledger's file and in git's history: change a key that was in them \
                              (docs/privacy.md, \"What git itself still shows\")";

pub(crate) fn run(options: Amend) -> Result<ExitCode> {
    if let Some(stray) = options.stray.first() {
        let id = options.id.as_deref().unwrap_or_default();
        return Err(Error::Usage {
            problem: format!("\"{}\" is one argument too many", excerpt(stray)),
            fix: format!(
                "log-usage amend {} --notes {}, if that is the new text",
                shell_word(&excerpt(id)),
                shell_word(&excerpt(stray))
            ),
        });
    }
    let target = Target::find(options.file.as_deref(), options.personal)?;
    if options.list.is_none() && !options.dry_run && refused_by_environment(options.quiet) {
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(&target.place)?;
    let redactor = redact::redactor(&config);
    if let Some(count) = options.list {
        let rows = lookup::newest(&target.place, &waiting_for(&target)?, count)?;
        return Ok(voice::print(table(&rows, &redactor).as_bytes()));
    }
    let policy = policy(&config, None, None);
    let screen = screen(&config, &redactor);
    let may_name = user::consent(&target, &config)?.identity;
    let (_, entry, withheld) = options.revise(&target, &screen, may_name)?;
    if options.dry_run {
        if !options.quiet {
            tell_withheld(&withheld);
        }
        return Ok(voice::print(format!("{}\n", entry.row.to_line()).as_bytes()));
    }
    // Not even a lock is made where nothing may be written.
    if permitted(&target, &config, options.quiet)?.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    // Of two that revise one row at once the later must see what the earlier made of it. Without a
    // folder all rows wait, and the lock has no place.
    let place = &target.place;
    let lock = || Lock::take(&place.amend_lock(), policy.wait);
    let _lock = place.folder().is_dir().then(lock).transpose()?;
    let (standing, entry, withheld) = options.revise(&target, &screen, may_name)?;
    let has_other_text = has_other_text(&standing.row, &entry.row);
    let corrected = correct(&target, &config, policy, entry, options.quiet)?;
    if let Some((appended, is_replaced)) = corrected.filter(|_| !options.quiet) {
        tell(&target, &appended, &|_| format!("amended  {}  {}", standing.id, standing.row.model));
        tell_withheld(&withheld);
        if has_other_text && (standing.is_filed || !is_replaced) {
            voice::say(OLD_TEXT_STAYS);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Amend {
    /// The row that is to be corrected, its new revision, and what was kept out of that.
    fn revise(
        &self,
        target: &Target,
        screen: &Screen<'_>,
        may_name: bool,
    ) -> Result<(Standing, Entry<'static>, Withheld)> {
        let standing = self.find(target, &waiting_for(target)?, screen)?;
        let old = &standing.row;
        let fix =
            |refused: &Refused| format!("log-usage amend {} {}", standing.id, option(refused));
        let refuse = |refused: Refused| refused.clone().into_error(fix(&refused));
        let notes = self.notes_of(old).map_err(refuse)?;
        if !may_name {
            refuse_another_user(&old.notes, &notes).map_err(refuse)?;
        }
        let field =
            |given: &Option<String>, old: u64| given.clone().unwrap_or_else(|| old.to_string());
        let (prompt, completion, duration) = (
            field(&self.prompt_tokens, old.prompt_tokens),
            field(&self.completion_tokens, old.completion_tokens),
            field(&self.duration, old.duration_ms),
        );
        // Lower case is read, but not written.
        let stamp = old.stamp.to_ascii_uppercase();
        let success = if old.success { "true" } else { "false" };
        let mut draft = Draft {
            timestamp: Some(&stamp),
            model: &old.model,
            prompt_tokens: &prompt,
            completion_tokens: &completion,
            task_success: self.success.as_deref().unwrap_or(success),
            task_type: self.task_type.as_deref().unwrap_or(old.task_type.name()),
            duration: &duration,
            notes: &notes,
            tags: &[],
        };
        let changed = check(&draft, screen, &mut Withheld::default()).map_err(refuse)?.row;
        if (Row { stamp: old.stamp.clone(), ..changed }) == *old {
            return Err(Error::Usage {
                problem: format!("nothing to change: the row {} is just so", standing.id),
                fix: format!("name what is wrong: log-usage amend {} --success false", standing.id),
            });
        }
        let revised = lookup::tags_of_revision(&standing);
        let revised: Vec<_> = revised.iter().map(|(key, value)| (*key, value.as_deref())).collect();
        let notes = notes::amended(&notes, None, &revised).map_err(refuse)?;
        draft.notes = &notes;
        let mut withheld = Withheld::default();
        let entry = check(&draft, screen, &mut withheld).map_err(refuse)?.into_owned();
        // Without its id it would be counted beside the old one.
        if !standing.is_revised_by(&entry.row) {
            return Err(Error::Usage {
                problem: format!(
                    "the row cannot be corrected: a new revision needs its model, source, id and \
                     rev, and these may not all be stored ({})",
                    withheld.reasons().join("; ")
                ),
                fix: "let config.toml allow them: tags = \"any\", or [redact] with the value"
                    .to_owned(),
            });
        }
        if self.strict && !withheld.is_empty() {
            return Err(Error::Withheld { reasons: withheld.reasons() });
        }
        Ok((standing, entry, withheld))
    }

    fn find(&self, target: &Target, waiting: &[String], screen: &Screen<'_>) -> Result<Standing> {
        let place = &target.place;
        let Some(id) = &self.id else {
            return lookup::newest(place, waiting, 1)?.pop().ok_or_else(|| Error::Usage {
                problem: "--last: there is no row yet".to_owned(),
                fix: "log-usage claude-3-opus 1500 3200 true execute 45000".to_owned(),
            });
        };
        let mut found = lookup::by_id(place, waiting, id)?;
        if let Some(text) = &self.timestamp {
            let at = Timestamp::parse_liberally(text).map(Timestamp::instant);
            found.retain(|it| Some(it.row.at.instant()) == at);
        }
        match (found.len(), found.pop()) {
            (1, Some(standing)) => Ok(standing),
            (0, _) | (_, None) => Err(Error::Usage {
                problem: match id.len() < ID_PREFIX_MIN {
                    true => format!(
                        "no row has the id {}, and to be the beginning of one it is too short",
                        excerpt(id)
                    ),
                    false => format!("no row has the id {}", excerpt(id)),
                },
                fix: match rows_away(place) {
                    0 => "log-usage amend --list shows the newest rows with their ids".to_owned(),
                    rows => format!(
                        "log-usage amend --list shows the newest rows with their ids; log-usage \
                         restore puts back {} that went to an archive",
                        counted(rows, "row")
                    ),
                },
            }),
            (count, Some(last)) => {
                let fix = match last.id == *id {
                    true => format!("log-usage amend {id} --timestamp {}", last.row.stamp),
                    false => format!("log-usage amend {}", last.id),
                };
                found.push(last);
                voice::say(table(&found, screen.redactor).trim_end());
                let problem = format!("{count} rows have the id {}", excerpt(id));
                Err(Error::Usage { problem, fix })
            }
        }
    }

    /// The old notes with what is to be changed of them.
    fn notes_of(&self, old: &Row<'_>) -> Result<String, Refused> {
        let mut tags = Vec::new();
        for tag in &self.tag {
            let refuse = |problem: &str| Refused::new("tag", tag, problem);
            let (key, value) = tag.split_once('=').ok_or_else(|| refuse("is not KEY=VALUE"))?;
            if IDENTITY.contains(&key) {
                return Err(refuse("tells which row it is, and cannot be amended"));
            }
            tags.push((key, Some(value)));
        }
        let notes = notes::amended(&old.notes, self.notes.as_deref(), &tags)?;
        // Neither does a text that ends in a tag block change what row it is.
        let kept = Tags::of(&old.notes);
        let kept: Vec<_> = IDENTITY.iter().map(|key| (*key, kept.get(key))).collect();
        notes::amended(&notes, None, &kept)
    }
}

/// Whether a text that somebody wrote is no longer there.
fn has_other_text(old: &Row<'_>, new: &Row<'_>) -> bool {
    let text = notes::text(&old.notes);
    !text.is_empty() && text != notes::text(&new.notes)
}

/// Whose a row is, nobody says who has not allowed that to be said of themselves.
fn refuse_another_user(old: &str, new: &str) -> Result<(), Refused> {
    match Tags::of(new).get("user") {
        Some(user) if user != CI && Tags::of(old).get("user") != Some(user) => {
            let problem = "says whose the row is, and you have not allowed that (log-usage consent \
                           grant ledger --identity)";
            Err(Refused::new("tag", &format!("user={user}"), problem))
        }
        _ => Ok(()),
    }
}

/// The option by which a field is amended, with a value that it takes.
fn option(refused: &Refused) -> String {
    let option = match refused.field {
        "task_success" => "--success",
        "task_type" => "--task-type",
        "duration_ms" => "--duration",
        "prompt_tokens" => "--prompt-tokens",
        "completion_tokens" => "--completion-tokens",
        "tag" => return "--tag reason=timeout".to_owned(),
        _ => return format!("--notes {}", refused.example()),
    };
    let value = match refused.field {
        "task_success" | "task_type" => refused.example().to_owned(),
        field => plainly(field, &refused.given),
    };
    format!("{option} {value}")
}

/// How many rows are in an archive.
fn rows_away(place: &Place) -> u64 {
    let unseen = archived::unseen_in(place).unwrap_or_default();
    unseen.iter().map(|it| it.segment.rows).sum()
}

/// Rows with their ids, a line each. Old rows, and those that people wrote by hand, passed no gate.
fn table(rows: &[Standing], redactor: &Redactor) -> String {
    let safe = |text: &str| excerpt(&redactor.redact(text).0);
    if rows.is_empty() {
        return "no rows yet\n".to_owned();
    }
    let mut lines =
        vec![["id", "time", "model", "tokens", "task", "success", "notes"].map(str::to_owned)];
    lines.extend(rows.iter().map(|Standing { row, id, .. }| {
        [
            shell_word(id),
            row.stamp.to_string(),
            excerpt(&row.model),
            figures::thousands(row.total_tokens().into()),
            row.task_type.name().to_owned(),
            row.success.to_string(),
            safe(&row.notes),
        ]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..7).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
            3 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}
