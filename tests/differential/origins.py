"""Where the records of a random loop come from: every way that scripts walk over files and lists.

lines, with the fields taken apart        for line in open("data.txt"):
                                              k, n, x, w = line.split()
the list that was read before             for i, row in enumerate(rows):
a reader behind its header                next(reader) ... for row in reader:
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.differential.choices import Choices

TEXTS = {"K": "{0}[0]", "N": "int({0}[1])", "X": "float({0}[2])", "W": "{0}[3]"}
VALUES = {"K": "{0}[0]", "N": "{0}[1]", "X": "{0}[2]", "W": "{0}[3]"}
NAMED_TEXTS = {"K": "{0}['k']", "N": "int({0}['n'])", "X": "float({0}['x'])", "W": "{0}['w']"}
NAMED_VALUES = {"K": "{0}['k']", "N": "{0}['n']", "X": "{0}['x']", "W": "{0}['w']"}
SPLIT_LINE = {"K": "line.split()[0]", "N": "int(line.split()[1])", "X": "float(line.split()[2])", "W": "line.split()[3]"}
PARSED_LINE = {letter: text.format("json.loads(line)") for letter, text in NAMED_VALUES.items()}
COUNTED = {"K": "('ada', 'bob', 'cyd')[{0} % 3]", "N": "{0} * 37 % 101", "X": "{0} % 9 * 0.25", "W": "str({0} * 13)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One way to come by records one after the other."""

    header: str
    """`for row in rows:`, or a `while`."""
    fields: Mapping[str, str]
    """How to write the key `K`, integer `N`, float `X` and word `W` of a record."""
    target: str = ""
    iterable: str = ""
    """Both empty where it fits no comprehension."""
    first: str = ""
    """Statements at the top of the loop's body."""
    setup: str = ""
    within: str = ""
    """A `with` statement around the loop."""
    inner: str = ""
    """Statements between the `with` and the loop."""
    helpers: str = ""
    index: str = ""
    row: str = ""
    """The name of the record where it is one object."""
    row_kind: str = ""
    """`list`, `dict` or `tuple`."""


def _of(fields: Mapping[str, str], name: str) -> dict[str, str]:
    return {letter: text.format(name) for letter, text in fields.items()}


def _loop(target: str, iterable: str, fields: Mapping[str, str], **more: str) -> Origin:
    return Origin(header=f"for {target} in {iterable}:", fields=fields, target=target, iterable=iterable, **more)


def file_origins() -> list[tuple[int, Origin]]:
    """Loops that read a file themselves, with their weights."""
    return [*_line_origins(), *_csv_origins(), *_other_origins()]


def _line_origins() -> list[tuple[int, Origin]]:
    line, in_list = SPLIT_LINE, {"row": "row", "row_kind": "list"}
    return [
        (4, _loop("line", 'open("data.txt")', line)),
        (4, Origin(header="for line in f:", fields=line, within='with open("data.txt") as f:')),
        (2, Origin(header="for i, line in enumerate(f, 1):", fields=line, within='with open("data.txt") as f:', index="i")),
        (2, _loop("line", 'open("data.txt").readlines()', line)),
        (2, _loop("line", 'open("data.txt").read().splitlines()', line)),
        (
            1,
            Origin(
                header='for line in f.read().split("\\n"):',
                fields=line,
                first="if not line:\n    continue",
                within='with open("data.txt") as f:',
            ),
        ),
        (
            2,
            Origin(
                header="for line in f:",
                fields=_of(TEXTS, "row"),
                first='row = line.rstrip("\\n").split(",")',
                inner="head = f.readline()",
                within='with open("data.csv") as f:',
                **in_list,
            ),
        ),
        (1, Origin(header="while line := f.readline():", fields=line, within='with open("data.txt") as f:')),
        (
            1,
            Origin(
                header="while True:",
                fields=line,
                first="line = f.readline()\nif not line:\n    break",
                within='with open("data.txt") as f:',
            ),
        ),
    ]


