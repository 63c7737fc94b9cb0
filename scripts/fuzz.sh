#!/bin/sh
# Coverage-guided fuzzing of the row parser, the tail's judge, the notes' cleaner and the scanner.
#   scripts/fuzz.sh [SECONDS [TARGET…]]     60 seconds each unless told otherwise
# Needs cargo-fuzz (cargo install cargo-fuzz). It asks the stable compiler for what only nightly
# offers by name, so no second toolchain is needed.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- row tail notes scan
command -v cargo-fuzz >/dev/null || { echo "error: no cargo-fuzz; fix: cargo install cargo-fuzz" >&2; exit 1; }
export RUSTC_BOOTSTRAP=1
for target; do
    # New inputs go to a folder of their own; the committed corpus stays small.
    mkdir -p "fuzz/target/found/$target"
    log="fuzz/target/found/$target.log"
    if ! cargo fuzz run "$target" "fuzz/target/found/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "error: $target: see fuzz/artifacts/$target" >&2
        exit 1
    fi
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, 0 faults"
done
