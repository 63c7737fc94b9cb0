//! The functions that a report over many rows spends its time in, each by itself: `cargo bench`.

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use usage_ledger::engine;
use usage_ledger::engine::inputs::Input;
use usage_ledger::engine::query::Query;
use usage_ledger::ledger::distinct::Distinct;
use usage_ledger::ledger::scan::{Item, scan};
use usage_ledger::report::cells::Wanted;
use usage_ledger::report::counter::Counter;
use usage_ledger::report::histogram::{Bucket, Histogram};
use usage_ledger::report::selection::Selection;
use usage_ledger::row::{HEADER, Row};
use usage_ledger::timestamp::{Reader, Timestamp};

const ROWS: u64 = 20_000;

/// Rows in time order, some with quotes, lines and tags in their notes.
fn ledger() -> String {
    let mut text = format!("{HEADER}\n");
    let notes =
        ["", "", "fix parser", "\"a, b\"", "\"said \"\"so\"\"\"", "größer", "{source=codex id=a1}"];
    let (models, types) =
        (["claude-3-opus", "gpt-5-codex", "o3"], ["plan", "execute", "verify", "discuss", "quick"]);
    for n in 0..ROWS {
        let at = |count: u64, of: u64| (n * count % of) as usize;
        let (day, hour, minute, second) = (1 + n / 1_440 % 28, n / 60 % 24, n % 60, at(7, 60));
        writeln!(
            text,
            "2026-02-{day:02}T{hour:02}:{minute:02}:{second:02}+01:00,{},{},{},{},{},{},{}",
            models[at(5, 3)],
            at(977, 20_011),
            at(313, 4_001),
            n % 12 != 0,
            types[at(3, 5)],
            at(7_919, 90_001),
            notes[at(11, 7)],
        )
        .unwrap();
    }
    text
}

fn hot(criterion: &mut Criterion) {
    let text = ledger();
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("scan", |bench| {
        bench.iter(|| {
            let mut tokens = 0;
            let mut visit = |_, item: Item<'_>| {
                if let Item::Row(found) = item {
                    tokens += found.row.prompt_tokens;
                }
            };
            scan(text.as_bytes(), &mut visit).unwrap().unwrap();
            tokens
        });
    });
    group.bench_function("scan, distinct", |bench| {
        bench.iter(|| {
            let mut distinct = Distinct::default();
            let mut rows = 0u64;
            let mut visit = |_, item: Item<'_>| {
                if let Item::Row(found) = item {
                    rows += u64::from(distinct.take(found, found.tags().as_ref()));
                }
            };
            scan(text.as_bytes(), &mut visit).unwrap().unwrap();
            rows
        });
    });
    group.bench_function("scan, count", |bench| {
        bench.iter(|| {
            let mut counter = Counter::new(Selection::default(), &[], Wanted::Groups);
            let mut visit = |_, item: Item<'_>| {
                if let Item::Row(found) = item {
                    counter.add(&found.row, found.tags().as_ref(), found.model, "usage.csv");
                }
            };
            scan(text.as_bytes(), &mut visit).unwrap().unwrap();
            counter.finish().rows
        });
    });
    group.bench_function("sum", |bench| {
        let inputs = [Input::spooled("usage.csv", text.as_bytes()).unwrap()];
        let query = Query::default();
        bench.iter(|| engine::sum(&inputs, &query, None, &|_| ()).unwrap().0.rows);
    });
    group.finish();

    let line = text.lines().nth(3).unwrap();
    criterion.bench_function("Row::parse", |bench| bench.iter(|| Row::parse(black_box(line))));
    let row = Row::parse(line).unwrap();
    criterion.bench_function("Row::write_line", |bench| {
        let mut out = Vec::new();
        bench.iter(|| {
            out.clear();
            black_box(&row).write_line(&mut out);
        });
    });
    let stamp = "2026-02-23T22:19:12+01:00";
    criterion.bench_function("Timestamp::parse", |bench| {
        bench.iter(|| Timestamp::parse(black_box(stamp)));
    });
    criterion.bench_function("timestamp::Reader::read", |bench| {
        let mut reader = Reader::default();
        bench.iter(|| reader.read(black_box(stamp.as_bytes())));
    });
    let mut histogram = Histogram::default();
    (0..ROWS).for_each(|n| histogram.add(Bucket::of(n * n), n * n));
    criterion
        .bench_function("Histogram::percentile", |bench| bench.iter(|| histogram.percentile(95)));
}

criterion_group!(benches, hot);
criterion_main!(benches);
