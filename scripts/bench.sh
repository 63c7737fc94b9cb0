#!/bin/sh
# Builds, runs ours and the anchors in turn, and writes the table into docs/performance.md.
#   scripts/bench.sh [ROUNDS]     40 unless told otherwise
# The machine should be quiet: what is told is the median of ratios within one run.
set -eu
cd "$(dirname "$0")/.."
cargo build --release --quiet
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 benches/bench.py target/release "$scratch" "${1:-40}" >"$scratch/table"
cat "$scratch/table"
sed -i -e "/<!-- bench -->/,/<!-- \/bench -->/{/<!-- bench -->/{p;r $scratch/table
};/<!-- \/bench -->/p;d}" docs/performance.md
