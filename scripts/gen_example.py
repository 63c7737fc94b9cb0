#!/usr/bin/env python3
"""The ledger of an invented team, for the README's picture: gen_example.py > examples/team/usage.csv

Eight weeks, about 700 tasks, four people in Copenhagen's time, sub-agents, two tools and some rows by hand.
Always the same bytes."""
import datetime
import random

r = random.Random(20261120)
MODELS = [  # name, weight, success, source, tokens (log mean)
    ("claude-sonnet-5-5", 36, 0.92, "claude-code", 13.2),
    ("claude-opus-5-5", 35, 0.91, "claude-code", 13.4),
    ("gpt-5.6-sol", 16, 0.93, "codex", 13.5),
    ("gemini-3.8-flash", 8, 0.80, "gemini", 12.9),
    ("acme-coder-7b", 3, 0.86, None, 13.3),
    ("claude-haiku-5-5", 2, 0.97, "claude-code", 13.2),
]
TYPES = [  # name, weight, success factor, seconds (log mean), token factor
    ("execute", 50, 0.97, 5.8, 1.3),
    ("verify", 22, 1.01, 5.0, 0.8),
    ("discuss", 14, 1.05, 3.7, 0.3),
    ("plan", 8, 1.03, 5.3, 0.9),
    ("quick", 6, 1.01, 1.8, 0.05),
]
REMARKS = ["", "", "", "retry with jitter", "flaky calendar test", "dark mode, settings page", "schema migration",
           'rename "tenant" to "workspace"', "review of the export", "größere Tabelle"]
HEADER = "timestamp,model,prompt_tokens,completion_tokens,task_success,task_type,duration_ms,notes"


def pick(table):
    return r.choices(table, [row[1] for row in table])[0]


def field(text):
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"') else text


rows = []
day = datetime.date(2026, 9, 28)
while day <= datetime.date(2026, 11, 20):
    busy = (0.13 if day.weekday() > 4 else 1) * (0.75 + 0.008 * (day - datetime.date(2026, 9, 28)).days)
    for _ in range(int(r.gauss(20, 4.5) * busy)):
        hour = min(max(r.gauss(13.5, 3), 7), 21.9)
        offset = 2 if day < datetime.date(2026, 10, 25) else 1
        at = datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(seconds=int(hour * 3600))
        model, _, skill, source, tokens = pick(MODELS)
        source = source if r.random() < 0.88 else None
        kind, _, ease, seconds, factor = pick(TYPES)
        prompt = int(r.lognormvariate(tokens, 0.7) * factor)
        tags = [f"cache_read={int(prompt * r.uniform(0.88, 0.95))}"] if source else []
        if source:
            tags = [f"source={source}", f"id={r.getrandbits(48):012x}", f"session={r.getrandbits(48):012x}"] + tags
        elif r.random() < 0.6:
            tags = ["source=run"]
        notes = " ".join(filter(None, [r.choice(REMARKS), "{" + " ".join(tags) + "}" if tags else ""]))
        success = "true" if r.random() < skill * ease else "false"
        duration = int(r.lognormvariate(seconds, 0.85) * 1000)
        row = [model, prompt, int(prompt * r.uniform(0.007, 0.014)), success, kind, duration, field(notes)]
        rows.append((at, offset, row))
        if source == "claude-code" and r.random() < 0.09:
            sub = [row[0], prompt // 4, prompt // 400, success, kind, duration // 3,
                   f"{{source={source} id={r.getrandbits(48):012x} role=sub agent=explore cache_read={prompt // 5}}}"]
            rows.append((at + datetime.timedelta(seconds=9), offset, sub))
    day += datetime.timedelta(days=1)

print(HEADER)
for at, offset, row in sorted(rows, key=lambda it: it[0] - datetime.timedelta(hours=it[1])):
    print(",".join([f"{at.isoformat()}+{offset:02}:00"] + [str(value) for value in row]))
