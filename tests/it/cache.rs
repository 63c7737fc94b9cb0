//! What is kept of sealed segments changes no figure, whatever became of it or of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use usage_ledger::engine;
use usage_ledger::engine::cache::Cache;
use usage_ledger::engine::inputs;
use usage_ledger::engine::query::Query;
use usage_ledger::render::FORMATS;
use usage_ledger::render::terminal::Screen;
use usage_ledger::report::dimension::Dimension;
use usage_ledger::report::selection::{Bound, Selection};
use usage_ledger::report::{self, Ask};
use usage_ledger::row::TaskType;
use usage_ledger::timestamp::{Day, Timestamp};
use usage_ledger::workspace::Place;

use crate::sandbox::{HEADER, Sandbox};

/// Files as old as sealed segments are: nobody knows what was changed a moment ago.
fn age(path: &Path) {
    let past = SystemTime::now() - Duration::from_secs(3_600);
    File::options().write(true).open(path).unwrap().set_modified(past).unwrap();
}

fn segment(number: usize) -> String {
    format!(".telemetry/archive/usage-2026022{number}T000000Z-0000000{number}.csv")
}

/// Three sealed segments and an active one, three rows each, a day apart.
fn sealed() -> Sandbox {
    let sandbox = Sandbox::repository();
    for number in 1..=4 {
        let mut text = format!("{HEADER}\n");
        for (model, task_type) in
            [("claude-3-opus", "plan"), ("b", "execute"), ("claude-3-opus", "quick")]
        {
            let hour = text.lines().count();
            let notes = "n".repeat(600);
            text += &format!(
                "2026-02-2{number}T0{hour}:00:00Z,{model},{number},2,true,{task_type},{hour},{notes}\n"
            );
        }
        match number {
            4 => sandbox.write(".telemetry/usage.csv", text),
            number => {
                sandbox.write(&segment(number), text);
                age(&sandbox.path(segment(number)));
            }
        }
    }
    sandbox
}

