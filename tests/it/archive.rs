//! `archive` and `restore`: segments are compressed, moved away and put back, and whatever happens on
//! the way, no row is lost and none counted twice.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use flate2::read::MultiGzDecoder;
use usage_ledger::ledger::archive::Archive;

use crate::faults::has_strace;
use crate::sandbox::{HEADER, Sandbox, text};

/// A row of a day of 2026, told apart from all others by its tokens.
pub(crate) fn row(month: u32, day: u32, tokens: u32) -> String {
    let minute = tokens % 60;
    format!("2026-{month:02}-{day:02}T09:{minute:02}:00Z,m{},{tokens},1,true,plan,1000,", day % 3)
}

fn rows(month: u32, first_tokens: u32) -> Vec<String> {
    (0..20).map(|n| row(month, 1 + n, first_tokens + n)).collect()
}

pub(crate) fn file(rows: &[String]) -> String {
    rows.iter().fold(format!("{HEADER}\n"), |text, row| text + row + "\n")
}

pub(crate) const JANUARY: &str = ".telemetry/archive/usage-20260101T094000Z-00000001.csv";
pub(crate) const FEBRUARY: &str = ".telemetry/archive/usage-20260201T090000Z-00000002.csv";
const MARCH: &str = ".telemetry/archive/usage-20260301T092000Z-00000003.csv";

/// Three sealed segments, one for each month, and the active one; all committed.
pub(crate) fn months() -> Sandbox {
    let sandbox = Sandbox::repository();
    sandbox.ok("log-usage", &["init", "--quiet"]);
    for (name, month, tokens) in [(JANUARY, 1, 100), (FEBRUARY, 2, 120), (MARCH, 3, 140)] {
        sandbox.write(name, file(&rows(month, tokens)));
    }
    sandbox.write(".telemetry/usage.csv", file(&rows(4, 160)));
    sandbox.commit("2026-05-01", "rows");
    sandbox
}

/// What the months come to.
pub(crate) const ROWS: u64 = 80;

/// What reports of every kind say.
fn reports(sandbox: &Sandbox) -> Vec<String> {
    [
        &[][..],
        &["--no-cache"],
        &["--format", "json", "--by", "day,hour,weekday,month"],
        &["--format", "csv", "--daily"],
        &["--format", "table"],
        &["--since", "2026-01-15", "--until", "2026-03-02", "--format", "json"],
        &["--model", "m1"],
    ]
    .map(|arguments| sandbox.ok("usage-report", arguments))
    .to_vec()
}

