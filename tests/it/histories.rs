//! Random histories: three branches log, rotate, merge, squash, pick, rebase, revert and stash, and
//! in the end meet in all orders. `HISTORIES=200 cargo test histories` plays so many, as
//! `scripts/torture.sh` does; `HISTORIES=12..13` plays that of one seed.
//!
//! What is true is kept beside git: every row that was logged and committed is counted once in the
//! end. Rows whose own commit was reverted may be there or not: git brings a reverted line back
//! where another branch has it, and union keeps it at once; no rule of ours could tell what was
//! meant. All others may neither be missing nor be counted twice because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;

use crate::branches::{Branches, Way};
use crate::storms::Dice;

/// The seeds of the histories that are played: so many, or `FROM..TO`.
fn seeds() -> Range<u64> {
    let asked = std::env::var("HISTORIES").unwrap_or("8".to_owned());
    let (from, to) = asked.split_once("..").unwrap_or(("0", &asked));
    from.parse().unwrap()..to.parse().unwrap()
}

const BRANCHES: [&str; 3] = ["one", "two", "three"];

/// Seconds between two steps, less than clocks differ.
const STEP_S: u64 = 7;

struct History {
    it: Branches,
    dice: Dice,
    seed: u64,
    step: u64,
    /// Rows so far; each has a model of its own, by which the report tells it.
    rows: u64,
    /// Rows whose commit was reverted.
    loose: BTreeSet<String>,
    /// What was done, to be told when it went wrong.
    told: String,
}

impl History {
    fn play(way: Way, seed: u64) -> History {
        let mut history = History {
            it: Branches::new(way),
            dice: Dice(seed),
            seed,
            step: 0,
            rows: 0,
            loose: BTreeSet::new(),
            told: String::new(),
        };
        history.log("4K");
        history.it.commit("base");
        BRANCHES.iter().for_each(|branch| history.it.branch(branch));
        for _ in 0..30 + history.dice.below(16) {
            history.step += 1;
            history.it.tick();
            history.step();
        }
        history
    }

    fn step(&mut self) {
        let here = BRANCHES[self.dice.below(3) as usize];
        let there = *self.one_of(&BRANCHES.map(|it| if it == here { "" } else { it }));
        self.it.switch(here);
        let what = match self.dice.below(100) {
            0..36 => {
                self.log("600");
                self.it.commit("rows");
                "append"
            }
            36..44 => {
                self.log("100");
                self.it.commit("rotated");
                "rotate"
            }
            44..58 => {
                self.it.join(&["merge", "--quiet", "--no-edit", there]);
                "merge"
            }
            58..65 => {
                self.it.join(&["merge", "--quiet", "--squash", there]);
                if !self.it.git(&["status", "--porcelain"]).is_empty() {
                    self.it.commit("squashed");
                }
                "squash"
            }
            65..77 => self.pick(there),
            77..83 => {
                self.it.join(&["rebase", "--quiet", there]);
                "rebase"
            }
            83..88 => self.revert_code(),
            88..91 => self.revert_rows(),
            _ => self.stash(),
        };
        writeln!(self.told, "{}: {what} on {here}, of {there}", self.step).unwrap();
        assert_eq!(self.it.git(&["status", "--porcelain"]), "", "{}", self.told);
    }

