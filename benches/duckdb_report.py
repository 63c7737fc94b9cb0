#!/usr/bin/env python3
"""The default report's figures by DuckDB's fastest known query, benches/report.sql.

  duckdb_report.py LEDGER [PROGRAM]    with a program, every cell is compared with its JSON first
"""
import json
import pathlib
import subprocess
import sys

import duckdb


def rounded(value):
    """Half up to three significant digits, as our percentiles are."""
    unit = 10 ** max(len(str(value)) - 3, 0)
    return (value + unit // 2) // unit * unit


def cells(ledger):
    query = (pathlib.Path(__file__).parent / "report.sql").read_text()
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    return {row[:2]: row[2:] for row in connection.execute(query.replace("FILE", ledger)).fetchall()}


def ours(ledger, program):
    """The same cells of the program's JSON: weeks before the newest eight are one."""
    command = [program, "--file", ledger, "--weekly", "--no-cache", "--format", "json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    groups = {("all", ""): report["totals"]}
    groups |= {("window", name): report["window"][name] for name in ("last7", "previous7")}
    groups |= {("model", it["model"]): it for it in report["by_model"]}
    groups |= {("task_type", it["task_type"]): it for it in report["by_task_type"]}
    return groups, report["by_week"]


def compare(ledger, program):
    theirs = cells(ledger)
    groups, weeks = ours(ledger, program)
    newest = sorted((key for kind, key in theirs if kind == "week"), reverse=True)
    for key, week in zip(newest[:8], weeks):
        groups["week", key] = week
    for key, it in groups.items():
        tasks, successes, prompt, completion, worked, longest, p50, p95 = map(int_or_none, theirs[key])
        duration = it["duration_ms"]
        expected = [tasks, successes, prompt, completion, worked, longest]
        found = [it["tasks"], it["successes"], it["prompt_tokens"], it["completion_tokens"],
                 duration["sum"], duration["max"]]
        if p50 is not None:
            expected += [min(rounded(p50), longest), min(rounded(p95), longest)]
            found += [duration["p50"], duration["p95"]]
        if expected != found:
            sys.exit(f"{key}: DuckDB has {expected}, {program} {found}")
    earlier = sum(week["tasks"] for week in weeks[8:])
    if len(newest) > 8 and earlier != theirs["week", newest[8]][0]:
        sys.exit(f"earlier weeks: DuckDB has {theirs['week', newest[8]][0]}, {program} {earlier}")
    return len(groups) + (len(newest) > 8)


def int_or_none(value):
    return None if value is None else int(value)


if len(sys.argv) > 2:
    print(compare(sys.argv[1], sys.argv[2]))
else:
    print(len(cells(sys.argv[1])))
