"""How near are estimates to what a plain run really holds?

usage: python benchmarks/estimation.py [--megabytes N] [--only NAME ...]

Twenty small scripts, each run plainly (its highest resident bytes, from the kernel, less what an interpreter with the same
imports holds) and estimated from samples and by rules. The margins in `runsurge_dask.estimation.fitting`
were chosen on these scripts, so what is printed here is a fit and no proof: other scripts do less well.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from runsurge_dask.analysis.build import build_program
from runsurge_dask.errors import RunSurgeError
from runsurge_dask.estimation.estimate import estimate
from runsurge_dask.pipeline import start_host

SCRIPTS = {
    "csv rows in a list": """
import csv
rows = []
with open("rows.csv", newline="") as f:
    for row in csv.DictReader(f):
        rows.append([row["id"], float(row["x"]) * 2])
print(len(rows))
""",
    "group by key": """
import csv
groups = {}
with open("rows.csv", newline="") as f:
    for row in csv.reader(f):
        groups.setdefault(row[1], []).append(row[2])
print(len(groups))
""",
    "word count": """
counts = {}
with open("text.txt") as f:
    for line in f:
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
print(sorted(counts.items(), key=lambda pair: -pair[1])[:5])
""",
    "json lines": """
import json
events = [json.loads(line) for line in open("events.jsonl")]
kept = [e for e in events if e["x"] > 50]
print(len(kept))
""",
    "json array": """
import json
with open("events.json") as f:
    events = json.load(f)
print(sum(e["x"] for e in events))
""",
    "unique ids": """
seen = set()
for line in open("rows.csv"):
    seen.add(line.split(",")[0])
print(len(seen))
""",
    "whole text": """
text = open("text.txt").read()
words = text.split()
print(len(words), len(set(words)))
""",
    "two lists of floats": """
import math
def load(path):
    xs, ys = [], []
    with open(path) as f:
        next(f)
        for line in f:
            parts = line.split(",")
            xs.append(float(parts[2]))
            ys.append(float(parts[3]))
    return xs, ys
def deviation(values):
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
xs, ys = load("rows.csv")
scaled = [(x - 50) / 3 for x in xs]
print(deviation(scaled), deviation(ys))
""",
    "constant state": """
import csv
total = 0.0
with open("rows.csv", newline="") as f, open("out.csv", "w", newline="") as g:
    w = csv.writer(g)
    for row in csv.DictReader(f):
        total += float(row["x"])
        w.writerow([row["id"], row["y"]])
print(total)
""",
    "join by a dictionary": """
import csv
def table(path):
    with open(path, newline="") as f:
        return {row["name"]: row for row in csv.DictReader(f)}
def main():
    names = table("names.csv")
    joined = []
    with open("rows.csv", newline="") as f:
        for row in csv.DictReader(f):
            joined.append((row["id"], names[row["name"]]["city"]))
    joined.sort()
    print(joined[:3])
main()
""",
    "range": """
squares = [i * i for i in range(2_000_000)]
pairs = {i: str(i) for i in range(400_000)}
print(len(squares), len(pairs))
""",
    "objects": """
import csv
from dataclasses import dataclass
@dataclass
class Reading:
    id: int
    name: str
    x: float
def read(path):
    with open(path, newline="") as f:
        return [Reading(int(r["id"]), r["name"], float(r["x"])) for r in csv.DictReader(f)]
readings = read("rows.csv")
best = sorted(readings, key=lambda r: r.x)[-10:]
print(best)
""",
    "pandas few groups": """
import pandas as pd
df = pd.read_csv("rows.csv")
df["z"] = df["x"] * df["y"]
print(df.groupby("kind")[["x", "z"]].mean())
""",
    "pandas many groups": """
import pandas as pd
df = pd.read_csv("rows.csv")
per = df.groupby("id").agg({"x": "sum", "y": "max"})
print(per.sort_values("x").tail())
""",
    "pandas merge and sort": """
import pandas as pd
df = pd.read_csv("rows.csv")
names = pd.read_csv("names.csv")
both = df.merge(names, on="name")
both = both.sort_values(["city", "x"])
both.to_csv("out.csv", index=False)
""",
    "pandas strings": """
import pandas as pd
df = pd.read_csv("rows.csv")
df["upper"] = df["name"].str.upper() + "-" + df["kind"]
longest = df["upper"].str.len().max()
df = df.drop_duplicates("upper")
print(len(df), longest)
""",
    "pandas apply": """
import pandas as pd
df = pd.read_csv("rows.csv", usecols=["id", "x", "y"]).head(200_000)
df["s"] = df.apply(lambda r: f"{r['x']:.1f}/{r['y']:.1f}", axis=1)
print(df["s"].nunique())
""",
    "parquet": """
import pandas as pd
df = pd.read_parquet("rows.parquet")
wide = df.assign(a=df.x + 1, b=df.y * 2, c=df.x - df.y)
print(wide.describe())
""",
    "numpy array": """
