"""Scripts that cannot end well, each with its inputs and the end of what Python says about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A script that cannot end well, and its inputs; `says` is the end of its standard error."""

    name: str
    script: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    says: str = ""
    status: int = 1
    chunks: int = 3


def numbers(rows: int, *, width: int = 2) -> bytes:
    """A CSV of small numbers with a header."""
    lines = [",".join("abcd"[:width]), *(",".join(str(row * 3 + column) for column in range(width)) for row in range(rows))]
    return ("\n".join(lines) + "\n").encode()


SUM_OF_B = """import csv

total = 0
with open("data.csv", newline="") as file:
    for row in csv.DictReader(file):
        total += int(row["b"])
print(total)
"""
SPOILED_IN_CHUNK_7 = """import csv

with open("data.csv", newline="") as file:
    rows = list(csv.reader(file))[1:]
with open("first.txt", "w") as first:
    for row in rows:
        first.write(row[0] + "\\n")
print("first is finished")
with open("second.txt", "w") as second:
    for row in rows:
        second.write(f"{100 / (int(row[0]) - 195):.3f}\\n")
print("never reached")
"""
"""90 rows in 9 chunks; the value 195 stands in row 65, in chunk 7."""

MISSING_FILE = """
total = 0
for line in open("nothing.txt"):
    total += len(line)
print(total)
"""
PAIRS = """
import csv

totals = []
with open("data.csv", newline="") as file:
    for a, b in csv.reader(file):
        totals.append(a + b)
print(len(totals))
"""
LETTERS = """
total = 0
with open("data.txt", encoding="utf-8") as file:
    for line in file:
        total += len(line)
print(total)
"""
HEADER = """
import csv

with open("data.csv", newline="") as file:
    reader = csv.reader(file)
    header = next(reader)
    for row in reader:
        print(row)
"""
COPY = """
import csv

with open("data.csv", newline="") as file, open("out", "w") as out:
    for row in csv.reader(file):
        out.write(row[0])
"""
EXIT_IN_LOOP = """
import sys

for number in range(90):
    if number == 50:
        print("enough")
        sys.exit(3)
print("never reached")
"""
EXIT_IN_FUNCTION = """
import sys

def check(number):
    if number == 50:
        sys.exit("too large")
    return number

print([check(number) for number in range(90)])
"""
DEEP = """
def inner(number):
    return 1 / (40 - number)

def outer(number):
    return inner(number) + 1

out = []
for number in range(90):
    out.append(outer(number))
print(out)
"""
CHAINED = """
def check(number):
    try:
        return 10 / (number - 40)
    except ZeroDivisionError as error:
        raise ValueError(f"row {number}") from error

print(sum(check(number) for number in range(90)))
"""
UNHASHABLE = """
seen = {}
for number in range(90):
    key = [number] if number == 40 else number
    seen[key] = True
print(len(seen))
"""
MISSPELT = """
rows = list(range(90))
total = 0
for row in rows:
    total += rowe
print(total)
"""
ENDLESS_RECURSION = """
def descend(number):
    return descend(number + 1)

for number in range(9):
    print(descend(number))
"""
HOOKED = """
import sys

def tell(kind, error, trace):
    print(kind.__name__, error, trace.tb_lineno, trace.tb_next, file=sys.stderr)

sys.excepthook = tell
out = []
for number in range(90):
    out.append(1 / (number - 40))
"""
LOGGED = """
import logging

def check(number):
    if number == 40:
        logging.warning("a strange number: %d", number)
    return number

print(sum([check(number) for number in range(90)]))
"""
BROKEN_MODULE = """
print("first")
import broken
"""
LATIN_FROM_THE_MIDDLE = "na\u00efve\n".encode() * 5000 + "na\u00efve\n".encode("latin-1") * 5000

FAILING = [
    Case(name="a missing file", script=MISSING_FILE, says="No such file or directory: 'nothing.txt'\n"),
    Case(
        name="a row with a column too many",
        script=PAIRS,
        files={"data.csv": numbers(39) + b"1,2,3\n" + numbers(60)},
        says="ValueError: too many values to unpack (expected 2)\n",
    ),
    Case(name="another encoding from the middle on", script=LETTERS, files={"data.txt": LATIN_FROM_THE_MIDDLE}, says="continuation byte\n"),
    Case(name="an empty input file", script=HEADER, files={"data.csv": b""}, says="StopIteration\n"),
    Case(name="no rows after the header", script=SUM_OF_B, files={"data.csv": b"a,b\n"}, status=0),
    Case(name="a column that is not there", script=SUM_OF_B, files={"data.csv": numbers(50, width=1)}, says="KeyError: 'b'\n"),
    Case(
        name="a folder where the output should be",
        script=COPY,
        files={"data.csv": numbers(50), "out/inside.txt": b"kept"},
        says="IsADirectoryError: [Errno 21] Is a directory: 'out'\n",
    ),
    Case(name="an exit with a status in the loop", script=EXIT_IN_LOOP, status=3),
    Case(name="an exit with a message in a function", script=EXIT_IN_FUNCTION, says="too large\n"),
    Case(name="a raise deep down", script=DEEP, says="ZeroDivisionError: division by zero\n"),
    Case(name="a raise from another one", script=CHAINED, says="ValueError: row 40\n"),
    Case(name="a key that cannot be one", script=UNHASHABLE, says="TypeError: unhashable type: 'list'\n"),
    Case(name="a misspelt name", script=MISSPELT, says="name 'rowe' is not defined. Did you mean: 'rows'?\n"),
    Case(name="an endless recursion", script=ENDLESS_RECURSION, says="RecursionError: maximum recursion depth exceeded\n"),
    Case(name="a hook of the user's own", script=HOOKED, says="None\n"),
    Case(name="a warning that is logged", script=LOGGED, says="WARNING:root:a strange number: 40\n", status=0),
    Case(name="a module that is no Python", script=BROKEN_MODULE, files={"broken.py": b"def f(:\n"}, says="SyntaxError: invalid syntax\n"),
]

REFUSED = [
    Case(name="a syntax error", script="print(1)\nfor x in (1, 2:\n    print(x)\n", says="script.py, line 2: syntax error: "),
    Case(name="an empty script", script="", says="script.py: Bad program format: "),
    Case(name="nothing but comments", script="# to be written\n\n", says="script.py: Bad program format: "),
    Case(name="functions and no main", script="def work(rows):\n    return len(rows)\n", says="script.py: Bad program format: "),
    Case(name="a null byte", script="print(1)\n\0\n", says="script.py"),
]

MAIN_WITH_TO_JSON = """class Mean:
    def __init__(self, total, count):
        self.total, self.count = total, count

    def to_json(self):
        return {"mean": self.total / self.count}


def main():
    total = 0
    for number in range(1, 100):
        total += number
    return {"of": [1, 99], "result": Mean(total, 99), "name": "M\u00fcller"}
"""
ENDLESS = """
def work(number):
    with open("gate") as gate:
        gate.read()
    while True:
        number += 1
    return number


with open("out.txt", "w") as out:
    for number in range(90):
        print(work(number), file=out)
"""
CLEANS_UP = """
try:
    print("ready", flush=True)
    while True:
        pass
except KeyboardInterrupt:
    for number in range(20_000_000):
        pass
    print("cleaned up")
"""
