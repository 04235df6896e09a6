"""What calls and methods of the small language do: tables, one row a name."""

from __future__ import annotations

PURE_BUILTINS = frozenset({
    "abs", "all", "any", "bool", "bytes", "chr", "complex", "dict", "divmod", "enumerate", "filter", "float", "format", "frozenset", "hex",
    "int", "isinstance", "len", "list", "map", "max", "min", "oct", "ord", "pow", "range", "repr", "reversed", "round", "set", "sorted",
    "str", "sum", "tuple", "zip",
})  # fmt: skip
BUILTINS = PURE_BUILTINS | {"print", "open", "next"}
ATOMIC_CALLS = frozenset({
    "abs", "all", "any", "bool", "bytes", "chr", "complex", "float", "format", "hex", "int", "isinstance", "len", "oct", "ord", "range",
    "repr", "round", "str",
})  # fmt: skip
"""Their results hold no object that could be changed."""
FRESH_CALLS = ATOMIC_CALLS | {"list", "dict", "set", "frozenset", "sorted", "print"}
"""Their results are new objects, which may hold old ones."""
ITERATOR_CALLS = frozenset({"open", "map", "filter", "zip", "enumerate", "reversed", "iter"})
"""Their results can be gone through once, and not be stored."""

MODULES: dict[str, frozenset[str] | None] = {
    "__future__": None, "collections": frozenset({"Counter", "OrderedDict", "defaultdict", "deque"}), "csv": None, "math": None,
    "cmath": None, "json": None, "re": None, "string": None, "statistics": None, "itertools": None,
    "operator": frozenset({"itemgetter"}), "datetime": None, "fractions": None, "unicodedata": None, "textwrap": None,
    "html": None, "base64": None, "zlib": None, "struct": frozenset({"pack", "unpack", "calcsize"}),
    "os.path": None, "glob": None, "typing": None,
    "decimal": frozenset({
        "Decimal", "ROUND_HALF_UP", "ROUND_HALF_EVEN", "ROUND_DOWN", "ROUND_UP", "ROUND_FLOOR", "ROUND_CEILING", "ROUND_HALF_DOWN",
    }),
    "os": frozenset({"path", "sep"}), "sys": frozenset({"argv"}), "time": frozenset({"time", "perf_counter", "monotonic"}),
}  # fmt: skip
"""Modules whose functions keep no state that another process would miss; where not all do, those that do not."""
STATEFUL = frozenset({"register_dialect", "unregister_dialect", "field_size_limit", "purge", "namedtuple"})
"""What of them does, or makes a class."""
ITERATOR_MODULES = frozenset({"csv", "itertools"})
"""Their functions give back what can be gone through once."""
WRITING_FUNCTIONS = frozenset({"dump"})
"""Functions of modules that write to a file."""
NEVER_VALUES = frozenset({"print", "open", "next"})
"""Builtins that do something besides computing: they are called by name, or not at all."""

PURE_METHODS = frozenset({
    "as_integer_ratio", "bit_length", "capitalize", "casefold", "center", "copy", "count", "date", "days", "decode", "difference",
    "digest", "elements", "encode", "end", "endswith", "expandtabs", "find", "findall", "finditer", "format", "fullmatch", "get",
    "group", "groupdict", "groups", "hex", "hexdigest", "index", "intersection", "is_integer", "isalnum", "isalpha", "isascii",
    "isdecimal", "isdigit", "isdisjoint", "islower", "isnumeric", "isoformat", "isoweekday", "isspace", "issubset", "issuperset",
    "istitle", "isupper", "items", "join", "keys", "ljust", "lower", "lstrip", "match", "most_common", "partition", "quantize",
    "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "search", "span",
    "split", "splitlines", "start", "startswith", "strftime", "strip", "sub", "swapcase", "symmetric_difference", "time",
    "timestamp", "title", "total", "total_seconds", "translate", "union", "upper", "values", "weekday", "zfill",
})  # fmt: skip
TEXT_METHODS = frozenset({
    "capitalize", "casefold", "center", "count", "decode", "encode", "endswith", "expandtabs", "find", "format", "index", "isalnum",
    "isalpha", "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "ljust", "lower",
    "lstrip", "partition", "removeprefix", "removesuffix", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strftime", "strip", "swapcase", "title", "upper", "zfill",
})  # fmt: skip
"""Their results hold nothing of what they were called on, or with."""
CHANGING_METHODS = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "popleft", "remove", "reverse",
    "rotate", "setdefault", "sort", "subtract", "update",
})  # fmt: skip
"""They change what they are called on."""
READING_METHODS = frozenset({"read", "readline", "readlines"})
WRITING_METHODS = frozenset({"write", "writelines", "writerow", "writerows", "writeheader", "flush", "close"})
METHODS = PURE_METHODS | CHANGING_METHODS | READING_METHODS | WRITING_METHODS
SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference"})
ATTRIBUTES = frozenset({
    "year", "month", "day", "hour", "minute", "second", "microsecond", "days", "seconds", "real", "imag", "numerator", "denominator",
    "fieldnames", "line_num", "pattern", "maxlen",
})  # fmt: skip
"""Attributes of values that the modules above make."""
EXCEPTIONS = frozenset({
    "ArithmeticError", "AssertionError", "AttributeError", "EOFError", "Exception", "FileNotFoundError", "IndexError", "KeyError",
    "LookupError", "NotImplementedError", "OSError", "OverflowError", "PermissionError", "RuntimeError", "StopIteration", "TypeError",
    "UnicodeDecodeError", "ValueError", "ZeroDivisionError",
})  # fmt: skip