fn counted(sandbox: &Sandbox) -> (u64, u64) {
    let report = sandbox.json(&[]);
    let number = |pointer: &str| report.pointer(pointer).unwrap().as_u64().unwrap();
    (number("/totals/rows"), number("/duplicates"))
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn refused(sandbox: &Sandbox, arguments: &[&str], code: i32, words: &[&str]) {
    let output = sandbox.run("log-usage", arguments);
    let said = text(&output.stderr) + &text(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    words.iter().for_each(|it| assert!(said.contains(it), "{arguments:?} without {it}: {said}"));
}

#[test]
fn compressed_segments_are_read_as_they_were() {
    let sandbox = months();
    let before = reports(&sandbox);
    let files = sandbox.snapshot();
    let told = sandbox.ok("log-usage", &["archive", "--dry-run", "--before", "2026-03-01"]);
    assert!(told.starts_with("would compress 40 rows in 2 segments"), "{told}");
    assert_eq!(sandbox.snapshot(), files);
    let text = sandbox.read(JANUARY);
    let told = sandbox.ok("log-usage", &["archive", "--before", "2026-03-01"]);
    assert!(told.starts_with("compressed 2 segments: of "), "{told}");
    assert!(told.contains("\ncommit it all: git add "), "{told}");
    assert!(!sandbox.path(JANUARY).exists() && sandbox.path(MARCH).exists());
    let packed = format!("{JANUARY}.gz");
    assert_eq!(unpacked(&sandbox.path(&packed)), text);
    for _ in 0..2 {
        assert_eq!(reports(&sandbox), before);
    }
    let verified = sandbox.ok("usage-report", &["verify"]);
    assert_eq!(verified, "80 rows in 4 files: nothing found\n");
    // git's objects are read as well as files.
    let committed = sandbox.ok("usage-report", &["--committed"]);
    sandbox.commit("2026-05-02", "compressed");
    assert_eq!(sandbox.ok("usage-report", &["--committed"]), committed);
    let since = sandbox.json(&["--range", "HEAD~1..HEAD"]);
    assert_eq!(since["totals"]["rows"], 0);
    // One that is named is read, too, and never written to.
    let named = sandbox.json(&["--file", &packed]);
    assert_eq!(named["totals"]["rows"], 20);
    let bytes = fs::read(sandbox.path(&packed)).unwrap();
    let log = ["--file", &packed, "m", "1", "2", "true", "plan", "3"];
    assert_eq!(sandbox.run("log-usage", &log).status.code(), Some(1));
    assert_eq!(fs::read(sandbox.path(&packed)).unwrap(), bytes);
    // Once more changes nothing but what is left.
    sandbox.ok("log-usage", &["archive"]);
    assert_eq!(reports(&sandbox), before);
    let files = sandbox.snapshot();
    let told = sandbox.ok("log-usage", &["archive"]);
    assert_eq!(told, "nothing to compress: no sealed segment\n");
    assert_eq!(sandbox.snapshot(), files);
}

#[test]
fn every_command_knows_the_rows_of_compressed_segments() {
    let sandbox = months();
    let known = rows(1, 100);
    sandbox.ok("log-usage", &["archive"]);
    sandbox.commit("2026-05-02", "compressed");
    let batch = format!("{HEADER}\n{}\n{}\n", known[3], row(4, 28, 999));
    sandbox.command("log-usage").arg("batch").write_stdin(batch).assert().success();
    assert_eq!(counted(&sandbox), (ROWS + 1, 0));
    let listed = sandbox.ok("log-usage", &["amend", "--list", "99"]);
    assert!(listed.contains("2026-01-01T09:40:00Z"), "{listed}");
    let repaired = sandbox.ok("log-usage", &["repair"]);
    assert!(repaired.ends_with("nothing to repair\n"), "{repaired}");
    let shown = sandbox.ok("log-usage", &["consent", "show", "--last", "99"]);
    assert!(shown.contains(&known[19]), "{shown}");
    let exported = sandbox.ok("log-usage", &["consent", "export"]);
    assert!(exported.contains(&known[0]), "{exported}");
    let by_commit = sandbox.json(&["--by", "commit"]);
    assert_eq!(by_commit["by_commit"][0]["rows"], ROWS);
    assert_eq!(by_commit["by_commit"][1]["rows"], 1, "the row that is not committed");
    // What is left of a segment stays compressed.
    sandbox.ok("log-usage", &["prune", "--before", "2026-01-11", "--yes"]);
    let left = unpacked(&sandbox.path(format!("{JANUARY}.gz")));
    assert_eq!(left, file(&known[10..]));
    assert_eq!(counted(&sandbox), (ROWS + 1 - 10, 0));
    sandbox.ok("log-usage", &["prune", "--before", "2026-02-01", "--yes"]);
    assert!(!sandbox.path(format!("{JANUARY}.gz")).exists());
    assert_eq!(counted(&sandbox), (ROWS + 1 - 20, 0));
}

/// The rows that were sealed and compressed before any commit had them are somebody's all the same.
#[test]
fn a_row_that_only_a_compressed_segment_ever_had_has_its_commit() {
    let sandbox = months();
    let late = ".telemetry/archive/usage-20260315T090000Z-00000009.csv";
    sandbox.write(late, file(&[row(3, 25, 500), row(3, 26, 501)]));
    sandbox.ok("log-usage", &["archive"]);
    sandbox.commit("2026-05-02", "late");
    let report = sandbox.json(&["--by", "commit"]);
    let commits = report["by_commit"].as_array().unwrap();
    let of = |at: usize| (commits[at]["subject"].as_str().unwrap(), commits[at]["rows"].clone());
    assert_eq!(commits.len(), 2, "{commits:?}");
    assert_eq!(of(0), ("late", 2.into()));
    assert_eq!(of(1), ("rows", ROWS.into()));
}

/// Two clones that compress the same segment meet in the same bytes.
#[test]
fn the_same_segment_becomes_the_same_file() {
    let packed = [(); 2].map(|()| {
        let sandbox = months();
        sandbox.ok("log-usage", &["archive"]);
        fs::read(sandbox.path(format!("{MARCH}.gz"))).unwrap()
    });
    assert_eq!(packed[0], packed[1]);
    assert_eq!(packed[0][..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
}

#[test]
fn damage_to_a_compressed_segment_is_never_a_wrong_sum() {
    let sandbox = months();
    sandbox.ok("log-usage", &["archive"]);
    let path = sandbox.path(format!("{FEBRUARY}.gz"));
    let whole = fs::read(&path).unwrap();
    for (at, bit) in [(whole.len() / 2, 1), (whole.len() - 6, 4), (0, 1)] {
        let mut bytes = whole.clone();
        bytes[at] ^= bit;
        fs::write(&path, bytes).unwrap();
        for arguments in [&[][..], &["--no-cache"]] {
            let output = sandbox.run("usage-report", arguments);
            assert_eq!(output.status.code(), Some(1), "byte {at}");
            assert!(text(&output.stderr).contains("00000002.csv.gz"), "{}", text(&output.stderr));
        }
        let output = sandbox.run("usage-report", &["verify"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stdout).contains("00000002.csv.gz:1: begins a file that is damaged"));
        let output = sandbox.run("log-usage", &["doctor"]);
        assert!(text(&output.stdout).contains("00000002.csv.gz:1"), "{}", text(&output.stdout));
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(sandbox.run("usage-report", &[]).status.code(), Some(1));
    fs::write(&path, whole).unwrap();
    assert_eq!(counted(&sandbox), (ROWS, 0));
}

/// Rotation never takes the name of a segment that was compressed.
#[test]
fn a_compressed_segment_keeps_its_name() {
    let sandbox = Sandbox::new();
    let log = |stamp: &str| {
        let fields = ["m", "1", "2", "true", "plan", "3"];
        let options = ["--timestamp", stamp, "--max-size", "150", "--file", "usage.csv"];
        sandbox.ok("log-usage", &[&fields[..], &options].concat());
    };
    // As another branch may have begun its ledger with the same row.
    for n in 0..3 {
        sandbox.write("usage.csv", file(&[row(2, 1, 1), row(2, 2, n)]));
        log(&format!("2026-02-24T22:19:2{n}Z"));
        sandbox.ok("log-usage", &["archive", "--file", "usage.csv"]);
    }
    let names = fs::read_dir(sandbox.path("archive")).unwrap();
    let names: BTreeSet<String> =
        names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    let base = names.first().unwrap().split(".csv").next().unwrap().to_owned();
    let base = base.trim_end_matches("-2").trim_end_matches("-3");
    let expected = ["", "-2", "-3"].map(|number| format!("{base}{number}.csv.gz"));
    assert_eq!(names, BTreeSet::from(expected));
}

/// Moves everything from before March away, and gives the archive's path.
fn moved(sandbox: &Sandbox, to: &str) -> String {
    moved_rows(sandbox, to, 40)
}

fn moved_rows(sandbox: &Sandbox, to: &str, rows: u64) -> String {
    let to = sandbox.path("..").join(to).to_str().unwrap().to_owned();
    let told =
        sandbox.ok("log-usage", &["archive", "--to", &to, "--before", "2026-03-01", "--yes"]);
    assert!(told.starts_with(&format!("moved {rows} rows in 2 segments")), "{told}");
    to
}

#[test]
fn what_is_restored_is_as_it_was() {
    for (to, is_compressed) in [("vault", false), ("vault.tar", false), ("packed.tar", true)] {
        let sandbox = months();
        if is_compressed {
            sandbox.ok("log-usage", &["archive", "--before", "2026-02-01"]);
            sandbox.commit("2026-05-02", "compressed");
        }
        let (before, files) = (reports(&sandbox), ledger(&sandbox));
        let committed = sandbox.ok("usage-report", &["--committed"]);
        let to = moved(&sandbox, to);
        assert_eq!(counted(&sandbox), (40, 0));
        let said = "Not seen: 40 rows from 2026-01-01 to 2026-02-20, in 2 segments that went to an \
                    archive; `log-usage restore` puts them back.";
        assert!(sandbox.ok("usage-report", &[]).contains(said));
        assert!(sandbox.ok("usage-report", &["--format", "table"]).contains("Not seen: 40 rows"));
        assert!(!sandbox.ok("usage-report", &["--since", "2026-03-10"]).contains("Not seen"));
        let json = sandbox.json(&["--until", "2026-01-10"]);
        let expected = serde_json::json!(
            { "segments": 1, "rows": 20, "at_most": false, "from": "2026-01-01", "to": "2026-01-20" }
        );
        assert_eq!(json["archived"], expected);
        // Nothing was committed yet.
        assert_eq!(sandbox.ok("usage-report", &["--committed"]), committed);
        assert!(!sandbox.read(".telemetry/archived.csv").contains("vault"));
        sandbox.commit("2026-05-03", "moved");
        assert!(sandbox.ok("usage-report", &["--committed"]).contains(said));
        assert_eq!(sandbox.json(&["--all-branches"])["archived"]["segments"], 2);
        let verified = sandbox.ok("usage-report", &["verify", "--archive", &to]);
        assert_eq!(verified, "40 rows in 2 segments: nothing found\n");
        let vault = fs::metadata(&to).unwrap().modified().unwrap();
        let told = sandbox.ok("log-usage", &["restore", &to, "--dry-run"]);
        assert!(told.starts_with("would put back 40 rows in 2 segments:\n"), "{told}");
        let told = sandbox.ok("log-usage", &["restore", &to]);
        assert!(told.starts_with("put back 40 rows in 2 segments; the archive keeps"), "{told}");
        assert_eq!(fs::metadata(&to).unwrap().modified().unwrap(), vault);
        // The list stays, for git merges it with another branch's.
        let listed = sandbox.read(".telemetry/archived.csv");
        assert_eq!(listed, "segment,rows,first,last,bytes,sha256\n");
        let mut after = ledger(&sandbox);
        after.retain(|(path, _)| !path.ends_with("archived.csv"));
        assert!(after == files, "{to}: the ledger is another");
        assert_eq!(reports(&sandbox), before);
        sandbox.commit("2026-05-04", "restored");
        assert_eq!(sandbox.ok("usage-report", &["--committed"]), committed);
        let told = sandbox.ok("log-usage", &["restore", &to]);
        assert!(told.starts_with("nothing to restore"), "{told}");
        // Away once more is what it was.
        moved(&sandbox, Path::new(&to).file_name().unwrap().to_str().unwrap());
        assert_eq!(counted(&sandbox), (40, 0));
    }
}

/// All files of the ledger with their bytes, but locks.
fn ledger(sandbox: &Sandbox) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = sandbox.path(".telemetry");
    let mut files = sandbox.snapshot();
    files.retain(|(path, _)| {
        path.starts_with(&folder) && !path.file_name().unwrap().to_str().unwrap().contains(".lock")
    });
    files
}

#[test]
fn an_archive_is_added_to() {
    for to in ["vault", "vault.tar"] {
        let sandbox = months();
        let before = reports(&sandbox);
        let path = moved(&sandbox, to);
        sandbox.commit("2026-05-02", "moved");
        let more = ["archive", "--to", &path, "--before", "2026-04-01", "--yes"];
        assert!(sandbox.ok("log-usage", &more).starts_with("moved 20 rows in 1 segment;"));
        let verified = sandbox.ok("usage-report", &["verify", "--archive", &path]);
        assert_eq!(verified, "60 rows in 3 segments: nothing found\n");
        assert_eq!(sandbox.json(&[])["archived"]["rows"], 60);
        // One by its name, then the rest.
        let march = Path::new(MARCH).file_name().unwrap().to_str().unwrap();
        let told = sandbox.ok("log-usage", &["restore", &path, march]);
        assert!(told.starts_with("put back 20 rows in 1 segment;"), "{told}");
        assert_eq!(sandbox.json(&[])["archived"]["rows"], 40);
        sandbox.ok("log-usage", &["restore", &path]);
        assert_eq!(reports(&sandbox), before);
        refused(&sandbox, &["restore", &path, "usage-none.csv"], 2, &["has no segment"]);
        refused(&sandbox, &["restore", &format!("{path}-no")], 1, &["-no"]);
    }
    // tar knows it.
    let sandbox = months();
    let path = moved(&sandbox, "vault.tar");
    let listed = sandbox.ok("tar", &["tf", &path]);
    assert_eq!(listed.lines().next(), Some("manifest.csv"));
    assert_eq!(listed.lines().count(), 3);
}

/// Two repositories may share an archive, and each gets back what was its own.
#[test]
fn each_ledger_gets_back_its_own() {
    let (one, other) = (months(), months());
    let strange = ".telemetry/archive/usage-20260105T090000Z-0000000a.csv";
    other.write(strange, file(&[row(1, 5, 700)]));
    for name in [JANUARY, FEBRUARY] {
        fs::remove_file(other.path(name)).unwrap();
    }
    other.commit("2026-05-02", "another ledger");
    let path = moved(&one, "vault");
    other.ok("log-usage", &["archive", "--to", &path, "--before", "2026-03-01", "--yes"]);
    let verified = one.ok("usage-report", &["verify", "--archive", &path]);
    assert_eq!(verified, "41 rows in 3 segments: nothing found\n");
    one.ok("log-usage", &["restore", &path]);
    assert_eq!(counted(&one), (ROWS, 0));
    other.ok("log-usage", &["restore", &path]);
    assert_eq!(counted(&other), (41, 0));
    // What is of a ledger of another name is never taken for this one's.
    let named = ["restore", &path, strange, "--file", "team.csv"];
    refused(&one, &named, 2, &["is no segment of this ledger"]);
}

/// One bit at a time, of every byte of an archive.
#[test]
fn a_flipped_bit_is_found_and_named() {
    for to in ["vault", "vault.tar"] {
        let sandbox = months();
        sandbox.ok("log-usage", &["archive", "--before", "2026-02-01"]);
        sandbox.commit("2026-05-02", "compressed");
        let path = PathBuf::from(moved(&sandbox, to));
        let files: Vec<PathBuf> = match path.is_dir() {
            true => fs::read_dir(&path).unwrap().map(|it| it.unwrap().path()).collect(),
            false => vec![path.clone()],
        };
        assert_eq!(files.len(), if path.is_dir() { 3 } else { 1 }, "nothing else is there");
        for file in files {
            let whole = fs::read(&file).unwrap();
            let name = file.file_name().unwrap().to_str().unwrap();
            // What stands between the files of a tar is looked at byte for byte by its own tests.
            let step = if path.is_dir() { 1 } else { 7 };
            for at in (0..whole.len()).step_by(step) {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << (at % 8);
                fs::write(&file, &bytes).unwrap();
                let found = Archive::at(&path).verify().unwrap().findings;
                assert!(!found.is_empty(), "byte {at} of {name}");
                // The manifest may name what it should not.
                let is_named = found.iter().any(|it| it.starts_with(name));
                let is_of_many = name.ends_with(".tar") || name == "manifest.csv";
                assert!(is_named || is_of_many, "byte {at} of {name}: {found:?}");
            }
            let mut bytes = whole.clone();
            bytes[whole.len() / 2] ^= 1;
            fs::write(&file, &bytes).unwrap();
            let output =
                sandbox.run("usage-report", &["verify", "--archive", path.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(1));
            fs::write(&file, &whole[..whole.len() - 1]).unwrap();
            assert!(!Archive::at(&path).verify().unwrap().findings.is_empty());
            fs::write(&file, whole).unwrap();
        }
        assert_eq!(Archive::at(&path).verify().unwrap().findings, [""; 0]);
        // And nothing of a damaged one is put back.
        let (broken, word) = (path.to_str().unwrap(), "verify --archive");
        let file = if path.is_dir() {
            path.join(Path::new(FEBRUARY).file_name().unwrap())
        } else {
            path.clone()
        };
        let mut bytes = fs::read(&file).unwrap();
        let at = bytes.len() - 40;
        let at = if path.is_dir() { at } else { bytes.iter().rposition(|it| *it == b'm').unwrap() };
        bytes[at] ^= 1;
        fs::write(&file, bytes).unwrap();
        let before = ledger(&sandbox);
        refused(&sandbox, &["restore", broken], 1, &["SHA-256", word, "00000002.csv"]);
        assert_eq!(ledger(&sandbox), before);
    }
}

#[test]
fn what_cannot_be_archived_is_left_as_it_is() {
    let sandbox = months();
    let old = ["--before", "2026-03-01", "--yes"];
    let archive = |to: &str, code: i32, words: &[&str]| {
        let before = sandbox.snapshot();
        refused(&sandbox, &[&["archive", "--to", to][..], &old].concat(), code, words);
        let after = sandbox.snapshot();
        let is_ours = |it: &&(PathBuf, Vec<u8>)| it.0.starts_with(sandbox.path(".telemetry"));
        let is_lock = |it: &&(PathBuf, Vec<u8>)| it.0.to_str().unwrap().contains(".lock");
        let of = |all: &[(PathBuf, Vec<u8>)]| {
            all.iter().filter(is_ours).filter(|it| !is_lock(it)).cloned().collect::<Vec<_>>()
        };
        assert_eq!(of(&after), of(&before), "{to}");
    };
    archive("no/such/folder", 1, &["no/such/folder"]);
    archive(".telemetry/vault", 2, &["is inside the ledger's folder"]);
    archive(".telemetry", 2, &["is inside the ledger's folder"]);
    sandbox.write("file", "theirs");
    archive("file", 1, &["failed to read entire block", "name another --to"]);
    assert_eq!(sandbox.read("file"), "theirs");
    archive("vault.tar.gz", 2, &["is no form that an archive has"]);
    archive(".git/vault", 2, &["is git's own"]);
    // Another ledger would count what is in its folder.
    sandbox.write("other/.telemetry/usage.csv", file(&[]));
    sandbox.write("plain/usage.csv", file(&[]));
    for other in ["other/.telemetry/archive", "other/.telemetry/v.tar", "plain/archive"] {
        archive(other, 2, &["is another ledger's"]);
    }
    // Another file stands where a segment would go.
    let name = Path::new(FEBRUARY).file_name().unwrap().to_str().unwrap().to_owned();
    sandbox.write(&format!("taken/{name}"), "theirs");
    archive("taken", 1, &["stands there already, with other bytes"]);
    assert_eq!(sandbox.read(&format!("taken/{name}")), "theirs");
    // Another ledger's segment of that name.
    let other = months();
    other.write(FEBRUARY, file(&[row(2, 1, 800)]));
    other.commit("2026-05-02", "other");
    let vault = sandbox.path("vault.tar").to_str().unwrap().to_owned();
    other.ok("log-usage", &[&["archive", "--to", &vault][..], &old].concat());
    let bytes = fs::read(&vault).unwrap();
    archive("vault.tar", 1, &["stands there already, with other bytes"]);
    assert_eq!(fs::read(&vault).unwrap(), bytes);
    // Nobody was asked, or it was not said how old.
    refused(&sandbox, &["archive", "--to", "v", "--before", "2026-03-01"], 2, &["no terminal"]);
    refused(&sandbox, &["archive", "--to", "v", "--yes"], 2, &["archive_after"]);
    refused(&sandbox, &["archive", "--older-than", "soon"], 2, &["an age such as 90d"]);
    let told =
        sandbox.ok("log-usage", &["archive", "--to", "v", "--before", "2026-01-20", "--yes"]);
    assert!(told.starts_with("nothing to move: no sealed segment whose rows are all"), "{told}");
    assert!(!sandbox.path("v").exists());
    assert_eq!(counted(&sandbox), (ROWS, 0));
}

/// An archive that is one file is written anew from its manifest: what this does not name would go.
#[test]
fn what_the_manifest_does_not_name_is_never_written_over() {
    let sandbox = months();
    let archive = |to: &str, before: &str| {
        sandbox.run("log-usage", &["archive", "--to", to, "--before", before, "--yes"])
    };
    let refused = |to: &str, words: &str| {
        let (bytes, files) = (fs::read(sandbox.path(to)).unwrap(), ledger(&sandbox));
        let output = archive(to, "2026-04-01");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words) && said.contains("name another --to"), "{said}");
        assert_eq!(fs::read(sandbox.path(to)).unwrap(), bytes);
        assert!(ledger(&sandbox) == files, "the ledger is another");
    };
    sandbox.write("thesis.txt", "precious");
    sandbox.ok("tar", &["cf", "home.tar", "thesis.txt"]);
    refused("home.tar", "is no archive: it has no manifest.csv");
    assert!(archive("vault.tar", "2026-03-01").status.success());
    sandbox.commit("2026-05-02", "moved");
    fs::copy(sandbox.path("vault.tar"), sandbox.path("more.tar")).unwrap();
    sandbox.ok("tar", &["rf", "more.tar", "thesis.txt"]);
    refused("more.tar", "a header is not as log-usage writes it");
    // A member more, as log-usage writes it.
    let name = Path::new(FEBRUARY).file_name().unwrap().to_str().unwrap();
    let mut whole = tar::Archive::new(File::open(sandbox.path("vault.tar")).unwrap());
    let mut less = tar::Builder::new(File::create(sandbox.path("less.tar")).unwrap());
    for entry in whole.entries().unwrap() {
        let mut entry = entry.unwrap();
        let (mut header, mut text) = (entry.header().clone(), String::new());
        entry.read_to_string(&mut text).unwrap();
        if entry.path().unwrap() == Path::new("manifest.csv") {
            text =
                text.lines().filter(|it| !it.contains(name)).map(|it| format!("{it}\n")).collect();
            header.set_size(text.len() as u64);
            header.set_cksum();
        }
        less.append(&header, text.as_bytes()).unwrap();
    }
    drop(less);
    refused("less.tar", &format!("{name}: the manifest does not name it"));
    let verify = |to: &str| text(&sandbox.run("usage-report", &["verify", "--archive", to]).stdout);
    let finding = format!("{name}: the manifest does not name it\n");
    assert_eq!(verify("less.tar"), finding.clone() + "20 rows in 1 segment: 1 finding\n");
    // In a folder, too, a segment that nobody knows of is found.
    sandbox.ok("log-usage", &["restore", "vault.tar"]);
    sandbox.commit("2026-05-03", "restored");
    assert!(archive("vault", "2026-03-01").status.success());
    let manifest = sandbox.read("vault/manifest.csv");
    sandbox.write("vault/manifest.csv", manifest.lines().next().unwrap().to_owned() + "\n");
    let found = verify("vault");
    assert!(found.contains(&finding) && found.ends_with("0 segments: 2 findings\n"), "{found}");
    let told = sandbox.ok("log-usage", &["restore", "vault"]);
    assert!(told.contains("not in this archive: 40 rows in 2 segments"), "{told}");
    // One line that was changed is damage.
    let changed = manifest.replacen(",20,", ",21,", 1);
    assert_ne!(changed, manifest);
    sandbox.write("vault/manifest.csv", changed);
    let output = sandbox.run("log-usage", &["restore", "vault"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("and the manifest says 21 rows"));
}

/// A pipe has no end, and a link is no archive.
#[cfg(unix)]
#[test]
fn an_archive_is_reached_through_links_and_never_a_pipe() {
    let sandbox = months();
    let before = ["--before", "2026-03-01", "--yes"];
    fs::create_dir(sandbox.path("disk")).unwrap();
    sandbox.ok("log-usage", &["archive", "--to", "disk/v.tar", "--before", "2026-02-01", "--yes"]);
    sandbox.commit("2026-05-02", "moved");
    std::os::unix::fs::symlink("disk/v.tar", sandbox.path("v.tar")).unwrap();
    sandbox.ok("log-usage", &[&["archive", "--to", "v.tar"][..], &before].concat());
    assert!(sandbox.path("v.tar").is_symlink());
    let verified = sandbox.ok("usage-report", &["verify", "--archive", "disk/v.tar"]);
    assert_eq!(verified, "40 rows in 2 segments: nothing found\n");
    sandbox.ok("log-usage", &["restore", "v.tar"]);
    sandbox.commit("2026-05-03", "restored");
    std::os::unix::fs::symlink("nowhere", sandbox.path("dangling.tar")).unwrap();
    fs::create_dir(sandbox.path("../folder")).unwrap();
    for pipe in ["../pipe.tar", "../folder/manifest.csv"] {
        sandbox.git(["-c", &format!("alias.p=!mkfifo {pipe}"), "p"]);
    }
    for (to, words) in [
        ("dangling.tar", "is a link that leads to nothing"),
        ("../pipe.tar", "is neither a folder nor a file"),
        ("../folder", "it is no file"),
    ] {
        let files = ledger(&sandbox);
        let archive = [&["archive", "--to", to][..], &before].concat();
        refused(&sandbox, &archive, 1, &[words]);
        refused(&sandbox, &["restore", to], 1, &[words]);
        let verified = sandbox.run("usage-report", &["verify", "--archive", to]);
        assert!(text(&verified.stdout).contains(words), "{}", text(&verified.stdout));
        assert!(ledger(&sandbox) == files, "{to}: the ledger is another");
        assert!(!sandbox.path("../.pipe.tar.lock").exists());
    }
    let nowhere = ["restore", "no-archive"];
    refused(&sandbox, &nowhere, 1, &["no archive is there", "check the path"]);
    // What was cut short is damage, and no trouble of the system's.
    let whole = fs::read(sandbox.path("disk/v.tar")).unwrap();
    sandbox.write("disk/v.tar", &whole[..whole.len() - 2_000]);
    refused(&sandbox, &["restore", "v.tar"], 1, &["verify --archive"]);
}

/// Nobody may read a copy who could not read the segment.
#[cfg(unix)]
#[test]
fn copies_are_no_more_open_than_what_they_were_made_of() {
    use std::os::unix::fs::PermissionsExt;
    for (to, copy) in [("vault", JANUARY), ("vault.tar", "")] {
        let sandbox = months();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        for name in [JANUARY, FEBRUARY] {
            fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let to = PathBuf::from(moved(&sandbox, to));
        let name = Path::new(copy).file_name().unwrap_or_default();
        let copy = if name.is_empty() { to.clone() } else { to.join(name) };
        assert_eq!(mode(&copy), 0o600, "{to:?}");
        sandbox.commit("2026-05-02", "moved");
        let more = ["archive", "--to", to.to_str().unwrap(), "--before", "2026-04-01", "--yes"];
        sandbox.ok("log-usage", &more);
        assert_eq!(mode(&copy), 0o600, "{to:?}");
        sandbox.ok("log-usage", &["restore", to.to_str().unwrap()]);
        assert_eq!(mode(&sandbox.path(JANUARY)), 0o600, "{to:?}");
    }
}

/// Two branches may seal segments that begin with the same row, and so have one name.
#[test]
fn segments_of_one_name_are_both_put_back() {
    let sandbox = months();
    sandbox.git(["branch", "b"]);
    moved(&sandbox, "one");
    sandbox.commit("2026-05-02", "moved");
    sandbox.git(["checkout", "--quiet", "b"]);
    let other = file(&[row(1, 1, 100), row(1, 27, 600)]);
    sandbox.write(JANUARY, &other);
    sandbox.commit("2026-05-02", "another");
    moved_rows(&sandbox, "other", 22);
    sandbox.commit("2026-05-03", "moved");
    sandbox.git(["merge", "--quiet", "--no-edit", "main"]);
    assert_eq!(sandbox.json(&[])["archived"]["rows"], 42);
    let told = sandbox.ok("log-usage", &["restore", "../one"]);
    assert!(told.starts_with("put back 40 rows in 2 segments"), "{told}");
    assert!(told.contains("not in this archive: 2 rows in 1 segment"), "{told}");
    // Something else stands there, too, and stays as it is.
    let number = |n: u32| JANUARY.replace(".csv", &format!("-{n}.csv"));
    sandbox.write(&number(2), "no ledger");
    for told in ["put back 2 rows in 1 segment; the archive", "nothing to restore"] {
        let said = sandbox.ok("log-usage", &["restore", "../other"]);
        assert!(said.starts_with(told), "{said}");
    }
    assert_eq!(sandbox.read(&number(3)), other);
    assert_eq!(sandbox.read(&number(2)), "no ledger");
    fs::remove_file(sandbox.path(number(2))).unwrap();
    assert_eq!(counted(&sandbox), (ROWS + 1, 1));
    assert_eq!(sandbox.json(&[])["archived"]["rows"], 0);
    // By its name it is where it was, be it compressed.
    sandbox.ok("log-usage", &["archive"]);
    let name = Path::new(JANUARY).file_name().unwrap().to_str().unwrap();
    let told = sandbox.ok("log-usage", &["restore", "../other", name]);
    assert!(told.contains("2 rows in 1 segment were there already"), "{told}");
    // What was pruned is put back, and left out.
    sandbox.ok("log-usage", &["prune", "--before", "2026-02-01", "--yes"]);
    let told = sandbox.ok("log-usage", &["restore", "../other", name]);
    assert!(told.contains("reports leave out what is from before 2026-02-01"), "{told}");
}

/// What one branch puts back and another adds to the list merges, and every row counts.
#[test]
fn a_list_that_became_empty_merges_with_a_longer_one() {
    let sandbox = months();
    moved(&sandbox, "vault");
    sandbox.commit("2026-05-02", "moved");
    sandbox.git(["branch", "b"]);
    sandbox.ok("log-usage", &["restore", "../vault"]);
    sandbox.commit("2026-05-03", "restored");
    sandbox.git(["checkout", "--quiet", "b"]);
    let more = ["archive", "--to", "../vault", "--before", "2026-04-01", "--yes"];
    sandbox.ok("log-usage", &more);
    sandbox.commit("2026-05-03", "more");
    sandbox.git(["merge", "--quiet", "--no-edit", "main"]);
    assert_eq!(counted(&sandbox), (60, 0));
    assert_eq!(sandbox.json(&[])["archived"]["rows"], 20);
}

/// Until git holds a segment, moving it away would look like losing its rows.
#[test]
fn a_segment_goes_once_the_last_commit_holds_it() {
    let sandbox = months();
    let changed = sandbox.read(JANUARY).replace("m1,100,", "m2,100,");
    sandbox.write(JANUARY, &changed);
    let late = ".telemetry/archive/usage-20260215T090000Z-00000009.csv";
    sandbox.write(late, file(&[row(2, 25, 500)]));
    let archive = ["archive", "--to", "../vault", "--before", "2026-03-01", "--yes"];
    let output = sandbox.run("log-usage", &archive);
    let said = text(&output.stderr);
    assert_eq!(
        text(&output.stdout).lines().next().unwrap().split(';').next(),
        Some("moved 20 rows in 1 segment")
    );
    assert_eq!(
        said.matches("the last commit does not hold it as it is: commit it first").count(),
        2
    );
    assert!(sandbox.path(late).exists() && sandbox.path(JANUARY).exists());
    refused(&sandbox, &archive, 1, &["left  archive/usage-20260101T094000Z", "nothing was done"]);
    sandbox.commit("2026-05-02", "all");
    assert!(sandbox.ok("log-usage", &archive).starts_with("moved 21 rows in 2 segments"));
    // What went away is not lost, and no hook or repair brings it back.
    let repaired = sandbox.ok("log-usage", &["repair"]);
    assert!(repaired.ends_with("nothing to repair\n"), "{repaired}");
    assert!(!sandbox.run("log-usage", &["doctor"]).stdout.windows(4).any(|it| it == b"lost"));
    assert!(!text(&sandbox.run("log-usage", &["doctor"]).stdout).contains("no file holds"));
    sandbox.ok("log-usage", &["hooks", "install"]);
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
    sandbox.commit("2026-05-03", "moved");
    assert_eq!(counted(&sandbox), (41, 0));
    assert_eq!(sandbox.json(&[])["archived"]["rows"], 41);
    // A row that somebody else deleted meanwhile is lost, and found.
    sandbox.write(MARCH, file(&rows(3, 140)[1..]));
    assert!(text(&sandbox.run("log-usage", &["doctor"]).stdout).contains("no file holds: 1"));
    // Nothing was committed at all yet.
    let new = Sandbox::repository();
    new.write(".telemetry/usage.csv", file(&rows(4, 160)));
    new.write(JANUARY, file(&rows(1, 100)));
    refused(&new, &archive, 1, &["commit it first", "nothing was done"]);
    // What git is not to see need not be.
    new.write(".gitignore", "/.telemetry/\n");
    assert!(new.ok("log-usage", &archive).starts_with("moved 20 rows in 1 segment"));
    // Outside a repository there is nothing to wait for.
    let alone = Sandbox::new();
    alone.write("usage.csv", file(&rows(4, 160)));
    alone.write("archive/usage-20260101T094000Z-00000001.csv", file(&rows(1, 100)));
    let archive = [&archive[..], &["--file", "usage.csv"]].concat();
    assert!(alone.ok("log-usage", &archive).starts_with("moved 20 rows"));
    alone.ok("log-usage", &["restore", "../vault", "--file", "usage.csv"]);
    assert_eq!(alone.json(&["--file", "usage.csv"])["totals"]["rows"], 40);
}

#[test]
fn git_never_changes_compressed_bytes() {
    let sandbox = months();
    let attributes = sandbox.read(".telemetry/.gitattributes");
    assert!(attributes.contains("/archive/*.csv.gz binary"));
    let old = attributes.replace("/archive/*.csv.gz binary linguist-generated=true\n", "");
    sandbox.write(".telemetry/.gitattributes", old);
    for all in ["* text\n", "* eol=lf\n"] {
        sandbox.write(".gitattributes", all);
        let words = ["line ends in compressed segments", "/archive/*.csv.gz binary"];
        refused(&sandbox, &["archive"], 1, &words);
        assert!(sandbox.path(JANUARY).exists());
    }
    sandbox.write(".gitattributes", "* text=auto\n");
    sandbox.ok("log-usage", &["archive"]);
    sandbox.commit("2026-05-02", "compressed");
    let blob =
        sandbox.command("git").args(["show", &format!("HEAD:{JANUARY}.gz")]).output().unwrap();
    assert_eq!(blob.stdout, fs::read(sandbox.path(format!("{JANUARY}.gz"))).unwrap());
}

/// A clone beside the sandbox, with programs that know nothing of the machine's either.
pub(crate) fn clone(sandbox: &Sandbox) -> Sandbox {
    let clone = Sandbox::new();
    clone.git(["clone", "--quiet", sandbox.path("").to_str().unwrap(), "."]);
    clone
}

fn merge(one: &Sandbox, other: &Sandbox) {
    one.git([
        "pull",
        "--quiet",
        "--no-rebase",
        "--no-edit",
        other.path("").to_str().unwrap(),
        "main",
    ]);
}

#[test]
fn clones_that_archived_meet() {
    type Act = fn(&Sandbox);
    let compress: Act = |it| drop(it.ok("log-usage", &["archive"]));
    let compress_first: Act = |it| drop(it.ok("log-usage", &["archive", "--before", "2026-02-01"]));
    let vault: Act = |it| drop(moved(it, "vault"));
    let file: Act = |it| drop(moved(it, "vault.tar"));
    let more: Act = |it| {
        let to = ["archive", "--to", "../more", "--before", "2026-04-01", "--yes"];
        it.ok("log-usage", &to);
    };
    let packed: Act = |it| {
        it.ok("log-usage", &["archive"]);
        it.commit("2026-05-02", "compressed");
        moved(it, "vault");
    };
    let back: Act = |it| {
        let to = moved(it, "vault");
        it.commit("2026-05-02", "moved");
        it.ok("log-usage", &["restore", &to]);
    };
    let nothing: Act = |_| ();
    // How many rows both see in the end, and how many they say they do not.
    for (name, one, other, seen, unseen) in [
        ("both compress", compress, compress, ROWS, 0),
        ("one more than the other", compress, compress_first, ROWS, 0),
        ("both move the same", vault, file, 40, 40),
        ("one moves more", vault, more, 20, 60),
        ("one moves", vault, nothing, 40, 40),
        ("one compresses, the other moves", compress, vault, ROWS, 0),
        ("one moves what it compressed before", packed, vault, 40, 40),
        ("one moves and restores", back, nothing, ROWS, 0),
        ("one moves and restores, the other moves", back, vault, 40, 40),
    ] {
        let origin = months();
        let clones = [(one, 900), (other, 901)].map(|(act, tokens)| {
            let clone = clone(&origin);
            act(&clone);
            clone.add_rows(&[&row(4, 25, tokens)]);
            clone.commit("2026-05-03", "mine");
            clone
        });
        let [first, second] = &clones;
        merge(first, second);
        merge(second, first);
        for it in [first, second] {
            let report = it.json(&[]);
            let (rows, repeated) = (&report["totals"]["rows"], &report["duplicates"]);
            assert_eq!((rows, repeated), (&(seen + 2).into(), &0.into()), "{name}");
            assert_eq!(report["archived"]["rows"], unseen, "{name}");
            assert_eq!(it.ok("usage-report", &["--committed"]), it.ok("usage-report", &[]));
        }
        assert_eq!(first.ok("usage-report", &[]), second.ok("usage-report", &[]), "{name}");
    }
}

/// A merge may bring a segment in both forms.
#[test]
fn a_segment_in_both_forms_counts_once() {
    let sandbox = months();
    let text = sandbox.read(JANUARY);
    sandbox.ok("log-usage", &["archive"]);
    sandbox.write(JANUARY, &text);
    for _ in 0..2 {
        assert_eq!(counted(&sandbox), (ROWS, 20));
    }
    sandbox.ok("log-usage", &["archive"]);
    assert!(!sandbox.path(JANUARY).exists());
    assert_eq!(counted(&sandbox), (ROWS, 0));
    // Another branch's segment that begins with the same row has other rows: both stay.
    let longer = text.clone() + &row(1, 28, 600) + "\n";
    sandbox.write(JANUARY, &longer);
    let output = sandbox.run("log-usage", &["archive"]);
    let said = crate::sandbox::text(&output.stderr);
    assert!(said.contains("00000001.csv.gz holds other rows"), "{said}");
    assert_eq!(sandbox.read(JANUARY), longer);
    assert_eq!(counted(&sandbox), (ROWS + 1, 20));
}

/// What a rotation that was cut short has sealed is still the active segment.
#[test]
fn a_rotation_that_was_cut_short_is_left_alone() {
    let sandbox = Sandbox::with_rows(&[&row(1, 1, 1)]);
    fs::create_dir(sandbox.path(".telemetry/archive")).unwrap();
    fs::hard_link(sandbox.path(".telemetry/usage.csv"), sandbox.path(JANUARY)).unwrap();
    let told = sandbox.ok("log-usage", &["archive"]);
    assert!(told.starts_with("nothing to compress"), "{told}");
    assert!(sandbox.path(JANUARY).exists());
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
    assert_eq!(counted(&sandbox), (2, 0));
}

#[test]
fn writers_may_rotate_meanwhile() {
    let sandbox = Sandbox::repository();
    const EACH: u64 = 60;
    let log = |writer: u64| {
        for n in 0..EACH {
            let tokens = (writer * EACH + n).to_string();
            let row = ["m", &tokens, "2", "true", "plan", "3", "--max-size", "400"];
            sandbox.ok("log-usage", &[&row[..], &["--durability", "none"]].concat());
        }
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2).map(|writer| scope.spawn(move || log(writer))).collect();
        loop {
            let is_over = writers.iter().all(|it| it.is_finished());
            let arguments = ["archive", "--to", "../vault", "--older-than", "0s", "--yes"];
            for arguments in [&arguments[..1], &arguments] {
                let output = sandbox.run("log-usage", arguments);
                assert!(output.status.success(), "{}", text(&output.stderr));
            }
            if is_over {
                break;
            }
        }
    });
    assert_eq!(counted(&sandbox), (2 * EACH, 0));
    let report = sandbox.json(&[]);
    assert_eq!(report["totals"]["prompt_tokens"], (0..2 * EACH).sum::<u64>());
    // Rows of today are too young to be moved, whatever age is asked for.
    assert!(!sandbox.path("../vault").exists());
}

/// Rows of the ledger's folder, compressed or not.
fn rows_here(sandbox: &Sandbox) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for (path, bytes) in sandbox.snapshot() {
        let name = path.to_str().unwrap();
        let text = match name {
            _ if name.contains(".tmp.") => continue,
            _ if name.ends_with(".csv.gz") => unpacked(&path),
            _ if name.ends_with(".csv") && !name.ends_with("archived.csv") => text(&bytes),
            _ => continue,
        };
        rows.extend(text.lines().skip(1).map(str::to_owned));
    }
    rows
}

/// A command that is stopped at every system call that touches the ledger or the archive.
struct Case {
    arguments: &'static [&'static str],
    prepare: fn(&Sandbox),
}

const TO_FOLDER: &[&str] = &["archive", "--to", "../vault", "--before", "2026-03-01", "--yes"];
const TO_FILE: &[&str] = &["archive", "--to", "../vault.tar", "--before", "2026-03-01", "--yes"];

/// Outside any repository, where a run takes a few milliseconds.
const LEDGER: [&str; 2] = ["--file", "ledger/usage.csv"];

const CASES: [Case; 6] = [
    Case { arguments: &["archive", "--before", "2026-03-01"], prepare: |_| () },
    Case { arguments: TO_FOLDER, prepare: |_| () },
    Case { arguments: TO_FILE, prepare: |_| () },
    Case {
        arguments: TO_FILE,
        prepare: |it| {
            let first = ["archive", "--to", "../vault.tar", "--before", "2026-02-01", "--yes"];
            it.ok("log-usage", &[&first[..], &LEDGER].concat());
        },
    },
    Case {
        arguments: &["restore", "../vault"],
        prepare: |it| drop(it.ok("log-usage", &[TO_FOLDER, &LEDGER].concat())),
    },
    Case {
        arguments: &["restore", "../vault.tar"],
        prepare: |it| drop(it.ok("log-usage", &[TO_FILE, &LEDGER].concat())),
    },
];

impl Case {
    fn fresh(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        for (name, month, tokens) in [(JANUARY, 1, 100), (FEBRUARY, 2, 120), (MARCH, 3, 140)] {
            let name = name.replace(".telemetry", "ledger");
            sandbox.write(&name, file(&rows(month, tokens)[..3]));
        }
        sandbox.write("ledger/usage.csv", file(&rows(4, 160)[..3]));
        (self.prepare)(&sandbox);
        sandbox
    }

    fn run(&self, sandbox: &Sandbox) -> std::process::Output {
        sandbox.run("log-usage", &[self.arguments, &LEDGER].concat())
    }

    /// What it comes to where nothing happens on the way.
    fn end(&self) -> String {
        let sandbox = self.fresh();
        assert!(self.run(&sandbox).status.success());
        sandbox.ok("usage-report", &LEDGER)
    }

    fn traced(&self, sandbox: &Sandbox, options: &[&str]) -> std::process::Output {
        let mut command = sandbox.command("strace");
        command.args(["-y", "-o", "../trace"]).args(options);
        command.arg(env!("CARGO_BIN_EXE_log-usage")).args(self.arguments).args(LEDGER);
        command.output().unwrap()
    }

    /// Each call with the how-manieth of its name it is.
    fn calls(&self) -> Vec<(String, u64)> {
        let sandbox = self.fresh();
        let output = self.traced(&sandbox, &[]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let mut counts = std::collections::BTreeMap::<String, u64>::new();
        let mut calls = Vec::new();
        for line in sandbox.read("../trace").lines() {
            let Some((name, arguments)) = line.split_once('(') else { continue };
            let count = counts.entry(name.to_owned()).or_default();
            *count += 1;
            let is_ours = arguments.contains("ledger") || arguments.contains("vault");
            let is_change = match name {
                "openat" => arguments.contains("O_CREAT"),
                "write" | "fdatasync" | "fsync" | "linkat" | "rename" | "unlink" | "mkdir" => true,
                "fchmod" | "copy_file_range" | "sendfile" | "flock" => true,
                _ => false,
            };
            if is_ours && is_change {
                calls.push((name.to_owned(), *count));
            }
        }
        assert!(calls.len() > 10, "the test has lost its eyes: {calls:?}");
        calls
    }

    fn meet(&self, fault: &str, end: &str) -> Result<(), String> {
        let sandbox = self.fresh();
        let all: BTreeSet<String> = [(1, 100), (2, 120), (3, 140), (4, 160)]
            .iter()
            .flat_map(|(month, tokens)| rows(*month, *tokens).into_iter().take(3))
            .collect();
        let output = self.traced(&sandbox, &["-e", &format!("inject={fault}")]);
        let said = text(&output.stderr);
        let fail = |what: &str| Err(format!("{:?} {fault}: {what}: {said}", self.arguments));
        if said.contains("panicked") {
            return fail("a panic");
        }
        let here = rows_here(&sandbox);
        // A restore puts back all or nothing.
        let is_none = all.difference(&here).count() == 6;
        let is_refused = self.arguments[0] == "restore" && fault.contains("error=");
        if is_refused && !is_none && here != all {
            return fail("a part was put back");
        }
        let missing: Vec<&String> = all.difference(&here).collect();
        if !missing.is_empty() {
            // Then an archive has them, whole.
            let path = sandbox.path(if self.arguments.iter().any(|it| it.ends_with(".tar")) {
                "../vault.tar"
            } else {
                "../vault"
            });
            let verified = Archive::at(&path).verify().map_err(|error| error.to_string())?;
            if !verified.findings.is_empty() {
                return fail(&format!("rows went, and {:?}", verified.findings));
            }
            let held: u64 = verified.segments.iter().map(|it| it.rows).sum();
            let unseen = sandbox.json(&LEDGER)["archived"]["rows"].as_u64().unwrap();
            if unseen != missing.len() as u64 || held < unseen {
                return fail(&format!("{} rows went, {unseen} are told of", missing.len()));
            }
        }
        let again = self.run(&sandbox);
        if !again.status.success() {
            return fail(&format!("again: {}", text(&again.stderr)));
        }
        if sandbox.ok("usage-report", &LEDGER) != end {
            return fail("the end is another");
        }
        let left = sandbox.snapshot().into_iter().map(|it| it.0);
        let vault = fs::read_dir(sandbox.path("../vault")).into_iter().flatten().flatten();
        let beside = fs::read_dir(sandbox.path("..")).unwrap().flatten();
        let left: Vec<PathBuf> = left
            .chain(vault.chain(beside).map(|it| it.path()))
            .filter(|it| {
                let name = it.file_name().unwrap_or_default().to_str().unwrap().to_owned();
                name.starts_with('.') && name.contains("tmp")
            })
            .collect();
        match left.is_empty() {
            true => Ok(()),
            false => fail(&format!("left behind: {left:?}")),
        }
    }
}

#[test]
fn whoever_dies_on_the_way_has_removed_nothing_that_is_not_elsewhere() {
    if !has_strace() {
        eprintln!("SKIPPED whoever_dies_on_the_way…: no strace on this machine");
        return;
    }
    let mut faults = Vec::new();
    let ends = CASES.each_ref().map(Case::end);
    for (case, end) in CASES.iter().zip(&ends) {
        for (name, count) in case.calls() {
            faults.push((case, end, format!("{name}:signal=KILL:when={count}")));
            let error = match name.as_str() {
                "linkat" => "EMLINK",
                "flock" => "ENOLCK",
                "openat" | "mkdir" | "unlink" | "rename" => "EACCES",
                "write" | "fdatasync" | "copy_file_range" | "sendfile" => "ENOSPC",
                _ => "EIO",
            };
            faults.push((case, end, format!("{name}:error={error}:when={count}")));
        }
    }
    let total = faults.len();
    let (queue, wrong) = (Mutex::new(faults), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((case, end, fault)) = queue.lock().unwrap().pop() else { break };
                    if let Err(what) = case.meet(&fault, end) {
                        wrong.lock().unwrap().push(what);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    eprintln!("{total} faults in {} commands: {} wrong", CASES.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A disk that is full: no file may be longer.
#[cfg(unix)]
#[test]
fn a_full_disk_removes_nothing() {
    let sandbox = months();
    let before = ledger(&sandbox);
    for (limit, arguments) in
        [(0, &["archive"][..]), (0, TO_FOLDER), (0, TO_FILE), (1, TO_FOLDER), (1, TO_FILE)]
    {
        let program = env!("CARGO_BIN_EXE_log-usage");
        let line = format!("ulimit -f {limit}; exec '{program}' {}", arguments.join(" "));
        let output = sandbox.run("sh", &["-c", &line]);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(ledger(&sandbox), before, "{arguments:?}");
    }
    let mut small = File::create(sandbox.path("../space")).unwrap();
    small.write_all(b"there is space again").unwrap();
    assert!(sandbox.ok("log-usage", TO_FOLDER).starts_with("moved 40 rows"));
}

#[test]
fn doctor_says_sizes_and_what_is_due() {
    let sandbox = months();
    let doctor = || text(&sandbox.run("log-usage", &["doctor"]).stdout);
    let has = |words: &[&str]| {
        let said = doctor();
        words.iter().for_each(|it| assert!(said.contains(it), "without {it}: {said}"));
        said
    };
    sandbox.ok("log-usage", &["m", "1", "2", "true", "plan", "3"]);
    let before = ledger(&sandbox);
    let said = has(&["  ok    size: ", " in 4 files; usage.csv has ", "(0 of 3 compressed)"]);
    assert!(said.contains("  ok    git carries "), "{said}");
    assert!(said.contains(" of the ledger: 4 versions of "), "{said}");
    assert!(said.contains(" a month, by the last "), "{said}");
    assert!(said.contains("; sealed at 10.0 MiB, in "), "{said}");
    assert_eq!(ledger(&sandbox), before, "doctor leaves everything as it was");
    let settings = "[retention]\ncompress_after = \"1s\"\narchive_after = \"2s\"\nkeep = \"3s\"\n";
    sandbox.write(".telemetry/config.toml", settings);
    has(&[
        "WRONG segments to be compressed, older than 1s: 3\n        fix: log-usage archive\n",
        "WRONG segments to be moved to an archive, older than 2s: 3\n        fix: log-usage archive --to",
        "WRONG rows older than 3s: 80\n        fix: log-usage prune --older-than 3s",
    ]);
    // The settings say how old, where nobody else does.
    assert!(sandbox.ok("log-usage", &["archive"]).starts_with("compressed 3 segments"));
    sandbox.commit("2026-05-02", "compressed");
    let told = sandbox.ok("log-usage", &["archive", "--to", "../vault", "--yes"]);
    assert!(told.starts_with("moved 60 rows in 3 segments"), "{told}");
    let said = has(&["  ok    in an archive: 60 rows in 3 segments\n"]);
    assert!(!said.contains("WRONG segments"), "{said}");
    // Nothing is deleted by itself.
    assert_eq!(counted(&sandbox).0, 21);
    let settings = "[retention]\narchive_after = \"1year\"\nkeep = \"30d\"\n";
    sandbox.write(".telemetry/config.toml", settings);
    has(&["WRONG rows are to be deleted before any goes to an archive"]);
    sandbox.write(".telemetry/config.toml", "[retention]\ncompress_after = \"soon\"\n");
    refused(&sandbox, &["archive"], 1, &["config.toml:2: compress_after: \"soon\" is no time"]);
}
