#!/usr/bin/env python3
"""An independent count of a ledger, by Python's csv module, held against usage-report's JSON.

  oracle.py generate ROWS FILE   write a ledger: commas, quotes, line ends and UTF-8 in notes, seven offsets
  oracle.py check PROGRAM FILE   compare every sum and percentile; exit 1 where any differs
"""
import csv
import datetime
import json
import pathlib
import random
import re
import subprocess
import sys
from decimal import Decimal

HEADER = "timestamp,model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes"
PRICES = pathlib.Path(__file__).parent.parent / "src/pricing/prices.csv"
KINDS = ["input", "output", "cache_write_5m", "cache_write_1h", "cache_read"]


def generate(rows, path, seed=7):
    r = random.Random(seed)
    # Most have a price, some by another name; others have none.
    models = sorted(listed())[::5] + [f"model-{n}" for n in range(9)] + ["vendor/model:v1@eu[1m]"]
    models += [f"openrouter/x/{name.upper()}" for name in models[:3]]
    offsets = [0, 60, 120, -300, -480, 330, 540]
    words = ["fix", "parser, lexer", 'the "flaky" test', "line\nend", "größer", "日本語", "✅", "", "-5", "=1+1"]
    start = datetime.datetime(2023, 11, 20, tzinfo=datetime.timezone.utc)
    step = datetime.timedelta(days=3 * 365) / rows
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER.split(","))
        for n in range(rows):
            zone = datetime.timezone(datetime.timedelta(minutes=r.choice(offsets)))
            at = (start + n * step).astimezone(zone).isoformat(timespec="seconds")
            writer.writerow([
                at.replace("+00:00", "Z"),
                models[int(len(models) * r.random() ** 2)],
                int(r.lognormvariate(8, 1.2) * (100 if r.random() < 0.05 else 1)),
                int(r.lognormvariate(6, 1.1)),
                "true" if r.random() < 0.92 else "false",
                r.choice(["plan", "execute", "verify", "discuss", "quick"]),
                int(r.lognormvariate(10, 1.5)),
                " ".join(r.sample(words, r.randrange(3)) + tags(r)).strip(),
            ])


def tags(r):
    """A block of tags, on half of the rows."""
    caches = [f"{key}={int(r.lognormvariate(6, 2))}" for key in ("cache_read", "cache_write", "cache_write_1h")]
    block = r.sample(caches, r.randrange(4))
    if r.random() < 0.5:
        block.append(f"requests={r.randrange(4)}")
    if r.random() < 0.1:
        block.append(f"cost_usd={r.randrange(9)}.{r.randrange(10 ** 6):06}")
    return ["{" + " ".join(block) + "}"] if block and r.random() < 0.5 else []