    fn one_of<'a, T: Default + PartialEq>(&mut self, all: &'a [T]) -> &'a T {
        let some: Vec<&T> = all.iter().filter(|it| **it != T::default()).collect();
        some[self.dice.below(some.len() as u64) as usize]
    }

    /// Logs one to three rows by clocks that differ, in zones that differ.
    fn log(&mut self, max_size: &str) {
        let mut batch = "timestamp,model,prompt_tokens,completion_tokens,task_success,task_type,\
            duration_ms,notes\n"
            .to_owned();
        for _ in 0..1 + self.dice.below(3) {
            let skewed = 3600 + self.step * STEP_S + self.dice.below(41) - 20;
            let (hour, zone) = self.one_of(&[(9, "Z"), (11, "+02:00"), (4, "-05:00")]);
            let (hour, minute) = (hour + skewed / 3600, skewed / 60 % 60);
            let (row, second) = (self.rows, skewed % 60);
            writeln!(
                batch,
                "2026-02-23T{hour:02}:{minute:02}:{second:02}{zone},row-{row},1,2,true,plan,3,"
            )
            .unwrap();
            self.rows += 1;
        }
        let mut command = self.it.sandbox.command("log-usage");
        command.args(["batch", "--durability", "none", "--max-size", max_size]);
        command.write_stdin(batch).assert().success();
    }

    /// Picks one of the newest commits of another branch.
    fn pick(&mut self, there: &str) -> &'static str {
        let range = format!("HEAD..{there}");
        let newest = self.it.git(&["rev-list", "--no-merges", "--max-count=8", &range]);
        let newest: Vec<&str> = newest.lines().collect();
        if newest.is_empty() {
            return "nothing to pick";
        }
        let picked = newest[self.dice.below(newest.len() as u64) as usize];
        self.it.join(&["cherry-pick", picked]);
        "pick"
    }

    /// Changes code, and reverts it with rows between.
    fn revert_code(&mut self) -> &'static str {
        self.it.sandbox.write(&format!("code-{}", self.step), "");
        self.it.commit("code");
        let code = self.it.git(&["rev-parse", "HEAD"]);
        self.log("600");
        self.it.commit("rows");
        self.it.join(&["revert", "--no-edit", code.trim()]);
        "revert of code"
    }

    /// Reverts one of the last commits with rows in it.
    fn revert_rows(&mut self) -> &'static str {
        let newest = self.it.git(&["rev-list", "--no-merges", "--max-count=3", "HEAD"]);
        let newest: Vec<&str> = newest.lines().collect();
        let reverted = newest[self.dice.below(newest.len() as u64) as usize];
        let carried = self.carried(reverted);
        // One that brought half the history makes the rest of the test blind.
        if carried.is_empty() || carried.len() > 4 {
            return "nothing to revert";
        }
        self.it.join(&["revert", "--no-edit", reverted]);
        self.loose.extend(carried);
        "revert of rows"
    }

    /// The rows that a commit added, and not only moved.
    fn carried(&self, commit: &str) -> BTreeSet<String> {
        let diff = self.it.git(&["show", "--format=", "--no-renames", commit, "--", ".telemetry"]);
        let marked = |mark: &str| -> BTreeSet<String> {
            let lines = diff.lines().filter_map(|line| line.strip_prefix(mark));
            let rows = lines.filter(|line| line.starts_with("2026-"));
            rows.filter_map(|row| Some(row.split(',').nth(1)?.to_owned())).collect()
        };
        marked("+").difference(&marked("-")).cloned().collect()
    }

    /// Rows wait in the stash while others are committed.
    fn stash(&mut self) -> &'static str {
        self.log("600");
        // A revert of its first rows takes the ledger out of git, and git stashes what it knows.
        let ledger = self.it.git(&["ls-files", ".telemetry/usage.csv"]);
        if self.it.way != Way::Fragments && ledger.is_empty() {
            self.it.commit("rows");
            return "nothing to stash";
        }
        // A new fragment is a file that git does not know. Elsewhere such files are segments, whose
        // names come again: git would not put the stashed one over the other, and we drop the stash.
        let stash = ["stash", "--quiet", "--include-untracked"];
        self.it.git(if self.it.way == Way::Fragments { &stash } else { &stash[..2] });
        self.log("600");
        self.it.commit("rows");
        self.it.join(&["stash", "pop", "--quiet"]);
        self.it.commit("popped");
        "stash"
    }

    /// Every row as the reader counts it.
    fn counted(&self) -> BTreeMap<String, u64> {
        let report = self.it.sandbox.json(&["--by", "model"]);
        assert_eq!(report["skipped"]["rows"], 0, "{}{}", self.told, report["skipped"]);
        let models = report["by_model"].as_array().unwrap();
        let counted: BTreeMap<String, u64> = models
            .iter()
            .map(|it| (it["model"].as_str().unwrap().to_owned(), it["rows"].as_u64().unwrap()))
            .collect();
        assert_eq!(counted.values().sum::<u64>(), report["totals"]["rows"].as_u64().unwrap());
        counted
    }

    /// Merges branches one after the other into a new one.
    fn meet(&mut self, name: &str, branches: &[&str]) {
        self.it.git(&["checkout", "--quiet", "-b", name, branches[0]]);
        for branch in &branches[1..] {
            self.it.tick();
            self.it.join(&["merge", "--quiet", "--no-edit", branch]);
        }
    }

    fn check(&self, name: &str) {
        let said = || format!("{:?}, seed {}: {name}\n{}", self.it.way, self.seed, self.told);
        let counted = self.counted();
        let all: BTreeSet<String> = (0..self.rows).map(|row| format!("row-{row}")).collect();
        let there = counted.keys().cloned().collect();
        let missing: Vec<&String> = all.difference(&there).collect();
        let missing: Vec<_> = missing.iter().filter(|it| !self.loose.contains(**it)).collect();
        assert!(missing.is_empty(), "missing {missing:?}: {}", said());
        let extra: Vec<_> =
            counted.iter().filter(|(it, n)| **n > 1 || !all.contains(*it)).collect();
        assert!(extra.is_empty(), "extra {extra:?}: {}", said());
        let lines = self.it.lines();
        if self.it.way == Way::Driver {
            let twice: Vec<_> = lines.iter().filter(|(_, times)| **times > 1).collect();
            assert!(twice.is_empty(), "twice in a file {twice:?}: {}", said());
        }
    }

    fn live(&self, name: &str) -> String {
        self.it.git(&["show", &format!("{name}:.telemetry/usage.csv")])
    }
}

