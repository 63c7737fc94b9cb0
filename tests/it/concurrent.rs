//! Many writers at once.

use std::collections::HashSet;
use std::fs;
use std::thread;

use crate::sandbox::{HEADER, Sandbox};

#[test]
fn sixteen_writers_with_identical_arguments_lose_and_double_nothing() {
    let sandbox = Sandbox::new();
    let arguments =
        ["m", "1", "2", "true", "plan", "3", "same", "--max-size", "8K", "--durability", "none"];
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..1_000).for_each(|_| drop(sandbox.ok("log-usage", &arguments))));
        }
    });
    let mut rows = HashSet::new();
    let mut files = vec![sandbox.path(".telemetry/usage.csv")];
    let archive = fs::read_dir(sandbox.path(".telemetry/archive")).unwrap();
    files.extend(archive.map(|entry| entry.unwrap().path()));
    let longest = "2026-02-23T22:19:12.483920Z,m,1,2,true,plan,3,same\n".len();
    let mut lines = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(&format!("{HEADER}\n")), "{file:?}");
        assert!(text.ends_with('\n') && text.len() <= 8_192 + longest, "{file:?}: {}", text.len());
        for line in text.lines().skip(1) {
            assert!(line.ends_with(",m,1,2,true,plan,3,same"), "{line}");
            lines += 1;
            rows.insert(line.to_owned());
        }
    }
    assert_eq!((rows.len(), lines), (16_000, 16_000));
    assert_eq!(sandbox.json(&["--strict"])["totals"]["rows"], 16_000);
}
