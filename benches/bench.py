#!/usr/bin/env python3
"""Ours beside the anchors: each pair is run in turn, A B A B, and the median of the ratios is told.

  bench.py BIN FOLDER [ROUNDS]    BIN holds log-usage and usage-report; FOLDER is scratch space
"""
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
AWK = ("-F,", 'NR>1{n++;p+=$3;c+=$4;s+=($5=="true");m[$2]+=$3;t[$6]+=$7} END{print n,p,c,s}')
PYTHON = """
import csv, sys
n = p = c = s = 0
models, types = {}, {}
for row in csv.DictReader(open(sys.argv[1], newline="")):
    n += 1; p += int(row["prompt_tokens"]); c += int(row["completion_tokens"])
    s += row["task_success"] == "true"
    models[row["model"]] = models.get(row["model"], 0) + int(row["prompt_tokens"])
    types.setdefault(row["task_type"], []).append(int(row["duration_ms"]))
for durations in types.values():
    durations.sort()
print(n, p, c, s)
"""


def run(command):
    """Wall and processor time of one run, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pair(ours, anchor, rounds):
    run(ours), run(anchor)
    runs = [(run(ours), run(anchor)) for _ in range(rounds)]
    wall = statistics.median(a[0] / b[0] for a, b in runs)
    cpu = [a[1] / b[1] for a, b in runs if b[1] > 0]
    return wall, statistics.median(cpu) if cpu else None, statistics.median(a[0] for a, _ in runs)


def rows(folder, ours):
    """What one row costs beside the same calls in C, nothing at all, and a shell script."""
    ledger = folder / "ledger.csv"
    log = lambda level: [ours / "log-usage", "m", "1", "2", "true", "plan", "3", "--durability", level,
                         "--file", ledger]
    anchors = [("/bin/true", "none", ["/bin/true"]),
               ("the seed's shell script", "none", [HERE / "seed.sh", folder / "seed" / "usage.csv", "m", "1", "2",
                                                    "true", "plan", "3"])]
    compiler = shutil.which("cc")
    if compiler:
        program = folder / "append"
        subprocess.run([compiler, "-O2", "-static", "-o", program, HERE / "append.c"], check=True)
        for level in ("none", "data"):
            anchors.append((f"C, the same calls, {level}", level, [program, folder / "c.csv", level]))
    for name, level, anchor in anchors:
        yield f"`log-usage`, `--durability {level}`", name, log(level), anchor


def reports(folder, ours):
    """What a report costs beside programs that say less."""
    for count in (1_000, 100_000, 1_000_000):
        ledger = folder / f"{count}.csv"
        subprocess.run([HERE.parent / "scripts" / "oracle.py", "generate", str(count), ledger], check=True)
        report = [ours / "usage-report", "--file", ledger]
        anchors = [("`wc -l`", ["wc", "-l", ledger])]
        if shutil.which("mawk"):
            anchors.append(("mawk, sums only, wrong on quotes", ["mawk", *AWK, ledger]))
        anchors.append(("Python's csv module, sums and sorted durations", [sys.executable, "-c", PYTHON, ledger]))
        for name, anchor in anchors:
            yield f"`usage-report`, {count:,} rows", name, report, anchor


def main():
    ours, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    print("| ours | beside | wall, ratio | CPU, ratio | wall of ours |\n|:--|:--|--:|--:|--:|")
    for made, few in ((rows, 1), (reports, 8)):
        for what, name, command, anchor in made(folder, ours):
            wall, cpu, seconds = pair([str(it) for it in command], [str(it) for it in anchor], max(3, rounds // few))
            cpu = "–" if cpu is None else f"{cpu:.2f}"
            print(f"| {what} | {name} | {wall:.2f} | {cpu} | {seconds * 1000:.1f} ms |", flush=True)


if __name__ == "__main__":
    main()
