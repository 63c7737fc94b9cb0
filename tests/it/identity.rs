//! Pseudonyms: who gets one and when, what it is made of, and that nothing else points at a person.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use usage_ledger::row::line_hash;

use crate::faults::has_strace;
use crate::sandbox::{HEADER, SEED, Sandbox, text};

const GRANT: [&str; 5] = ["consent", "grant", "ledger", "--identity", "--everywhere"];

const REPO_ID: &str = "000102030405060708090a0b0c0d0e0f";

/// What Python's hmac and base64 make of the key 00 01 … 1f and that id.
const COUNTED: &str = "u_ewazyd2fm3xm";

const TEAM_KEY: &str = "a team's key of forty-two characters, made.\n";

/// The same of the team's key and ann@example.org.
const ANN: &str = "u_i7ygub62tt54";

/// A machine of somebody's: what one process sees of it.
struct Machine<'a> {
    sandbox: &'a Sandbox,
    home: PathBuf,
    variables: Vec<(String, String)>,
}

impl<'a> Machine<'a> {
    fn new(sandbox: &'a Sandbox, name: &str) -> Machine<'a> {
        let home = sandbox.path("").parent().unwrap().join("machines").join(name);
        fs::create_dir_all(&home).unwrap();
        Machine { sandbox, home, variables: Vec::new() }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        let mut command = self.sandbox.command("log-usage");
        command.env("HOME", &self.home).envs(variables).args(arguments).write_stdin(input);
        command.output().unwrap()
    }

    fn ok_with(&self, arguments: &[&str], input: &str) -> (String, String) {
        let output = self.run_with(arguments, input);
        let error = text(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        (text(&output.stdout), error)
    }

    fn ok(&self, arguments: &[&str]) -> (String, String) {
        self.ok_with(arguments, "")
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run_with(arguments, "");
        assert!(!output.status.success(), "{arguments:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// Logs a row, and gives the tag `user` that it carries, and what was said.
    fn log(&self, notes: &str) -> (Option<String>, String) {
        let (_, said) = self.ok(&[&SEED[..6], &[notes]].concat());
        (user(self.sandbox.rows().last().unwrap()), said)
    }

    fn key(&self) -> PathBuf {
        self.home.join(".local/state/usage-ledger/identity.key")
    }

    /// Puts a key there that is known.
    fn counted(self) -> Self {
        fs::create_dir_all(self.key().parent().unwrap()).unwrap();
        fs::write(self.key(), (0..32).collect::<Vec<u8>>()).unwrap();
        set_mode(&self.key(), 0o600);
        self
    }
}

fn user(row: &str) -> Option<String> {
    let after = row.split_once("user=")?.1;
    Some(after.split([' ', '}']).next().unwrap().to_owned())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

/// A repository that has an id.
fn identified() -> Sandbox {
    let sandbox = Sandbox::repository();
    sandbox.write(".telemetry/config.toml", format!("repo_id = \"{REPO_ID}\"\n"));
    sandbox
}

fn is_pseudonym(text: &str) -> bool {
    let code = text.strip_prefix("u_").unwrap_or_default();
    code.len() == 12 && code.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
}

#[test]
fn a_pseudonym_comes_with_consent_and_goes_with_it() {
    let sandbox = Sandbox::repository();
    let ann = Machine::new(&sandbox, "ann");
    assert_eq!(ann.log("before").0, None);
    assert!(!sandbox.path(".telemetry/config.toml").exists() && !ann.key().exists());
    let (_, said) = ann.ok(&GRANT);
    assert!(said.contains("identity.key") && said.contains("commit it"), "{said}");
    let (first, _) = ann.log("with");
    assert!(is_pseudonym(first.as_deref().unwrap()), "{first:?}");
    assert!(ann.ok(&["consent", "identity", "show"]).0.contains(&first.clone().unwrap()));
    // A second consent changes nothing.
    let config = sandbox.read(".telemetry/config.toml");
    ann.ok(&GRANT);
    assert_eq!((ann.log("again").0, sandbox.read(".telemetry/config.toml")), (first, config));
    ann.ok(&["consent", "revoke"]);
    assert_eq!(ann.log("after").0, None);
    let (shown, _) = ann.ok(&["consent", "identity", "show"]);
    assert!(shown.starts_with("pseudonym: none\n"), "{shown}");
    // The key is in no file of the repository, neither as bytes nor as text.
    let key = fs::read(ann.key()).unwrap();
    for (path, bytes) in sandbox.snapshot() {
        assert!(!bytes.windows(key.len()).any(|it| it == key), "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn the_key_is_the_owners_alone() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let sandbox = Sandbox::repository();
    let ann = Machine::new(&sandbox, "ann");
    ann.ok(&GRANT);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&ann.key()), mode(ann.key().parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read(ann.key()).unwrap().len(), 32);

    set_mode(&ann.key(), 0o640);
    let (user, said) = ann.log("open to the group");
    assert_eq!(user, None, "the row is logged all the same");
    assert!(said.contains("can be read by others") && said.contains("chmod 600"), "{said}");
    let quiet = [&SEED[..6], &["quiet", "--quiet"]].concat();
    assert_eq!(ann.ok(&quiet).1, "");

    let elsewhere = ann.home.join("elsewhere");
    fs::rename(ann.key(), &elsewhere).unwrap();
    set_mode(&elsewhere, 0o600);
    symlink(&elsewhere, ann.key()).unwrap();
    let (user, said) = ann.log("a link");
    assert!(user.is_none() && said.contains("it is a link"), "{said}");
    assert!(ann.refused(&["consent", "identity", "export"]).contains("it is a link"));
    // What is written takes the link's place, and follows it nowhere.
    let before = fs::read(&elsewhere).unwrap();
    ann.ok(&["consent", "identity", "rotate"]);
    assert!(fs::symlink_metadata(ann.key()).unwrap().is_file());
    assert_eq!(fs::read(&elsewhere).unwrap(), before);

    let folder = ann.key().parent().unwrap().to_owned();
    fs::rename(&folder, ann.home.join("moved")).unwrap();
    symlink(ann.home.join("moved"), &folder).unwrap();
    assert!(ann.refused(&["consent", "identity", "rotate"]).contains("it is a link"));
    assert!(ann.log("a linked folder").0.is_none());
}

#[test]
fn doctor_says_why_rows_carry_none() {
    let sandbox = identified();
    let ann = Machine::new(&sandbox, "ann");
    let doctor = || text(&ann.run_with(&["doctor"], "").stdout);
    let wrong = "identity is on, but rows carry no pseudonym: ";
    assert!(!doctor().contains(wrong), "nobody allowed it");
    ann.ok(&GRANT);
    assert!(!doctor().contains(wrong), "there is one");
    fs::write(ann.key(), "short").unwrap();
    let said = doctor();
    assert!(said.contains(&format!("{wrong}{} holds no key", ann.key().display())), "{said}");
    assert!(said.contains("fix: log-usage consent identity rotate"), "{said}");
    fs::remove_file(ann.key()).unwrap();
    assert!(doctor().contains(&format!("{wrong}you have no key on this machine")));
    ann.ok(&["consent", "identity", "rotate"]);
    assert!(!doctor().contains(wrong));
    sandbox.write(".telemetry/config.toml", "");
    assert!(doctor().contains(&format!("{wrong}this repository has no id yet")));
    // What cannot be understood allows nothing, and is said.
    let record = ann.home.join(".config/usage-ledger/consent.toml");
    fs::write(record, "level = 7\n").unwrap();
    let said = doctor();
    assert!(said.contains("consent.toml") && said.contains("WRONG"), "{said}");
}

#[test]
fn who_has_not_allowed_it_gets_no_key() {
    let sandbox = identified();
    let ann = Machine::new(&sandbox, "ann");
    for action in ["rotate", "import"] {
        let refused = ann.refused(&["consent", "identity", action]);
        assert!(refused.starts_with("error: no key is made: identity is off"), "{refused}");
    }
    assert!(ann.refused(&["consent", "identity", "export"]).contains("no key to export"));
    assert_eq!(ann.log("none").0, None);
    assert!(!ann.key().parent().unwrap().exists());
    // Neither does whom the environment or the repository forbids it.
    let bob = Machine::new(&sandbox, "bob").with("DO_NOT_TRACK", "1");
    bob.ok(&GRANT);
    assert_eq!((bob.log("none").0, bob.key().exists()), (None, false));
    let ceiling = format!("repo_id = \"{REPO_ID}\"\n[consent]\nidentity = false\n");
    sandbox.write(".telemetry/config.toml", ceiling);
    let eve = Machine::new(&sandbox, "eve");
    eve.ok(&GRANT);
    assert_eq!((eve.log("none").0, eve.key().exists()), (None, false));
}

#[test]
fn known_keys_give_known_pseudonyms() {
    let sandbox = identified();
    let ann = Machine::new(&sandbox, "ann").counted();
    ann.ok(&GRANT);
    assert_eq!(ann.log("a row").0.unwrap(), COUNTED);
    let row = sandbox.rows().pop().unwrap();
    assert!(row.ends_with(&format!(",a row {{user={COUNTED}}}")), "{row}");
    // Beside other tags it stands in its place.
    ann.ok(&[&SEED[..6], &["--tag", "source=cli", "--tag", "reason=why"]].concat());
    let row = sandbox.rows().pop().unwrap();
    assert!(row.ends_with(&format!(",{{source=cli user={COUNTED} reason=why}}")), "{row}");
    // A user that was given stands.
    ann.ok(&[&SEED[..6], &["--tag", "user=u_other"]].concat());
    assert_eq!(user(&sandbox.rows().pop().unwrap()).unwrap(), "u_other");
    assert_eq!(ann.log("text {user=u_third}").0.unwrap(), "u_third");
    // What is shown is what would be stored.
    let (shown, _) = ann.ok(&[&SEED[..6], &["shown", "--dry-run"]].concat());
    assert_eq!(user(&shown).unwrap(), COUNTED);
    // Notes without room for it stay as they are.
    assert_eq!(ann.log(&"n".repeat(4_090)).0, None);
    // In CI nobody is told from anybody.
    let job = Machine::new(&sandbox, "ann").with("CI", "true");
    assert_eq!(job.log("in a job").0.unwrap(), "ci");
    let no = Machine::new(&sandbox, "ann").with("CI", "false");
    assert_eq!(no.log("not in a job").0.unwrap(), COUNTED);
    // Who wants no tags wants no pseudonyms.
    let settings = format!("repo_id = \"{REPO_ID}\"\ntags = \"none\"\n");
    sandbox.write(".telemetry/config.toml", settings);
    assert_eq!(ann.log("without").0, None);
    assert!(sandbox.rows().pop().unwrap().ends_with(",without"));
}

#[test]
fn a_batch_carries_it_and_a_correction_keeps_whose_the_row_was() {
    let sandbox = identified();
    let ann = Machine::new(&sandbox, "ann").counted();
    let bob = Machine::new(&sandbox, "bob");
    bob.ok(&GRANT);
    bob.log("of bob");
    let bobs = user(&sandbox.rows()[0]).unwrap();
    ann.ok(&GRANT);
    let rows = format!("{HEADER}\n,m,1,2,true,plan,3,one\n,m,1,2,true,plan,3,two {{user=x}}\n");
    let (shown, _) = ann.ok_with(&["batch", "--dry-run"], &rows);
    assert_eq!(shown.matches(COUNTED).count(), 1, "{shown}");
    ann.ok_with(&["batch"], &rows);
    let users: Vec<_> = sandbox.rows()[1..].iter().filter_map(|row| user(row)).collect();
    assert_eq!(users, [COUNTED, "x"]);
    let id = line_hash(sandbox.rows()[0].as_bytes(), 6);
    ann.ok(&["amend", &id, "--success", "false"]);
    assert_eq!(user(&sandbox.rows().pop().unwrap()).unwrap(), bobs);
}

/// Nor does a name that somebody types: without consent no row says whose it is, by whatever way it came.
#[test]
fn without_consent_no_row_names_anybody() {
    let sandbox = identified();
    let ann = Machine::new(&sandbox, "ann");
    let row = ["m", "1", "2", "true", "plan", "3", "typed"];
    let typed = |more: &[&'static str]| [&row[..], more].concat();
    let said = |output: (String, String)| output.1;
    let kept_out = "  user of 1 row not stored: identity is off";
    let dry = ann.ok(&typed(&["--tag", "user=ann", "--dry-run"]));
    assert!(dry.0.ends_with(",typed\n") && dry.1.contains(kept_out), "{dry:?}");
    assert!(said(ann.ok(&typed(&["--tag=user=ann", "--tag=agent=x"]))).contains(kept_out));
    ann.ok(&["m", "1", "2", "true", "plan", "3", "in the text {user=ann rev=1}"]);
    ann.ok(&["run", "--model", "m", "--tag", "user=ann", "--", "true"]);
    let rows = format!(
        "{HEADER}\n,m,1,2,true,plan,3,one {{user=ann}}\n,m,1,2,true,plan,4,two {{user=bob}}\n"
    );
    let batch = said(ann.ok_with(&["batch"], &rows));
    assert!(batch.contains("  user of 2 rows not stored") && batch.contains("grant"), "{batch}");
    assert_eq!(said(ann.ok(&typed(&["--tag=user=ann", "--quiet"]))), "");
    assert_eq!(sandbox.rows().len(), 6);
    assert!(sandbox.rows()[0].ends_with(",typed {agent=x}"), "{:?}", sandbox.rows());
    assert!(sandbox.rows().iter().all(|row| user(row).is_none()), "{:?}", sandbox.rows());
    let ledger = sandbox.read(".telemetry/usage.csv");
    let refused = ann.refused(&["amend", "--last", "--tag", "user=ann"]);
    assert!(refused.contains("you have not allowed that"), "{refused}");
    let refused = ann.refused(&["amend", "--last", "--notes", "x {user=ann}"]);
    assert!(refused.contains("you have not allowed that"), "{refused}");
    assert_eq!(sandbox.read(".telemetry/usage.csv"), ledger);
    // What stands there for jobs of CI is no person.
    assert_eq!(said(ann.ok(&typed(&["--tag=user=ci"]))), "");
    assert_eq!(user(&sandbox.rows()[6]).unwrap(), "ci");
    // Somebody else's row stays theirs, whoever corrects it.
    let bob = Machine::new(&sandbox, "bob");
    bob.ok(&GRANT);
    bob.log("of bob");
    let bobs = user(&sandbox.rows()[7]);
    ann.ok(&["amend", "--last", "--success", "false"]);
    assert!(bobs.is_some() && user(&sandbox.rows()[8]) == bobs, "{:?}", sandbox.rows());
}

#[test]
fn an_event_carries_it_and_names_sessions_by_the_key() {
    let sandbox = identified();
    let ann = Machine::new(&sandbox, "ann").counted();
    let agents_own = "5f0c8a1e-7d0b-4a53-9a0e-1c2d3e4f5a6b";
    let event = ["event", "session.started", "--session", agents_own];
    let record = |machine: &Machine<'_>, switches: &[&str]| {
        machine.ok(&[&["consent", "grant", "events", "--everywhere"], switches].concat());
        machine.ok(&event);
        let events = sandbox.read(".telemetry/events.jsonl");
        assert!(!events.contains(agents_own));
        let last: serde_json::Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
        let shown = machine.ok(&[&event[..], &["--dry-run"]].concat()).0;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let told = |event: &serde_json::Value| ["user", "session"].map(|it| event[it].clone());
        assert_eq!(told(&shown), told(&last), "what is shown is what is stored");
        told(&last)
    };
    assert_eq!(record(&ann, &["--identity"]), [COUNTED, "s_cipryyl4yd775235"]);
    let [user, unsalted] = record(&ann, &[]);
    assert!(user.is_null() && unsalted != "s_cipryyl4yd775235", "{unsalted}");
    // A job has no person's key, even on a machine that has one.
    let job = Machine::new(&sandbox, "ann").with("CI", "1");
    assert_eq!(record(&job, &["--identity"]), [serde_json::json!("ci"), unsalted]);
}

#[test]
fn repositories_clones_and_machines() {
    let (first, second) = (Sandbox::repository(), Sandbox::repository());
    let key_of = |sandbox: &Sandbox, home: &Path| {
        let ann = Machine { sandbox, home: home.to_owned(), variables: Vec::new() };
        ann.ok(&GRANT);
        ann.log("row").0.unwrap()
    };
    let desk = Machine::new(&first, "desk");
    let here = key_of(&first, &desk.home);
    assert_ne!(key_of(&second, &desk.home), here, "no join over repositories");
    first.git(["add", "--all"]);
    first.git(["commit", "--quiet", "--message", "one"]);
    let clone = Sandbox::new();
    clone.git(["clone", "--quiet", first.path("").to_str().unwrap(), "."]);
    assert_eq!(key_of(&clone, &desk.home), here, "a clone is the same repository");

    let laptop = Machine::new(&clone, "laptop");
    laptop.ok(&GRANT);
    assert_ne!(laptop.log("row").0.unwrap(), here, "another machine, another key");
    let (written, warned) = desk.ok(&["consent", "identity", "export"]);
    assert!(warned.starts_with("warning: whoever has this key"), "{warned}");
    let import = ["consent", "identity", "import"];
    let refused = laptop.run_with(&import, &written);
    assert!(text(&refused.stderr).contains("another key already"), "{}", text(&refused.stderr));
    let (said, _) = laptop.ok(&["consent", "identity", "forget"]);
    assert!(said.contains("nothing but git blame tells any more whose it was"), "{said}");
    assert_eq!(laptop.log("without").0, None);
    let slip = if &written[30..31] == "7" { "3" } else { "7" };
    let slip = format!("{}{slip}{}", &written[..30], &written[31..]);
    let refused = laptop.run_with(&import, &slip);
    assert!(!refused.status.success() && !laptop.key().exists());
    assert!(!text(&refused.stderr).contains(&written[30..50]), "{}", text(&refused.stderr));
    laptop.ok_with(&import, &written);
    laptop.ok_with(&import, &written);
    assert_eq!(laptop.log("row").0.unwrap(), here, "one person on two machines");

    laptop.ok(&["consent", "identity", "rotate"]);
    let rotated = laptop.log("row").0.unwrap();
    assert!(is_pseudonym(&rotated) && rotated != here);
    assert!(clone.rows().iter().any(|row| row.contains(&here)), "what was logged stays");
}

#[test]
fn a_team_counts_each_member_once() {
    let sandbox = identified();
    sandbox.git(["config", "user.email", "Ann@Example.org"]);
    let file = sandbox.path("").parent().unwrap().join("team.key");
    fs::write(&file, TEAM_KEY).unwrap();
    set_mode(&file, 0o640);
    let named = || file.to_str().unwrap().to_owned();
    let desk = Machine::new(&sandbox, "desk").with("LOG_USAGE_TEAM_KEY_FILE", named());
    desk.ok(&GRANT);
    assert_eq!(desk.log("row").0.unwrap(), ANN);
    assert!(!desk.key().exists(), "a key of one's own is not needed");
    // The same by the user's settings, on another machine.
    let laptop = Machine::new(&sandbox, "laptop");
    laptop.ok(&GRANT);
    let settings = laptop.home.join(".config/usage-ledger/config.toml");
    fs::write(&settings, "team_key_file = \"../../../../team.key\"\n").unwrap();
    assert_eq!(laptop.log("row").0.unwrap(), ANN);
    let (shown, _) = laptop.ok(&["consent", "identity", "show"]);
    assert!(shown.contains(ANN) && shown.contains("the team's key"), "{shown}");
    assert!(laptop.ok(&["consent", "identity", "rotate"]).0.contains("does not depend on it"));

    // What is wrong is said, and never made up for by another key: a person would count twice.
    fs::write(&settings, "team_key = \"x\"\n").unwrap();
    let (user, said) = laptop.log("row");
    assert!(user.is_none() && said.contains("config.toml:1"), "{said}");
    sandbox.git(["config", "--unset", "user.email"]);
    let (user, said) = desk.log("row");
    assert!(user.is_none() && said.contains("git config --global user.email"), "{said}");
    sandbox.git(["config", "user.email", "ann@example.org"]);
    for (name, content, expected) in [
        ("team.key", "short\n", "could be guessed"),
        ("work/team.key", TEAM_KEY, "within the repository"),
        ("nowhere", "", "No such file"),
    ] {
        let path = sandbox.path("").parent().unwrap().join(name);
        if !content.is_empty() {
            fs::write(&path, content).unwrap();
            set_mode(&path, 0o600);
        }
        let wrong = Machine::new(&sandbox, "desk");
        let wrong = wrong.with("LOG_USAGE_TEAM_KEY_FILE", path.to_str().unwrap());
        let (user, said) = wrong.log("row");
        assert!(user.is_none() && said.contains(expected), "{said}");
        assert!(!wrong.run_with(&["consent", "identity", "show"], "").status.success());
    }
    fs::write(&file, TEAM_KEY).unwrap();
    set_mode(&file, 0o644);
    if cfg!(unix) {
        let (user, said) = desk.log("row");
        assert!(user.is_none() && said.contains("everybody on this machine"), "{said}");
    }
}

/// A repository in which somebody else switched identity on costs nobody a system call.
#[test]
fn who_has_no_identity_pays_nothing_for_it() {
    if !has_strace() {
        eprintln!("SKIPPED who_has_no_identity_pays_nothing_for_it: no strace on this machine");
        return;
    }
    let calls = |settings: &str| {
        let sandbox = Sandbox::repository();
        sandbox.write(".telemetry/config.toml", settings);
        sandbox.ok("log-usage", &SEED);
        std::thread::sleep(std::time::Duration::from_millis(300));
        let program = env!("CARGO_BIN_EXE_log-usage");
        let row = [&["-o", "trace", program], &SEED[..], &["--durability", "none"]].concat();
        sandbox.ok("strace", &row);
        let trace = sandbox.read("trace");
        for file in ["identity.key", "/usage-ledger/config.toml", "random"] {
            assert!(!trace.contains(&format!("{file}\"")), "{trace}");
        }
        let names = trace.lines().filter_map(|line| line.split_once('(')).map(|it| it.0.to_owned());
        // How memory is asked for depends on the length of the text.
        names.filter(|name| !["brk", "mmap", "munmap"].contains(&&**name)).collect::<Vec<_>>()
    };
    let without = calls(&format!("# epo_id = \"{REPO_ID}\"\n"));
    assert!(without.len() > 20, "the test has lost its eyes: {without:?}");
    assert_eq!(calls(&format!("repo_id  =  \"{REPO_ID}\"\n")), without);
}

/// Whatever is known of a person, in the environment, in git and in what is typed: none of it is in
/// anything that is kept for others.
#[test]
fn nothing_that_is_written_points_at_a_person() {
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(12) });
    let word = || "[b-df-hj-np-tv-z]{3}[aeiou][b-df-hj-np-tv-z]{3}";
    let person = (word(), word(), word(), word(), any::<bool>());
    let tried = runner.run(&person, |(login, host, mailbox, domain, is_team)| {
        let sandbox = identified();
        let email = format!("{mailbox}@{domain}.example");
        let root = sandbox.path("").parent().unwrap().to_owned();
        let home = root.join("home").join(&login);
        fs::create_dir_all(&home).unwrap();
        sandbox.git(["config", "user.email", &email]);
        sandbox.git(["config", "user.name", &mailbox]);
        fs::write(root.join("team.key"), TEAM_KEY).unwrap();
        set_mode(&root.join("team.key"), 0o600);
        let mut variables = Vec::new();
        for name in ["USER", "LOGNAME", "USERNAME"] {
            variables.push((name.to_owned(), login.clone()));
        }
        for name in ["HOSTNAME", "HOST", "COMPUTERNAME"] {
            variables.push((name.to_owned(), host.clone()));
        }
        for name in ["EMAIL", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
            variables.push((name.to_owned(), email.clone()));
        }
        if is_team {
            let file = root.join("team.key").to_str().unwrap().to_owned();
            variables.push(("LOG_USAGE_TEAM_KEY_FILE".to_owned(), file));
        }
        let person = Machine { sandbox: &sandbox, home: home.clone(), variables };
        let home = home.to_str().unwrap();
        person.ok(&GRANT);
        person.ok(&["consent", "grant", "events", "--identity", "--everywhere"]);
        let notes =
            format!("{login} at {home}/src on {host} wrote to {email}, {login}@{host}.example: ok");
        let mut signed = BTreeSet::new();
        signed.insert(person.log(&notes).0.unwrap());
        signed.insert(person.log("").0.unwrap());
        for name in [&login, &host] {
            person.ok(&[&SEED[..6], &["--tag", &format!("agent={name}")]].concat());
        }
        let rows = serde_json::json!({
            "model": "m", "prompt_tokens": 1, "completion_tokens": 2, "task_success": true,
            "task_type": "plan", "duration_ms": 3, "notes": notes,
        });
        person.ok_with(&["batch"], &rows.to_string());
        let event = ["event", "command.completed", "--command", &notes, "--attr", "why=x"];
        let [role, attr] = [format!("{login}-{host}"), format!("at={email}")];
        person.ok(&[&event[..], &["--role", &role, "--attr", &attr, "--error", &notes]].concat());
        prop_assert!(sandbox.read(".telemetry/events.jsonl").contains("\"user\":\"u_"));
        person.ok(&["amend", "--last", "--success", "false", "--notes", &notes]);
        signed.extend(sandbox.rows().iter().filter_map(|row| user(row)));
        prop_assert!(signed.len() == 1 && is_pseudonym(signed.first().unwrap()), "{:?}", signed);
        prop_assert!(sandbox.rows().iter().filter(|row| row.contains("[redacted:")).count() >= 3);

        let mut seen = 0;
        let state = person.key().parent().unwrap().to_owned();
        let kept = fs::read_dir(state).into_iter().flatten().map(|it| it.unwrap().path());
        let kept = kept.map(|path| (path.clone(), fs::read(path).unwrap()));
        for (path, bytes) in sandbox.snapshot().into_iter().chain(kept) {
            if path.starts_with(sandbox.path(".git")) {
                continue;
            }
            seen += 1;
            let text = text(&bytes).to_lowercase();
            for word in [&*login, &*host, &*mailbox, &*domain, home] {
                prop_assert!(!text.contains(word), "{}: {word}: {text}", path.display());
            }
        }
        prop_assert!(seen >= 4, "the test has lost its eyes");
        Ok(())
    });
    tried.unwrap();
}