/// Every file that is kept.
fn kept(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folders = fs::read_dir(sandbox.path("../home/.cache/usage-ledger"));
    let files =
        folders.into_iter().flatten().flat_map(|it| fs::read_dir(it.unwrap().path()).unwrap());
    let mut files: Vec<PathBuf> = files.map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

const QUESTIONS: [&[&str]; 9] = [
    &[],
    &["--format", "json", "--daily"],
    &["--weekly"],
    &["--by", "file", "--format", "csv"],
    &["--by", "hour", "--format", "csv"],
    &["--model", "claude*"],
    &["--since", "2026-02-22", "--until", "2026-02-23"],
    &["--since", "2026-02-22T02:30:00Z"],
    &["--task-type", "plan", "--format", "json"],
];

/// Every question has the answer that reading everything gives, twice.
fn assert_right(sandbox: &Sandbox, what: &str) {
    for question in QUESTIONS {
        let expected = sandbox.ok("usage-report", &[question, &["--no-cache"]].concat());
        for time in ["first", "second"] {
            assert_eq!(
                sandbox.ok("usage-report", question),
                expected,
                "{what}, {time} {question:?}"
            );
        }
    }
}

#[test]
fn sealed_segments_are_summed_once() {
    let sandbox = sealed();
    let before = sandbox.snapshot();
    sandbox.ok("usage-report", &["--no-cache"]);
    assert_eq!(kept(&sandbox), [""; 0].map(PathBuf::from));
    assert_right(&sandbox, "untouched");
    assert_eq!(sandbox.snapshot(), before);
    let names = kept(&sandbox);
    assert_eq!(names.len(), 7, "{names:?}");
    // A segment that is changed in its middle, behind everyone's back, is not read again.
    let segment = sandbox.path(segment(2));
    let text = fs::read_to_string(&segment).unwrap();
    let modified = segment.metadata().unwrap().modified().unwrap();
    fs::write(&segment, text.replace(",b,2,2,", ",b,9,2,")).unwrap();
    let file = File::options().write(true).open(&segment).unwrap();
    file.set_modified(modified).unwrap();
    let (told, read) =
        (sandbox.ok("usage-report", &[]), sandbox.ok("usage-report", &["--no-cache"]));
    assert_ne!(told, read);
}

#[test]
fn a_damaged_cache_is_none() {
    let sandbox = sealed();
    assert_right(&sandbox, "untouched");
    for path in kept(&sandbox) {
        let good = fs::read(&path).unwrap();
        let step = (good.len() / 12).max(1);
        for at in (0..good.len()).step_by(step) {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            assert_right_once(&sandbox, &format!("{} flipped at {at}", path.display()));
            fs::write(&path, &good[..at]).unwrap();
            assert_right_once(&sandbox, &format!("{} cut at {at}", path.display()));
        }
    }
    // Each file in the place of each other.
    for from in kept(&sandbox) {
        for to in kept(&sandbox) {
            fs::write(&to, fs::read(&from).unwrap()).unwrap();
        }
        assert_right_once(&sandbox, &format!("{} everywhere", from.display()));
    }
}

fn assert_right_once(sandbox: &Sandbox, what: &str) {
    for question in [QUESTIONS[0], QUESTIONS[1]] {
        let expected = sandbox.ok("usage-report", &[question, &["--no-cache"]].concat());
        assert_eq!(sandbox.ok("usage-report", question), expected, "{what} {question:?}");
    }
}

#[test]
fn what_changes_is_read_again() {
    let sandbox = sealed();
    assert_right(&sandbox, "untouched");
    let change = |name: &str, change: &dyn Fn(String) -> String| {
        sandbox.write(name, change(sandbox.read(name)));
        age(&sandbox.path(name));
        assert_right(&sandbox, name);
    };
    let (first, active) = (segment(1), ".telemetry/usage.csv");
    change(&first, &|text| text.replace(",a,1,2,", ",a,7,2,"));
    change(&first, &|text| text + "2026-02-21T23:00:00Z,c,1,2,true,plan,3,\n");
    change(&first, &|text| text + "2026-02-21T23:00:00Z,c,1,2,yes,plan,3,\n");
    change(&first, &|text| text + "=======\n");
    // What is left out is named in the order of the files, wherever it is known from.
    let backup = ".telemetry/usage_backup_20260101_000000.csv";
    sandbox.write(backup, format!("{HEADER}\n"));
    change(backup, &|text| text + "2026-01-01T00:00:00Z,m,1,2,no,plan,3,\n");
    change(active, &|text| text + "2026-02-25T00:00:00Z,m,1,2,no,plan,3,\n");
    // Rows of the time of a sealed segment: one that it has, one that stands for one of it.
    let repeated = sandbox.read(&segment(2)).lines().nth(1).unwrap().to_owned();
    change(active, &|text| format!("{text}{repeated}\n"));
    change(active, &|text| text + "2026-02-23T01:00:00Z,a,5,2,true,plan,1,{source=s id=t}\n");
    change(&segment(3), &|text| {
        text + "2026-02-23T01:00:00Z,a,4,2,true,plan,1,{source=s id=t rev=1}\n"
    });
    change(&segment(2), &|text| text.replace("2026-02-22", "2026-02-23"));
    fs::remove_file(sandbox.path(segment(2))).unwrap();
    assert_right(&sandbox, "removed");
    fs::remove_dir_all(sandbox.path("../home/.cache")).unwrap();
    assert_right(&sandbox, "cleared");
}

/// A full disk once is no reason to read a segment at each report from then on.
#[test]
fn what_could_not_be_kept_is_kept_the_next_time() {
    let sandbox = sealed();
    assert_right(&sandbox, "untouched");
    let is_of =
        |path: &Path, ending: &str| path.to_string_lossy().ends_with(&format!("2.csv{ending}"));
    let find = |ending| kept(&sandbox).into_iter().find(|path| is_of(path, ending)).unwrap();
    let (sums, range) = (find(".sums"), find(".range"));
    fs::remove_file(&range).unwrap();
    fs::remove_file(&sums).unwrap();
    fs::create_dir(&sums).unwrap();
    assert_right(&sandbox, "not kept");
    assert!(!range.exists());
    fs::remove_dir(&sums).unwrap();
    assert_right(&sandbox, "kept again");
    assert!(sums.is_file() && range.is_file());
}

/// Two changes within one tick of the file system's clock look like one.
#[test]
fn what_changed_a_moment_ago_is_not_known() {
    let sandbox = sealed();
    let segment = sandbox.path(segment(2));
    let text = fs::read_to_string(&segment).unwrap();
    let now = SystemTime::now();
    for tokens in 3..6 {
        fs::write(&segment, text.replace(",b,2,2,", &format!(",b,{tokens},2,"))).unwrap();
        File::options().write(true).open(&segment).unwrap().set_modified(now).unwrap();
        assert_right(&sandbox, "just changed");
    }
}

#[test]
fn a_cache_that_cannot_be_is_not_missed() {
    let sandbox = sealed();
    sandbox.write("../home/.cache", "a file where the folder should be");
    assert_right(&sandbox, "no folder");
    let output = sandbox.command("usage-report").env_remove("HOME").output().unwrap();
    assert!(output.status.success());
    let sandbox = Sandbox::with_rows(&["2026-02-23T22:19:12Z,m,1,2,true,plan,3,"]);
    assert_right(&sandbox, "nothing sealed");
    assert!(!sandbox.path("../home/.cache").exists());
}

/// Whatever stands where sums are kept, no report waits for it, and nothing else is removed.
#[cfg(unix)]
#[test]
fn what_is_not_ours_is_left_alone() {
    let sandbox = sealed();
    assert_right(&sandbox, "untouched");
    let folder = kept(&sandbox)[0].parent().unwrap().to_owned();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    for path in kept(&sandbox).iter().filter(|path| !path.ends_with("notes.txt")) {
        fs::remove_file(path).unwrap();
        sandbox.ok("mkfifo", &[path.to_str().unwrap()]);
    }
    assert_right(&sandbox, "pipes");
    fs::remove_file(sandbox.path(segment(2))).unwrap();
    assert_right(&sandbox, "removed");
    assert!(folder.join("notes.txt").exists());
    assert!(!kept(&sandbox).iter().any(|path| path.to_string_lossy().contains("00000002")));
}

#[cfg(unix)]
#[test]
fn what_is_kept_is_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = sealed();
    sandbox.ok("usage-report", &[]);
    for path in kept(&sandbox) {
        for path in [path.as_path(), path.parent().unwrap()] {
            assert_eq!(
                path.metadata().unwrap().permissions().mode() & 0o077,
                0,
                "{}",
                path.display()
            );
        }
    }
}