def listed():
    """Every model's prices in dollars per million tokens, by how long a prompt must at least be."""
    prices = {}
    with open(PRICES, newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            tiers = prices.setdefault(line["model"], {})
            given = {kind: Decimal(line[f"{kind}_per_mtok"]) for kind in KINDS if line[f"{kind}_per_mtok"]}
            tiers[int(line["above_tokens"] or -1)] = {**tiers.get(-1, {}), **given}
            tiers["hour"] = 2 if line["provider"] == "anthropic" else None
    return prices


def cost(row, prices):
    """Millionths of a dollar; None where the model has no price."""
    block = re.search(r"(?:^| )\{([^{}]*)\}$", row["notes"])
    told = dict(word.split("=") for word in block[1].split(" ")) if block else {}
    if "cost_usd" in told:
        return int(Decimal(told["cost_usd"]) * 10 ** 6)
    tiers = prices.get(row["model"].split("/")[-1].lower())
    if tiers is None:
        return None
    prompt = rest = int(row["prompt_tokens"])
    is_one = told.get("requests", "1") == "1"
    above = max(it for it in tiers if it != "hour" and (it == -1 or is_one and prompt > it))
    rates = tiers[above]
    write = rates.get("cache_write_5m", rates["input"])
    hour = rates["input"] * tiers["hour"] if tiers["hour"] else write
    dollars = Decimal(row["completion_tokens"]) * rates["output"]
    for key, rate in (("cache_read", rates.get("cache_read", rates["input"])), ("cache_write", write),
                      ("cache_write_1h", rates.get("cache_write_1h", hour))):
        part = min(int(told.get(key, 0)), rest)
        rest -= part
        dollars += part * rate
    dollars += rest * rates["input"]
    return int(dollars + Decimal("0.5"))


def rounded(value):
    """Half up to three significant digits."""
    if value < 1000:
        return value
    unit = 10 ** (len(str(value)) - 3)
    return (value + unit // 2) // unit * unit


def measure(rows):
    durations = sorted(row[3] for row in rows)
    steps = sorted(rounded(value) for value in durations)
    n = len(rows)
    priced = [row for row in rows if row[4] is not None]
    total, successes = sum(row[4] for row in priced), sum(row[2] for row in priced)
    usd = lambda micros: f"{micros // 10 ** 6}.{micros % 10 ** 6:06}"
    at = lambda q: min(steps[min(n * q // 100, n - 1)], durations[-1])
    return {
        "rows": n,
        "tasks": n,
        "prompt_tokens": sum(row[0] for row in rows),
        "completion_tokens": sum(row[1] for row in rows),
        "total_tokens": sum(row[0] + row[1] for row in rows),
        "successes": sum(row[2] for row in rows),
        "success_rate": sum(row[2] for row in rows) / n,
        "cost_usd": usd(total) if priced else None,
        "cost_per_success_usd": usd((2 * total + successes) // (2 * successes)) if successes else None,
        "priced_tasks": len(priced),
        "priced_successes": successes,
        "priced_tokens": sum(row[0] + row[1] for row in priced),
        "duration_ms": {
            "sum": sum(durations),
            "mean": sum(durations) / n,
            "p50": at(50),
            "p95": at(95),
            "max": durations[-1],
        },
    }


def count(path):
    groups = {}
    seen = set()
    prices = listed()
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = tuple(row.values())
            if key in seen:
                continue
            seen.add(key)
            day = datetime.date.fromisoformat(row["timestamp"][:10])
            year, week, _ = day.isocalendar()
            figures = (int(row["prompt_tokens"]), int(row["completion_tokens"]),
                       row["task_success"] == "true", int(row["duration_ms"]), cost(row, prices))
            for group, name in (("totals", ""), ("model", row["model"]), ("task_type", row["task_type"]),
                                ("day", day.isoformat()), ("week", f"{year}-W{week:02}"),
                                ("month", day.isoformat()[:7])):
                groups.setdefault(group, {}).setdefault(name, []).append(figures)
    return {group: {name: measure(rows) for name, rows in names.items()} for group, names in groups.items()}


def check(program, path):
    command = [program, "--file", path, "--daily", "--weekly", "--monthly", "--format", "json"]
    # Dollars are compared as they are written.
    value = lambda key, it: it if not isinstance(it, Decimal) else str(it) if key.endswith("_usd") else float(it)
    printed = subprocess.run(command, check=True, capture_output=True).stdout
    report = json.loads(printed, parse_float=Decimal,
                        object_pairs_hook=lambda pairs: {key: value(key, it) for key, it in pairs})
    compared, wrong = 0, 0
    for group, names in count(path).items():
        theirs = {"": report["totals"]} if group == "totals" else {it[group]: it for it in report[f"by_{group}"]}
        # Periods without rows are shown too, with nothing in them.
        extra = [name for name in theirs if name not in names and theirs[name]["rows"]]
        wrong += len(extra)
        for name, expected in names.items():
            found = {key: theirs.get(name, {}).get(key) for key in expected}
            compared += 1
            if found != expected:
                wrong += 1
                print(f"{group} {name}: expected {expected}, found {found}", file=sys.stderr)
    print(f"{compared} groups compared, {wrong} differ")
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["generate"]:
        generate(int(sys.argv[2]), sys.argv[3])
    elif sys.argv[1:2] == ["check"]:
        sys.exit(check(sys.argv[2], sys.argv[3]))
    else:
        sys.exit(__doc__)
