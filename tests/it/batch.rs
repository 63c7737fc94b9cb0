//! Many rows from standard input.

use crate::sandbox::{Sandbox, text};

const CSV: &str =
    "model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes\n";

fn batch(sandbox: &Sandbox, input: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = sandbox.command("log-usage");
    let output = command.arg("batch").args(arguments).write_stdin(input).output().unwrap();
    (output.status.code(), text(&output.stderr))
}

#[test]
fn csv_and_json_lines_are_logged() {
    let sandbox = Sandbox::repository();
    let json = "{\"model\":\"j\",\"prompt_tokens\":5,\"completion_tokens\":6,\"task_success\":false,\
                \"task_type\":\"quick\",\"duration_ms\":7,\"timestamp\":\"2026-01-02T03:04:05Z\"}\n";
    assert_eq!(
        batch(&sandbox, &format!("{CSV}m,1,2,true,plan,3,\"a, b\"\nm,1,2,true,plan,3,\n"), &[]).0,
        Some(0)
    );
    assert_eq!(batch(&sandbox, &json.repeat(2), &[]).0, Some(0));
    let rows = sandbox.rows();
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows[0].ends_with("Z,m,1,2,true,plan,3,\"a, b\""));
    assert!(rows[1].contains('.'), "microseconds keep equal seconds apart: {}", rows[1]);
    assert_eq!(rows[2], "2026-01-02T03:04:05Z,j,5,6,false,quick,7,");
}

#[test]
fn a_bad_line_stops_the_whole_batch() {
    let sandbox = Sandbox::repository();
    let before = sandbox.snapshot();
    let input = format!("{CSV}m,1,2,true,plan,3,\nm,-1,2,true,plan,3,\n");
    let (code, error) = batch(&sandbox, &input, &[]);
    assert_eq!(code, Some(2));
    assert!(error.starts_with("error: standard input:3: prompt_tokens: \"-1\" is not"), "{error}");
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn bad_lines_can_be_skipped_and_are_named() {
    let sandbox = Sandbox::repository();
    let input = format!("{CSV}m,1,2,true,plan,3,\nm,-1,2,true,plan,3,\nm,1\nn,1,2,true,plan,3,x\n");
    let (code, error) = batch(&sandbox, &input, &["--keep-going"]);
    assert_eq!(code, Some(3));
    assert!(error.starts_with("skipped  standard input:3: prompt_tokens: \"-1\""), "{error}");
    assert!(error.contains("\nskipped  standard input:4: 2 fields\n"), "{error}");
    assert!(error.contains("error: 2 lines skipped, 2 rows logged"), "{error}");
    assert_eq!(sandbox.rows().len(), 2);
}

#[test]
fn a_batch_larger_than_a_segment_fills_several() {
    let sandbox = Sandbox::repository();
    let input = CSV.to_owned() + &"m,1,2,true,plan,3,remark\n".repeat(500);
    assert_eq!(batch(&sandbox, &input, &["--max-size", "4K"]).0, Some(0));
    assert_eq!(batch(&sandbox, &input, &["--max-size", "4K"]).0, Some(0));
    let archive = std::fs::read_dir(sandbox.path(".telemetry/archive")).unwrap();
    for entry in archive {
        assert!(entry.unwrap().metadata().unwrap().len() <= 4096);
    }
    assert_eq!(sandbox.json(&[])["totals"]["rows"], 1000);
    assert!(sandbox.ok("usage-report", &["verify"]).ends_with("nothing found\n"));
    let left: Vec<_> = sandbox
        .snapshot()
        .into_iter()
        .filter(|(path, _)| path.to_string_lossy().contains(".tmp."))
        .collect();
    assert_eq!(left, []);
}

#[test]
fn an_empty_batch_does_nothing() {
    let sandbox = Sandbox::repository();
    let before = sandbox.snapshot();
    assert_eq!(batch(&sandbox, "", &[]).0, Some(0));
    assert_eq!(batch(&sandbox, CSV, &[]).0, Some(0));
    assert_eq!(batch(&sandbox, "no,such,columns\n", &[]).0, Some(2));
    assert_eq!(sandbox.snapshot(), before);
}
