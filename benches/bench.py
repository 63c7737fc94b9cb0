#!/usr/bin/env python3
"""Ours beside the anchors: each pair is run in turn, A B A B, and the median of the ratios is told.

  bench.py BIN FOLDER [ROUNDS [ROWS]]
     BIN holds log-usage and usage-report; FOLDER is scratch space; ROWS is the largest ledger's size.
"""
import os
import pathlib
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
ROW = ["m", "1", "2", "true", "plan", "3"]
# A process of a millisecond is timed this many times as often as a report.
SHORT = 20
PROCESSES = 64
STARTS = 4096
NOWHERE = os.open(os.devnull, os.O_WRONLY)


class Run:
    """One run of a program: its wall and processor time in seconds."""

    def __init__(self, command, folder=None, stdin=None):
        words = [str(it) for it in command]
        home = os.getcwd()
        os.chdir(folder or home)
        streams = [(os.POSIX_SPAWN_DUP2, NOWHERE, 1)] + ([(os.POSIX_SPAWN_DUP2, stdin.fileno(), 0)] if stdin else [])
        began = time.perf_counter()
        child = os.posix_spawnp(words[0], words, os.environ, file_actions=streams)
        _, status, usage = os.wait4(child, 0)
        self.wall = time.perf_counter() - began
        os.chdir(home)
        self.cpu = usage.ru_utime + usage.ru_stime
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"{command[0]} failed")


def pair(what, beside, ours, anchor, rounds, folder=None):
    """A line of the table."""
    Run(ours, folder), Run(anchor, folder)
    runs = [(Run(ours, folder), Run(anchor, folder)) for _ in range(rounds)]
    median = statistics.median
    wall = median(a.wall / b.wall for a, b in runs)
    cpu = median(a.cpu / b.cpu if b.cpu else 1 for a, b in runs)
    mine = median(a.wall for a, _ in runs)
    print(f"| {what} | {beside} | {wall:.2f} | {cpu:.2f} | {mine * 1000:.1f} ms |", flush=True)


def memory(command):
    """The most memory that a run holds, in MB, as far as it is looked at every millisecond."""
    child = subprocess.Popen([str(it) for it in command], stdout=subprocess.DEVNULL)
    most = 0
    while child.poll() is None:
        status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
        # Before it becomes another program the child is this one.
        if "\nName:" in "\n" + status and pathlib.Path(str(command[0])).name.startswith(status.split()[1]):
            lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
            most = max([most] + [int(line.split()[1]) for line in lines])
        time.sleep(0.001)
    return most / 1024


def note(text):
    print(f"note: {text}", file=sys.stderr, flush=True)


def build_append(folder):
    """The C program with the same calls; None without a compiler."""
    compiler = shutil.which("cc")
    if not compiler:
        return note("no C compiler: C is left out")
    program = folder / "append"
    subprocess.run([compiler, "-O2", "-static", "-o", program, HERE / "append.c"], check=True)
    return program