import numpy as np
a = np.load("matrix.npy")
centred = a - a.mean(axis=0)
cov = centred.T @ centred
print(np.round(np.linalg.eigvalsh(cov)[:3], 1), np.sort(a[:, 0])[:3])
""",
    "numpy text": """
import numpy as np
a = np.loadtxt("rows.csv", delimiter=",", skiprows=1, usecols=(2, 3))
print(np.percentile(a, [5, 50, 95], axis=0))
""",
}


def write_data(folder: Path, megabytes: int) -> None:
    """Write the inputs: about so many megabytes in the largest."""
    rng, draw = np.random.default_rng(1), random.Random(1)
    rows = megabytes * 24_000
    frame = pd.DataFrame({
        "id": np.arange(rows) * 7919 % (rows * 3), "name": [f"name{n}" for n in rng.integers(0, rows // 20, rows)],
        "x": rng.normal(50, 10, rows).round(4), "y": rng.exponential(3, rows).round(5), "kind": rng.choice(["a", "bb", "ccc"], rows),
    })  # fmt: skip
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_parquet(folder / "rows.parquet", row_group_size=max(1000, rows // 10))
    names = pd.DataFrame({"name": [f"name{n}" for n in range(rows // 20)], "city": rng.choice(["Oslo", "Quito", "Pune"], rows // 20)})
    names.to_csv(folder / "names.csv", index=False)
    words = [f"w{int(n)}" for n in rng.zipf(1.3, 200_000) % 10_000_000]
    with (folder / "text.txt").open("w") as file:
        file.writelines(" ".join(draw.choices(words, k=9)) + "\n" for _ in range(megabytes * 20_000))
    events = ({"id": n, "x": draw.random() * 100, "tags": draw.sample(words, 2), "who": {"name": f"u{n % 997}"}} for n in range(rows // 3))
    kept = list(events)
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in kept))
    (folder / "events.json").write_text(json.dumps(kept))
    np.save(folder / "matrix.npy", rng.normal(size=(megabytes * 4000, 32)))


TELL = "open('peak', 'w').write(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
"""Not `ru_maxrss`: that begins with what the parent held when it started the child."""


def plain_run(script: str, folder: Path) -> tuple[int, float]:
    """Highest resident bytes and seconds of a plain run."""
    begun = time.perf_counter()
    pid = os.posix_spawn(
        sys.executable, [sys.executable, "-c", f"import os; os.chdir({str(folder)!r})\n{script}\n{TELL}"], os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )  # fmt: skip
    _, status = os.waitpid(pid, 0)
    elapsed = time.perf_counter() - begun
    assert status == 0, script
    return int((folder / "peak").read_text().split()[1]) << 10, elapsed


def main() -> None:
    """Run all, print a line for each, then medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=40)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {"samples": [], "static": [], "seconds": []}
    total: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, options.megabytes)
        print(f"{'script':24}{'real net MB':>12}{'samples':>9}{'ratio':>7}{'static':>9}{'ratio':>7}{'s real':>8}{'s est':>7}{'took s':>8}")
        for label, script in SCRIPTS.items():
            if options.only and not any(word in label for word in options.only):
                continue
            one(label, script, folder, ratios, total)
    for basis, found in ratios.items():
        under = sum(ratio < 1 for ratio in found)
        deciles = statistics.quantiles(found, n=10) if len(found) > 1 else found
        print(
            f"{basis}: median {statistics.median(found):.2f}, p90 {deciles[-1]:.2f}, "
            f"lowest {min(found):.2f}, {under} of {len(found)} under-predict"
        )
    print(f"whole process, with its baseline: median {statistics.median(total):.2f}, lowest {min(total):.2f}, highest {max(total):.2f}")


def one(label: str, script: str, folder: Path, ratios: dict[str, list[float]], total: list[float]) -> None:
    """Measure and estimate one script."""
    peak, seconds = plain_run(script, folder)
    program = build_program(script, str(folder / "script.py"))
    host = start_host(program)
    begun = time.perf_counter()
    try:
        found = estimate(program, host, cwd=str(folder))
    finally:
        host.close()
    took = time.perf_counter() - begun
    rules = 0
    try:
        rules = estimate(program, None, cwd=str(folder), is_static=True).peak_bytes
    except RunSurgeError as error:
        print(error)
    ratios["seconds"].append(found.seconds / seconds)
    net = max(1 << 20, peak - found.baseline_bytes)
    total.append((found.peak_bytes + found.baseline_bytes) / peak)
    ratios["samples"].append(found.peak_bytes / net)
    ratios["static"].append(rules / net)
    print(
        f"{label:24}{net / 1e6:12.1f}{found.peak_bytes / 1e6:9.1f}{found.peak_bytes / net:7.2f}{rules / 1e6:9.1f}{rules / net:7.2f}"
        f"{seconds:8.2f}{found.seconds:7.2f}{took:8.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
