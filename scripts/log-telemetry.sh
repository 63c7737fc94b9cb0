#!/bin/sh
# The seed's script, same arguments as ever:
#   scripts/log-telemetry.sh MODEL PROMPT_TOKENS COMPLETION_TOKENS TASK_SUCCESS TASK_TYPE DURATION_MS [NOTES]
# It finds the installed log-usage, else the one built here.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
for program in "$(command -v log-usage || :)" "$here/target/release/log-usage" "$here/target/debug/log-usage"; do
    if [ -n "$program" ] && [ -x "$program" ]; then
        exec "$program" "$@"
    fi
done
echo "error: log-usage is neither installed nor built
  why: looked on the PATH and in $here/target
  fix: cargo install --path $here" >&2
exit 1