def _csv_origins() -> list[tuple[int, Origin]]:
    text, records = _of(TEXTS, "row"), _of(NAMED_TEXTS, "row")
    in_list, in_dict = {"row": "row", "row_kind": "list"}, {"row": "row", "row_kind": "dict"}
    csv_open = {"within": 'with open("data.csv", newline="") as f:'}
    return [
        (4, Origin(header="for row in reader:", fields=text, inner="reader = csv.reader(f)\nhead = next(reader)", **csv_open, **in_list)),
        (
            2,
            Origin(
                header="for i, row in enumerate(reader):",
                fields=text,
                first="if i == 0:\n    continue",
                inner="reader = csv.reader(f)",
                index="i",
                **csv_open,
                **in_list,
            ),
        ),
        (
            1,
            Origin(
                header="for row in reader:",
                fields=text,
                inner='reader = csv.reader(f)\nhead = next(reader)\nsecond = next(reader, ["zed", "1", "1.0", "zed"])\nprint(second)',
                **csv_open,
                **in_list,
            ),
        ),
        (4, Origin(header="for row in csv.DictReader(f):", fields=records, **csv_open, **in_dict)),
        (1, Origin(header="for i, row in enumerate(csv.DictReader(f), start=1):", fields=records, index="i", **csv_open, **in_dict)),
    ]


def _other_origins() -> list[tuple[int, Origin]]:
    line, parsed, text = SPLIT_LINE, PARSED_LINE, _of(TEXTS, "row")
    in_list, in_dict = {"row": "row", "row_kind": "list"}, {"row": "row", "row_kind": "dict"}
    return [
        (
            3,
            Origin(
                header="for line in f:",
                fields=_of(NAMED_VALUES, "row"),
                first="row = json.loads(line)",
                within='with open("data.jsonl") as f:',
                **in_dict,
            ),
        ),
        (1, _loop("line", 'open("data.jsonl")', parsed)),
        (1, _loop("row", 'json.load(open("data.json"))', _of(NAMED_VALUES, "row"), **in_dict)),
        (1, _loop("row", '(line.split() for line in open("data.txt"))', text, **in_list)),
        (1, _loop("row", 'map(str.split, open("data.txt"))', text, **in_list)),
        (1, _loop("row", 'read_rows("data.txt")', _of(VALUES, "row"), helpers=READ_ROWS, row="row", row_kind="tuple")),
        (1, _loop("row", 'Rows("data.txt")', _of(VALUES, "row"), helpers=ROWS_CLASS, row="row", row_kind="tuple")),
        (2, _loop("i", "range(SIZE)", _of(COUNTED, "i"), index="i")),
        (1, _loop("i", "range(3, SIZE + 5, 2)", _of(COUNTED, "i"), index="i")),
        (1, Origin(header='for row in zip(open("data.txt"), range(1000)):', fields=line, first="line = row[0]", index="row[1]")),
    ]


READ_ROWS = """
def read_rows(path):
    with open(path) as f:
        for line in f:
            k, n, x, w = line.split()
            yield k, int(n), float(x), w
"""
ROWS_CLASS = """
class Rows:
    def __init__(self, path):
        self.path = path

    def __iter__(self):
        for line in open(self.path):
            k, n, x, w = line.split()
            yield (k, int(n), float(x), w)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A statement that reads all rows into `rows`, and what its rows are."""

    statement: str
    fields: Mapping[str, str]
    row_kind: str


LOADED = (
    Loaded(statement='rows = [line.split() for line in open("data.txt")]', fields=TEXTS, row_kind="list"),
    Loaded(
        statement='with open("data.csv", newline="") as f:\n    reader = csv.reader(f)\n    head = next(reader)\n    rows = list(reader)',
        fields=TEXTS,
        row_kind="list",
    ),
    Loaded(statement='with open("data.csv", newline="") as f:\n    rows = list(csv.DictReader(f))', fields=NAMED_TEXTS, row_kind="dict"),
    Loaded(statement='rows = [json.loads(line) for line in open("data.jsonl")]', fields=NAMED_VALUES, row_kind="dict"),
    Loaded(
        statement='rows = []\nfor line in open("data.txt"):\n    k, n, x, w = line.split()\n    rows.append((k, int(n), float(x), w))',
        fields=VALUES,
        row_kind="tuple",
    ),
    Loaded(
        statement='rows = []\nfor line in open("data.txt"):\n    k, n, x, w = line.split()\n    rows.append([k, int(n), float(x), w])',
        fields=VALUES,
        row_kind="list",
    ),
    Loaded(statement='with open("data.json") as f:\n    rows = json.load(f)', fields=NAMED_VALUES, row_kind="dict"),
    Loaded(
        statement='rows = [{"k": k, "n": int(n), "x": float(x), "w": w} for k, n, x, w in map(str.split, open("data.txt"))]',
        fields=NAMED_VALUES,
        row_kind="dict",
    ),
    Loaded(
        statement='rows = [[k, int(n), float(x), w] for k, n, x, w in csv.reader(open("data.csv")) if k != "k"]',
        fields=VALUES,
        row_kind="list",
    ),
    Loaded(
        statement='with open("data.txt") as f:\n    lines = f.read().splitlines()\nrows = [tuple(line.split()) for line in lines]',
        fields=TEXTS,
        row_kind="tuple",
    ),
)