/// The answer as programs get it.
fn answer(place: &Place, query: &Query, cache: Option<&Cache>) -> String {
    let inputs = inputs::of_ledger(place, "", true).unwrap().inputs;
    let (aggregate, left_out) = engine::sum(&inputs, query, cache, &|_| ()).unwrap();
    let border = inputs.first().and_then(|input| input.border);
    let ask = Ask { by: query.by.clone(), border, ..Ask::default() };
    let json = FORMATS.iter().find(|format| format.name == "json").unwrap();
    (json.render)(
        &report::build(&aggregate, left_out, &ask),
        Screen { width: 80, has_colour: false },
    )
}

proptest! {
    /// Whatever rows are in whatever files, and whatever is asked.
    #[test]
    fn what_is_kept_changes_no_figure(
        rows in prop::collection::vec((0usize..4, 0u32..40, 0usize..8, any::<bool>()), 0..40),
        is_in_order: bool,
        more in prop::collection::vec((0usize..4, 0u32..40, 0usize..8, any::<bool>()), 0..3),
        query in (0usize..12, 0usize..4, 0u32..40),
        borders in prop::collection::vec((prop::option::of(1u32..11), 0u8..3), 2),
    ) {
        let notes =
            ["", "{cost_usd=0.250000}", "", "{id=a}", "{id=a rev=1}", "{source=s id=b}", "{source=s id=b rev=2}", "{role=sub}"];
        let sandbox = Sandbox::new();
        let place = Place::in_repository(&sandbox.path(""));
        let moment = |number: u32| format!("2026-02-{:02}T{:02}:00:00Z", 1 + number / 4, number % 4 * 6);
        let line = |(file, number, kind, odd): &(usize, u32, usize, bool)| {
            let number = if is_in_order { *file as u32 * 10 + number / 4 } else { *number };
            let (model, success) = if *odd { ("claude-3-opus", "yes") } else { ("b", "true") };
            let success = if *kind == 2 { success } else { "true" };
            format!("{},{model},{kind},2,{success},plan,{number},{}\n", moment(number), notes[*kind])
        };
        let write = |rows: &[(usize, u32, usize, bool)]| {
            for file in 0..4 {
                let mut lines: Vec<String> =
                    rows.iter().filter(|row| row.0 == file).map(line).collect();
                if is_in_order {
                    lines.sort();
                }
                let name = if file == 3 { ".telemetry/usage.csv".to_owned() } else { segment(file) };
                sandbox.write(&name, format!("{HEADER}\n{}", lines.concat()));
                age(&sandbox.path(&name));
            }
        };
        let moment = Timestamp::parse(&moment(query.2)).unwrap();
        let (since, until) = match query.1 {
            0 => (None, None),
            1 => (Some(Bound::Day(moment.day())), None),
            2 => (Some(Bound::Moment(moment.instant())), None),
            _ => (Some(Bound::Day(Day(0))), Some(Bound::Moment(moment.instant()))),
        };
        let by = Dimension::ALL.get(query.0).map(|(dimension, _)| *dimension);
        let task_types = if query.2 == 7 { vec![TaskType::Quick] } else { Vec::new() };
        let selection = Selection { since, until, task_types, ..Selection::default() };
        let asked = Query { selection, by: by.into_iter().collect(), ..Query::default() };
        let cache = Cache::of(&sandbox.path("cache"), &place.active());
        let mut rows = rows;
        write(&rows);
        for (border, price) in borders {
            // A model's price changed, or nobody knows it any more.
            let listed = if price > 0 { format!("b,{price},3\n") } else { String::new() };
            sandbox.write(".telemetry/prices.csv", format!("model,input_per_mtok,output_per_mtok\n{listed}"));
            // Whatever was kept before the border moved.
            let border = border.map(|day| format!("2026-02-{day:02}\n")).unwrap_or_default();
            sandbox.write(".telemetry/pruned", border);
            for query in [&asked, &Query::default(), &asked, &Query::default()] {
                prop_assert_eq!(answer(&place, query, Some(&cache)), answer(&place, query, None));
            }
            // Most of what comes later is in the active segment.
            let later = more.iter().map(|(_, number, kind, odd)| (3, *number, *kind, *odd));
            rows.extend(if is_in_order { later.collect() } else { more.clone() });
            write(&rows);
        }
    }
}
