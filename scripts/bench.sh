#!/bin/sh
# Builds, runs ours and the anchors in turn, and writes the table into docs/performance.md.
#   scripts/bench.sh [ROUNDS [ROWS]]     40 rounds and 10,000,000 rows unless told otherwise
# The machine should be quiet: what is told is the median of ratios within one run. DuckDB and
# polars come from PyPI into a temporary environment; where they cannot be had, a note says so.
set -eu
cd "$(dirname "$0")/.."
cargo build --release --quiet
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python=python3
if python3 -m venv "$scratch/venv" && "$scratch/venv/bin/pip" install --quiet duckdb polars; then
    python="$scratch/venv/bin/python"
else
    echo "note: no environment with DuckDB and polars could be made" >&2
fi
"$python" benches/bench.py "${CARGO_TARGET_DIR:-target}/release" "$scratch/run" "${1:-40}" "${2:-10000000}" >"$scratch/table"
cat "$scratch/table"
sed -i -e "/<!-- bench -->/,/<!-- \/bench -->/{/<!-- bench -->/{p;r $scratch/table
};/<!-- \/bench -->/p;d}" docs/performance.md
