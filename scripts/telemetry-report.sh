#!/bin/sh
# The seed's script, same arguments as ever:
#   scripts/telemetry-report.sh [--format markdown|json]
# It finds the installed usage-report, else the one built here.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
for program in "$(command -v usage-report || :)" "$here/target/release/usage-report" "$here/target/debug/usage-report"; do
    if [ -n "$program" ] && [ -x "$program" ]; then
        exec "$program" "$@"
    fi
done
echo "error: usage-report is neither installed nor built
  why: looked on the PATH and in $here/target
  fix: cargo install --path $here" >&2
exit 1
