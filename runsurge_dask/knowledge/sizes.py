"""What calls cost in bytes and seconds: the rules for a script that is not run, and for blocks that no sample reached.

Factors are upper ends of what was measured on files of numbers, short words and dates.
"""

from __future__ import annotations

from typing import NamedTuple

INTERPRETER_BYTES = 10 << 20
"""Python 3.11 with nothing imported."""
IMPORT_BYTES = {"numpy": 20 << 20, "pandas": 80 << 20, "pyarrow": 30 << 20, "scipy": 20 << 20, "matplotlib": 40 << 20, "PIL": 8 << 20}
"""What large libraries add to an interpreter."""
TOUCHED_BYTES = {"numpy": 1 << 20, "pandas": 8 << 20, "pyarrow": 8 << 20}
"""Code of them that is read from disk when it is first used, after the import: measured as `RssFile` of scripts that use them."""


class OfFile(NamedTuple):
    """Bytes for each byte of the file that a call reads."""

    result: float
    peak: float


READERS = {
    "read": OfFile(1.0, 2.1),
    "read_text": OfFile(1.0, 2.1),
    "read_bytes": OfFile(1.0, 1.1),
    "readlines": OfFile(2.6, 2.7),
    "json.load": OfFile(9.0, 10.0),
    "pickle.load": OfFile(3.0, 4.0),
    "read_csv": OfFile(1.8, 3.6),
    "read_table": OfFile(1.8, 3.6),
    "read_fwf": OfFile(1.8, 6.0),
    "read_json": OfFile(2.5, 8.0),
    "read_parquet": OfFile(4.0, 7.0),
    "read_pickle": OfFile(1.5, 2.5),
    "read_excel": OfFile(10.0, 60.0),
    "np.load": OfFile(1.0, 1.1),
    "numpy.load": OfFile(1.0, 1.1),
    "loadtxt": OfFile(1.0, 1.6),
    "genfromtxt": OfFile(1.5, 8.0),
    "fromfile": OfFile(1.0, 1.1),
    "memmap": OfFile(1.0, 1.0),
}
"""Calls that read a whole file, by their last name, or with the module where the last name alone says too little."""
WORD_BYTES = 6
"""Of text a word, with the blank behind it."""

STRING_BYTES = 56
"""A short string beyond its characters, with the slot that holds it."""
NUMBER_BYTES = 32
OBJECT_BYTES = 160
"""An object of a class of the script's own, or a small dictionary."""
SLOT_BYTES = {"list": 9, "tuple": 8, "set": 54, "dict": 80, "deque": 9, "sorted": 9, "frozenset": 54, "Counter": 80, "array": 8}
"""What a container holds for each item beyond the item, at the worst fill of its table."""

SCALARS = frozenset({
    "sum", "len", "min", "max", "any", "all", "print", "int", "float", "str", "bool", "abs", "round", "ord", "chr", "hash",
    "isinstance", "divmod", "pow", "mean", "median", "std", "var", "fmean", "stdev", "pstdev", "count", "nunique", "item", "fsum",
    "sqrt", "prod", "idxmax", "idxmin", "argmax", "argmin", "describe", "head", "tail", "startswith", "endswith", "isdigit", "write",
    "writerow", "writerows", "writelines", "to_csv", "to_parquet", "dump", "savetxt", "save", "close", "strftime", "index", "find",
    "time", "perf_counter", "format", "exists", "corr", "cov", "dumps",
})  # fmt: skip
"""Calls whose answer is small whatever they are given."""
LAZY = frozenset({"enumerate", "zip", "map", "filter", "iter", "reversed", "islice", "chain", "reader", "DictReader", "pairwise"})
"""Calls whose answer is worked out item by item."""
MADE_OF_TEXT = {"loads": 5.0, "fromstring": 8.0, "literal_eval": 6.0}
"""Calls that make an object of a text: its bytes for each byte of the text, beyond the object itself."""
UNBOUNDED = frozenset({"itertools.count", "itertools.cycle", "count", "cycle"})
"""Iterables without an end."""
GROWING = frozenset({"append", "add", "appendleft", "heappush", "insert", "insort"})
"""Methods that make their receiver longer by one."""
JOINING = frozenset({"extend", "update", "extendleft"})
COPIES = {"sort_values": 2.5, "merge": 4.0, "groupby": 1.5, "pivot_table": 3.0, "drop_duplicates": 2.5, "apply": 3.0, "sort": 1.0}
"""Bytes in between, for each byte of what a method is called on; 1 for any other."""

READ_SECONDS_A_BYTE = 1e-8
NODE_SECONDS = 3.5e-8
"""One node of the script's tree, worked out once."""
