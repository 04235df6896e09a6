"""A script that keeps a list of texts, which grow as its input says, and goes through it again."""

from __future__ import annotations

GROWING = """
rows = []
with open("in.txt") as f:
    for line in f:
        name, times = line.split()
        rows.append([name * int(times), times])
longest = 0
with open("out.txt", "w") as out:
    for text, times in rows:
        longest = max(longest, len(text))
        out.write(f"{text[:3]} {len(text)} {times}\\n")
print(len(rows), longest)
"""