/// Plays all histories in one way; gives how many rows, conflicts and calls of the driver there were.
fn play(way: Way) {
    let (mut rows, mut loose, mut conflicts, mut calls, mut same) = (0, 0, 0, 0, 0);
    for seed in seeds() {
        let mut history = History::play(way, seed);
        let [one, two, three] = BRANCHES;
        history.meet("forth", &[one, two, three]);
        history.check("forth");
        history.meet("two-one", &[two, one]);
        history.meet("back", &[three, "two-one"]);
        history.check("back");
        history.meet("others-first", &[three, two, one]);
        history.check("others-first");
        if way == Way::Driver {
            // Whichever is ours; which two meet first can matter to where a row stands.
            let said = format!("seed {seed}\n{}", history.told);
            assert_eq!(history.live("forth"), history.live("back"), "{said}");
            same += u64::from(history.live("forth") == history.live("others-first"));
            assert_eq!(history.it.calls().1, 0, "the driver had a doubt: {said}");
        }
        rows += history.rows;
        loose += history.loose.len() as u64;
        conflicts += history.it.conflicts;
        calls += history.it.calls().0;
    }
    eprintln!(
        "{way:?}: {rows} rows in {} histories, {loose} of them reverted; {conflicts} conflicts, \
         {calls} calls of the driver; the same live file if others meet first: {same}",
        seeds().count()
    );
    // A few histories by themselves may be full of them.
    assert!(
        seeds().count() < 8 || loose * 10 < rows,
        "the test goes blind: {loose} of {rows} rows were reverted"
    );
    assert_eq!(calls > 0, way == Way::Driver);
    assert!(way != Way::Plain || conflicts >= seeds().count());
    // Only where a revert deleted a fragment that git then takes for a renamed one.
    assert!(way != Way::Fragments || conflicts as u64 <= loose, "{conflicts} conflicts");
}

#[test]
fn the_driver_keeps_every_row_once() {
    play(Way::Driver);
}

#[test]
fn union_alone_keeps_every_row_once() {
    play(Way::Union);
}

#[test]
fn without_attributes_every_row_is_kept_once() {
    play(Way::Plain);
}

#[test]
fn fragments_never_conflict_and_keep_every_row_once() {
    play(Way::Fragments);
}
