"""Task scripts leave what the script leaves; those that should be cut are, and those that might be wrong are one task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runsurge_contracts.plan import TaskType
from tests.planning.trials import run_plain, run_tasks, scripts_of

if TYPE_CHECKING:
    from pathlib import Path

ROWS = "".join(f"{n},{'abc'[n % 3]},{n * 7 % 11 / 4}\n" for n in range(23))
READ = "with open('in.csv') as f:\n    rows = []\n    for line in f:\n        rows.append(line.strip().split(','))\n"

CUT = {
    "a list that grows": (READ + "print(len(rows), rows[0], rows[-1])\n", 3),
    "a sum of floats": (READ + "total = 0.0\nfor row in rows:\n    total += float(row[2]) * 0.1\nprint(total)\n", 3),
    "counts by key": (READ + "counts = {}\nfor row in rows:\n    counts[row[1]] = counts.get(row[1], 0) + 1\nprint(counts)\n", 3),
    "lists by key": (READ + "groups = {}\nfor row in rows:\n    groups.setdefault(row[1], []).append(row[0])\nprint(groups)\n", 3),
    "float sums by key run as written": (
        READ + "sums = {}\nfor row in rows:\n    sums[row[1]] = sums.get(row[1], 0) + float(row[2]) * 0.1\nprint(sums)\n", 3
    ),
    "functions of one name with hints": (
        "def read_rows(path):\n    result = []\n    with open(path) as f:\n        for line in f:\n            result.append(line.split(','))\n"
        "    return result\n\n"
        "def reshape_rows(data):\n    aggregation = 'c:result'\n    result = []\n    for row in data:\n        result.append(float(row[2]) * 3)\n"
        "    return result\n\n"
        "def add_up(data):\n    aggregation = 's:result'\n    result = 0\n    for value in data:\n        result += value / 3\n    return result\n\n"
        "data = read_rows('in.csv')\nreshaped = reshape_rows(data)\nresult = add_up(reshaped)\n"
        "with open('out.csv', 'w') as f:\n    f.write(f'{result}\\n')\nprint(len(reshaped))\n",
        3,
    ),
    "two chained loops": (
        READ + "numbers = []\nfor row in rows:\n    if row[1] != 'b':\n        numbers.append(float(row[2]))\n"
        "squares = []\nfor x in numbers:\n    squares.append(x * x)\nprint(sum(squares))\nwith open('s.txt', 'w') as f:\n"
        "    for s in squares:\n        f.write(f'{s}\\n')\n",
        3,
    ),
    "a whole block between": (
        READ + "ranked = sorted(rows, key=lambda row: float(row[2]))\nnames = []\nfor row in ranked:\n    names.append(row[1] + row[0])\n"
        "print(names)\n",
        3,
    ),
    "a header and a reader": (
        "import csv\nout = []\nn = 0\nwith open('in.csv', newline='') as f:\n    reader = csv.reader(f)\n    header = next(reader)\n"
        "    for row in reader:\n        n += 1\n        out.append([row[1], int(row[0]) * 2])\n"
        "with open('out.csv', 'w', newline='') as g:\n    writer = csv.writer(g)\n    writer.writerow(header)\n    writer.writerows(out)\nprint(n)\n",
        4,
    ),
    "a comprehension": (READ + "ys = [float(row[2]) + 1 for row in rows if row]\nprint(ys)\n", 3),
    "main and its guard": (
        "def main():\n    xs = list(range(40))\n    ys = []\n    for x in xs:\n        ys.append(x * x)\n    print(sum(ys))\n\n"
        "if __name__ == '__main__':\n    main()\n",
        3,
    ),
    "a table that later rows replace": (READ + "last = {}\nfor row in rows:\n    last[row[1]] = row[0]\nprint(last)\n", 3),
    "more chunks than rows": (READ + "total = 0\nfor row in rows:\n    total += int(row[0])\nprint(total)\n", 40),
    "a default dictionary": (
        "from collections import defaultdict\n" + READ + "n = defaultdict(int)\nfor row in rows:\n    n[row[1]] += 1\nprint(dict(n), n['z'])\n", 3
    ),
    "an error in a chunk": (READ + "total = 0\nfor row in rows:\n    total += 1 / (int(row[0]) - 17)\nprint('never')\n", 3),
    "what is not equal to itself": (
        READ + "xs = []\nfor row in rows:\n    xs.append(float('nan') if row[1] == 'a' else 1.0)\nprint(xs[0] in xs, len(xs))\n", 3
    ),
    "arguments": ("import sys\n" + READ + "k = int(sys.argv[1])\nys = []\nfor row in rows:\n    ys.append(int(row[0]) + k)\nprint(ys)\n", 3),
    "a second loop over the same rows": (
        READ + "a = 0\nfor row in rows:\n    a += int(row[0])\nb = []\nfor row in rows:\n    b.append(row[1])\nprint(a, b)\n", 3
    ),
    "values of the first pass in the second": (
        READ + "total = 0\nfor row in rows:\n    total += int(row[0])\nshare = []\nfor row in rows:\n    share.append(int(row[0]) / total)\n"
        "print(share)\n",
        3,
    ),
}


@pytest.mark.parametrize(("source", "chunks"), CUT.values(), ids=CUT)
def test_task_scripts_leave_what_the_script_leaves(tmp_path: Path, source: str, chunks: int) -> None:
    scripts = scripts_of(source, tmp_path / "script.py", chunks)
    kinds = [script.task_type for script in scripts]
    assert kinds.count(TaskType.FUSED_PARALLEL) >= chunks
    assert TaskType.AGGREGATOR in kinds
    files = {"in.csv": ROWS}
    assert run_tasks(scripts, files, tmp_path / "tasks", "5") == run_plain(source, files, tmp_path / "plain", "5")


CAREFUL = {
    "a shared row is changed later": READ + "first = rows[0]\nprint(len(rows))\nfirst.append('x')\nprint(rows[0], first)\n",
    "an alias grows": "a = []\nb = a\nprint(a)\nfor x in range(30):\n    b.append(x)\nprint(a, b)\n",
    "an alias grows through a function": "def grow(t):\n    t.append(1)\na = [[0]]\nb = a[0]\nprint(a)\ngrow(b)\nprint(a, b)\n",
    "what an entry holds grows": "k = []\nd = {'k': k}\nprint(d)\nk.append(1)\nprint(d)\nd['k'].append(2)\nprint(k)\n",
    "a row appended twice grows": "r = [1]\nout = []\nfor x in range(5):\n    out.append(r)\nprint(out)\nout[0].append(9)\nprint(out, r)\n",
    "a global that a function changes": "seen = []\ndef look(x):\n    seen.append(x)\n    return x\nprint(seen)\ny = look(3)\nprint(seen, y)\n",
    "a reader that goes on": "f = open('in.csv')\na = next(f)\nprint(a)\nb = next(f)\nprint(b)\n",
    "a generator": "g = (x * x for x in range(5))\nprint(next(g))\nprint(list(g))\n",
    "a zip that goes on": "z = zip('abc', range(3))\nprint(next(z))\nprint(list(z))\n",
    "a lambda": "f = lambda x: x + 1\nprint(f(1))\nprint(f(2))\n",
    "a class": "class A:\n    n = 0\na = A()\nA.n += 1\nprint(a.n)\nb = [A(), a]\nprint(len(b))\n",
    "a seeded generator": "import random\nrandom.seed(3)\nprint(random.random())\nxs = [random.random() for _ in range(9)]\nprint(xs)\n",
    "identity": "a = [1]\nb = a\nprint(a)\nprint(a is b)\n",
    "a global counter": "n = 0\ndef up():\n    global n\n    n += 1\nup()\nprint(n)\nup()\nprint(n)\n",
    "leaving early": "import sys\nprint(1)\nxs = [1]\nif xs:\n    sys.exit(3)\nprint(2)\n",
    "a file left open": "f = open('o.txt', 'w')\nf.write('x')\nprint(open('o.txt').read())\nf.close()\n",
    "a set": "s = {'a', 'b', 'c', 'd'}\nt = list(s)\nprint(sorted(s))\nprint(t == list(s))\n",
    "the order of a set in chunks": READ + "out = []\nfor row in rows:\n    for w in set(row):\n        out.append(w)\nprint(sorted(out))\n",
    "a name bound in some ways only": "import sys\nif len(sys.argv) > 9:\n    x = 1\nprint('a')\nprint(x)\n",
    "a loop variable used after": READ + "n = 0\nfor row in rows:\n    n += 1\nprint(row, n)\n",
    "a name bound again": "x = [1]\nprint(x)\nx = x + [2]\nprint(x)\nfor i in range(4):\n    x = x + [i]\nprint(x)\n",
    "a function used above its definition": "try:\n    print(f(1))\nexcept NameError:\n    print('no')\ndef f(x):\n    return x\nprint(f(2))\n",
    "an import inside": "print(1)\nif True:\n    import math\nprint(math.pi)\n",
    "attributes of functions": "def f(x):\n    return x\nf.n = 1\nprint(f.n)\nprint(f(2))\n",
    "a builtin of another meaning": "def len(x):\n    return 7\nxs = [1]\nprint(len(xs))\n",
    "a cached function": "import functools\n@functools.cache\ndef f(x):\n    print('called')\n    return x\nprint(f(1))\nprint(f(1))\n",
    "its own file": "import os\nprint(os.path.basename(__file__) == 'x')\nprint(2)\n",
    "texts over several lines": 's = """one\n    two\n"""\nprint(s)\nprint([s, """\n  x\n"""])\n',
    "an exception in the middle": "print(1)\nxs = [0]\nprint(2)\nys = [1 / x for x in xs]\nprint(3)\n",
    "a tuple with a list in it": "a = [1]\nt = (a,) + ()\nprint(t)\nt[0].append(2)\nprint(a)\n",
    "a value that refers to itself": "a = []\na.append(a)\nprint(len(a))\nprint(a[0] == a or 1)\n",
    "very deep": "a = []\nfor i in range(3000):\n    a = [a]\nprint(len(a))\nprint(len(a[0]))\n",
    "a decimal context": "import decimal\ndecimal.getcontext().prec = 3\nx = decimal.Decimal(1) / 3\nprint(x)\ny = x / 7\nprint(y)\n",
    "a dialect": "import csv\ncsv.register_dialect('d', delimiter=';')\nprint(1)\nprint(list(csv.reader(['a;b'], 'd')))\n",
    "reading what was written": "with open('o.txt', 'w') as f:\n    f.write('abc')\nn = 1\nwith open('o.txt') as f:\n    print(f.read(), n)\n",
}


@pytest.mark.parametrize("source", CAREFUL.values(), ids=CAREFUL)
def test_what_might_be_wrong_stays_together(tmp_path: Path, source: str) -> None:
    scripts = scripts_of(source, tmp_path / "script.py", 3)
    files = {"in.csv": ROWS}
    assert run_tasks(scripts, files, tmp_path / "tasks") == run_plain(source, files, tmp_path / "plain")
