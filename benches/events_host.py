"""What a program pays that pipes 1,000 events a second into `log-usage event -`.

Usage: events_host.py LOG-USAGE [RUNS], in a repository whose user consented to events. The program does
a known piece of work 500 times, a thousandth of a second each, with an event after each and without, in
turn; Python writes to the pipe 8 KiB at a time. Printed is the median of the ratios, of its wall time and
of its own processor time. Exits 1 if an event is missing.
"""
import glob, hashlib, itertools, json, statistics, subprocess, sys, time

EVENTS = 500
SLICE_S = 0.001
EVENTS_FILES = [".telemetry/events.jsonl", ".telemetry/events/*.jsonl"]


def blocks_per_slice():
    """How much work takes a thousandth of a second here: the least of many tries."""
    block = bytes(4_096)
    least = 1.0
    for _ in range(200):
        began = time.perf_counter()
        for _ in range(50):
            hashlib.sha256(block).digest()
        least = min(least, (time.perf_counter() - began) / 50)
    return max(1, round(SLICE_S / least))


def work(blocks, emit):
    block = bytes(4_096)
    began, used = time.perf_counter(), time.process_time()
    for number in range(EVENTS):
        for _ in range(blocks):
            hashlib.sha256(block).digest()
        if emit:
            emit(number)
    return time.perf_counter() - began, time.process_time() - used


def stored():
    events = 0
    for name in itertools.chain(*map(glob.glob, EVENTS_FILES)):
        with open(name, "rb") as file:
            events += sum(1 for _ in file)
    return events


def with_events(program, blocks):
    before = stored()
    child = subprocess.Popen([program, "event", "-"], stdin=subprocess.PIPE)

    def emit(number):
        event = {
            "name": "operation.completed",
            "success": True,
            "duration_ms": 1,
            "attrs": {"strategy": "split"},
            "metrics": {"attempts": 1, "confidence": 0.5},
        }
        child.stdin.write(json.dumps(event).encode() + b"\n")

    taken = work(blocks, emit)
    child.stdin.close()
    if child.wait() != 0 or stored() - before != EVENTS:
        sys.exit(f"{stored() - before} of {EVENTS} events are stored")
    return taken


def main():
    program, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 41
    blocks = blocks_per_slice()
    alone, piping = [], []
    for _ in range(runs):
        alone.append(work(blocks, None))
        piping.append(with_events(program, blocks))
    for at, what in enumerate(["wall", "processor"]):
        ratio = statistics.median(other[at] / one[at] for one, other in zip(alone, piping))
        print(f"{what}: {ratio - 1:+.1%}")
    rate = EVENTS / statistics.median(run[0] for run in piping)
    print(f"{rate:.0f} events/s")


main()
