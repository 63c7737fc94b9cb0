#!/usr/bin/env python3
"""The default report's sums and percentiles by polars, streaming.  polars_report.py LEDGER"""
import sys

import polars as pl

COLUMNS = ["timestamp", "model", "prompt_tokens", "completion_tokens", "task_success", "task_type",
           "duration_ms", "notes"]
NUMBERS = ("prompt_tokens", "completion_tokens", "duration_ms")
schema = {name: pl.Int64 if name in NUMBERS else pl.String for name in COLUMNS}
rows = pl.scan_csv(sys.argv[1], schema=schema).select(
    pl.col("timestamp").str.head(10).str.to_date().alias("day"),
    "model", "task_type", *NUMBERS, (pl.col("task_success") == "true").alias("success"))
sums = [pl.len().alias("tasks"), pl.col("success").sum(), pl.col("prompt_tokens").sum(),
        pl.col("completion_tokens").sum(), pl.col("duration_ms").sum().alias("worked")]
cells = rows.group_by("day", "model", "task_type").agg(*sums, pl.col("duration_ms").alias("ms"))
cells = cells.collect(engine="streaming").with_columns(pl.col("day").dt.truncate("1w").alias("week"))
print(cells.group_by("model").agg(pl.col("tasks", "success", "prompt_tokens", "completion_tokens").sum()).height)
for name in ("week", "task_type"):
    durations = cells.select(name, "ms").explode("ms").group_by(name)
    print(durations.agg(pl.col("ms").quantile(0.5), pl.col("ms").quantile(0.95).alias("p95"), pl.len()).height)