def rows(folder, ours, rounds):
    """What one row costs."""
    ledger = folder / "ledger.csv"
    append = build_append(folder)
    log = lambda level: [ours / "log-usage", *ROW, "--durability", level, "--file", ledger]
    what = "`log-usage`, `--durability {}`".format
    pair(what("none"), "/bin/true", log("none"), ["/bin/true"], rounds * SHORT)
    seed = [HERE / "seed.sh", folder / "seed" / "usage.csv", *ROW]
    pair(what("none"), "the seed's shell script", log("none"), seed, rounds)
    if append:
        for level in ("none", "data"):
            pair(what(level), f"C, the same calls, {level}", log(level), [append, folder / "c.csv", level], rounds * SHORT)
        crowd(folder, ours, append, max(3, rounds // 8))


def crowd(folder, ours, append, rounds):
    """Many processes at once, all into one ledger."""
    script = 'n=$1 p=$2; shift 2; seq "$n" | xargs -P "$p" -n 1 "$@"'
    start = lambda command: ["sh", "-c", script, "sh", STARTS, PROCESSES, *command]
    ledger = folder / "crowd" / "usage.csv"
    ledger.parent.mkdir()
    log = start([ours / "log-usage", "--durability", "none", "--file", ledger, *ROW])
    c = start([append, folder / "crowd.csv", "none"])
    pair(f"`log-usage`, {PROCESSES} processes at once, {STARTS:,} rows", "C, the same calls", log, c, rounds)
    written = sum(1 for _ in open(ledger)) - 1
    if written != (rounds + 1) * STARTS:
        sys.exit(f"{written} rows of {(rounds + 1) * STARTS}")


def batch(folder, ours):
    """How many rows a second come from one input, synced once."""
    for what, stamp in (("without timestamps", ""), ("with timestamps", "2026-01-01T00:00:00.{:06}Z")):
        source = folder / "batch.csv"
        with open(source, "w") as file:
            file.write("timestamp,model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes\n")
            for n in range(1_000_000):
                file.write(f"{stamp.format(n)},model-{n % 30},{n % 9000},{n % 3000},true,plan,{n % 90000},\n")
        best = []
        for _ in range(5):
            ledger = folder / "batch-ledger.csv"
            ledger.unlink(missing_ok=True)
            with open(source) as stdin:
                best.append(Run([ours / "log-usage", "batch", "--file", ledger, "--max-size", "1G"], stdin=stdin))
        wall = statistics.median(it.wall for it in best)
        print(f"| `log-usage batch`, 1,000,000 rows {what} | {1 / wall:.2f} M rows/s | | | "
              f"{wall * 1000:.1f} ms |", flush=True)


def reports(folder, ours, rounds, most):
    """What a report costs beside programs that say less, and as much."""
    for count in sorted({it for it in (1_000, 100_000, 1_000_000) if it < most} | {most}):
        ledger = folder / f"{count}.csv"
        subprocess.run([HERE.parent / "scripts" / "oracle.py", "generate", str(count), ledger], check=True)
        report = [ours / "usage-report", "--file", ledger, "--no-cache"]
        few = max(3, rounds // max(1, count // 10_000))
        beside = lambda name, anchor: pair(f"`usage-report`, {count:,} rows", name, report, anchor, few)
        beside("`wc -l`", ["wc", "-l", ledger])
        if count == 1_000 and (folder / "empty").exists():
            beside("an empty static process", [folder / "empty"])
        if count <= 1_000_000:
            if shutil.which("mawk"):
                beside("mawk, sums only, wrong on quotes", ["mawk", *AWK, ledger])
            beside("Python's csv module, sums and sorted durations", [sys.executable, "-c", PYTHON, ledger])
        if count >= 1_000_000:
            if pathlib.Path("/proc/self/status").exists():
                print(f"| `usage-report`, {count:,} rows | {memory(report):.1f} MB of memory | | | |", flush=True)
            databases(ledger, ours, beside)
            if shutil.which("taskset"):
                beside("itself on one thread", ["taskset", "-c", "0", *report])
            check = [*report, "check", "--fail-on", "critical"]
            limit = [*check, "--no-anomalies", "--max-cost", "1000000000"]
            for name, command in (("check`, anomalies", check), ("check`, a limit", limit)):
                pair(f"`usage-report {name}, {count:,} rows", "the report itself", command, report, few)
                print(f"| `usage-report {name}, {count:,} rows | {memory(command):.1f} MB of memory | | | |", flush=True)
    return folder / f"{most}.csv"


def databases(ledger, ours, beside):
    for name in ("DuckDB", "polars"):
        script = HERE / f"{name.lower()}_report.py"
        if subprocess.run([sys.executable, "-c", f"import {name.lower()}"], stderr=subprocess.DEVNULL).returncode:
            note(f"no {name}: it is left out")
            continue
        if name == "DuckDB":
            command = [sys.executable, script, ledger, ours / "usage-report"]
            cells = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            note(f"DuckDB and usage-report agree in {cells} groups of {ledger.name}")
        beside(f"{name}, the same figures" if name == "DuckDB" else f"{name}, its sums and percentiles",
               [sys.executable, script, ledger])


def sealed(folder, ours, rounds, ledger):
    """A report over sealed segments that were summed before, beside one over the active file alone."""
    for segments in (100, 1_000):
        place = folder / f"sealed-{segments}"
        split(ledger, place, segments)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        report = [ours / "usage-report"]
        # The first time they are summed, and known from the third second on.
        for _ in range(2):
            Run(report, place)
        alone = folder / "alone.csv"
        shutil.copy(place / ".telemetry" / "usage.csv", alone)
        pair(f"`usage-report`, {segments:,} sealed segments, cached", "the active file alone, 100,000 rows",
             report, [*report, "--file", alone], rounds, place)


def split(ledger, place, segments):
    """Sealed segments of equal size, and an active file of 100,000 rows."""
    archive = place / ".telemetry" / "archive"
    archive.mkdir(parents=True)
    with open(ledger, "rb") as file:
        header = file.readline()
        records = []
        for line in file:
            if records and records[-1].count(b'"') % 2:
                records[-1] += line
            else:
                records.append(line)
    active = min(100_000, len(records) // 2)
    size = -(-(len(records) - active) // segments)
    for number, start in enumerate(range(0, len(records) - active, size)):
        end = min(start + size, len(records) - active)
        path = archive / f"usage-20230101T{number // 3600:02}{number // 60 % 60:02}{number % 60:02}Z-00000000.csv"
        path.write_bytes(header + b"".join(records[start:end]))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    (place / ".telemetry" / "usage.csv").write_bytes(header + b"".join(records[-active:]))


def commits(folder, ours, rounds):
    """What the hooks add to a commit, in milliseconds: with nothing that waits, and with one row."""
    place = folder / "commits"
    (place / ".telemetry").mkdir(parents=True)
    os.environ["PATH"] = f"{ours}:{os.environ['PATH']}"
    os.environ |= {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    ledger = place / ".telemetry" / "usage.csv"
    subprocess.run([HERE.parent / "scripts" / "oracle.py", "generate", "7600", ledger], check=True)
    run = lambda *words: subprocess.run(words, cwd=place, check=True, stdout=subprocess.DEVNULL)
    run("git", "init", "--quiet")
    run("log-usage", "init", "--quiet")
    run("log-usage", "hooks", "install")
    walls = {"without hooks": [], "nothing waits": [], "one row waits": []}
    for number in range(rounds * len(walls)):
        what = list(walls)[number % len(walls)]
        (place / "code").write_text(str(number))
        run("git", "add", ".")
        if what == "one row waits":
            run("log-usage", *ROW)
        skipped = ["-c", "core.hooksPath=/dev/null"] if what == "without hooks" else []
        # git reads a file again that was changed within the second of its index; people are slower.
        time.sleep(1.02)
        walls[what].append(Run(["git", *skipped, "commit", "--quiet", "-m", str(number)], place).wall)
    base = statistics.median(walls["without hooks"])
    size = ledger.stat().st_size / 1e6
    for what in list(walls)[1:]:
        wall = statistics.median(walls[what])
        print(f"| a commit through the hooks, {what} (ledger of {size:.1f} MB) | a commit without hooks "
              f"| {wall / base:.2f} | | +{(wall - base) * 1000:.1f} ms |", flush=True)


def main():
    ours, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    most = int(sys.argv[4]) if len(sys.argv) > 4 else 10_000_000
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    compiler = shutil.which("cc")
    if compiler:
        (folder / "empty.c").write_text("int main(void) { return 0; }\n")
        subprocess.run([compiler, "-O2", "-static", "-o", "empty", "empty.c"], check=True)
    print("| ours | beside | wall, ratio | CPU, ratio | wall of ours |\n|:--|:--|--:|--:|--:|")
    rows(folder, ours, rounds)
    if shutil.which("git"):
        commits(folder, ours, rounds)
    batch(folder, ours)
    largest = reports(folder, ours, rounds, most)
    sealed(folder, ours, rounds, largest)


if __name__ == "__main__":
    main()