def list_origins(loaded: Loaded) -> list[tuple[int, Origin]]:
    """Loops over the list that was read before, with their weights."""
    fields = _of(loaded.fields, "row")
    more = {"row": "row", "row_kind": loaded.row_kind}
    unpacked = [(2, _loop("(k, n, x, w)", "rows", {"K": "k", "N": "n", "X": "x", "W": "w"}))] if loaded.fields is VALUES else []
    return [
        (8, _loop("row", "rows", fields, **more)),
        *unpacked,
        (3, Origin(header="for i, row in enumerate(rows):", fields=fields, index="i", **more)),
        (2, Origin(header="for i in range(len(rows)):", fields=fields, index="i", first="row = rows[i]", **more)),
        (1, _loop("i", "range(len(rows))", _of(loaded.fields, "rows[i]"), index="i")),
        (1, _loop("row", "rows[1:]", fields, **more)),
        (1, _loop("row", "rows[:-1]", fields, **more)),
        (1, _loop("row", "reversed(rows)", fields, **more)),
        (1, _loop("row", f"sorted(rows, key=lambda row: {fields['N']})", fields, **more)),
        (1, _loop("row", "list(rows)", fields, **more)),
        (1, _loop("row", "iter(rows)", fields, **more)),
        (1, _loop("row", "(row for row in rows if row)", fields, **more)),
        (1, _loop("row", "filter(None, rows)", fields, **more)),
        (1, Origin(header="for row, after in zip(rows, rows[1:]):", fields=fields, **more)),
        (1, Origin(header="for i, row in zip(range(5, 500), rows):", fields=fields, index="i", **more)),
        (1, Origin(header="for i, row in table.items():", fields=fields, index="i", setup="table = dict(enumerate(rows))", **more)),
        (
            1,
            Origin(
                header="for i, row in sorted(table.items(), reverse=True):",
                fields=fields,
                index="i",
                setup="table = {i % 40: row for i, row in enumerate(rows)}",
                **more,
            ),
        ),
        (
            1,
            Origin(
                header="for row in table.values():",
                fields=fields,
                setup=f"table = {{({fields['W']}, {fields['N']}): row for row in rows}}",
                **more,
            ),
        ),
        (
            1,
            Origin(
                header="while i < len(rows):",
                fields=fields,
                index="i",
                setup="i = -1",
                first="i += 1\nif i >= len(rows):\n    break\nrow = rows[i]",
                **more,
            ),
        ),
    ]


def choose_origin(choices: Choices, loaded: Loaded | None) -> Origin:
    """One way to walk over the data."""
    if loaded is not None and choices.chance(60):
        return choices.weighted(list_origins(loaded))
    return choices.weighted(file_origins())


def choose_iterable(choices: Choices, loaded: Loaded | None, size: int, *, needs_rows: bool) -> Origin:
    """One way to walk over the data in a comprehension; with `needs_rows`, the rows themselves."""
    if loaded is not None and (needs_rows or choices.chance(70)):
        if needs_rows:
            return list_origins(loaded)[0][1]
        return choices.weighted([(weight, origin) for weight, origin in list_origins(loaded) if origin.iterable])
    return sized(choices.weighted([(weight, origin) for weight, origin in file_origins() if origin.iterable]), size)


def sized(origin: Origin, size: int) -> Origin:
    """The same with the number of rows in its ranges."""
    return replace(origin, header=origin.header.replace("SIZE", str(size)), iterable=origin.iterable.replace("SIZE", str(size)))
