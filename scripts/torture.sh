#!/bin/sh
# The storms, long: what `cargo test` tries for seconds is tried here for many minutes.
#   scripts/torture.sh [TIMES]     25 times as long unless told otherwise: 10,000 kills, 1,000 reports,
#                                  200 random histories of branches
# Prints each figure; docs/reliability.md holds those of the last run.
set -eu
cd "$(dirname "$0")/.."
cargo build --release --quiet
TIMES=${1:-25}
STORM=$TIMES HISTORIES=$((TIMES * 8)) cargo test --release --test it -- --nocapture --test-threads=1 \
    faults:: storms:: damage:: concurrent:: places:: merges:: histories:: 2>&1 | grep --line-buffered -vE '^(running|test .*ok$|$)'
# Every test once more, and no socket opened by anything that it starts.
cargo test --release --test it nothing_that_any_test -- --nocapture --ignored
