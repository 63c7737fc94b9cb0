#!/bin/bash
# The anchor: what the shell script that this project replaces did for a row, in our own words.
#   seed.sh LEDGER MODEL PROMPT COMPLETION SUCCESS TYPE DURATION [NOTES]
set -eu
ledger=$1 model=$2 prompt=$3 completion=$4 success=$5 kind=$6 duration=$7 notes=${8:-}
[[ $prompt =~ ^[0-9]+$ && $completion =~ ^[0-9]+$ && $duration =~ ^[0-9]+$ ]] || exit 1
[[ $success == true || $success == false ]] || exit 1
case $kind in plan | execute | verify | discuss | quick) ;; *) exit 1 ;; esac
mkdir -p "$(dirname "$ledger")"
[[ -f $ledger ]] || echo "timestamp,model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes" >"$ledger"
size=$(stat -c %s "$ledger")
((size < 10485760)) || mv "$ledger" "${ledger%.csv}_backup_$(date +%Y%m%d_%H%M%S).csv"
notes=$(echo "$notes" | tr ',\n' '  ')
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ),$model,$prompt,$completion,$success,$kind,$duration,$notes" >>"$ledger"
