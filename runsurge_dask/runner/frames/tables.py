"""Which pandas methods work row by row, and which of them may raise or warn depending on the data.

One row of a table is one name. What stands in none of them needs the whole frame.
"""

from __future__ import annotations

SERIES_ROWS = frozenset(
    {"abs", "round", "clip", "fillna", "isna", "isnull", "notna", "notnull", "between", "isin", "where", "mask", "replace", "add_prefix"}
) - {"add_prefix"}
"""Series -> Series over the same rows; they cannot fail on data of a type on which they work at all."""

FRAME_ROWS = frozenset(
    {
        "abs",
        "round",
        "clip",
        "fillna",
        "isna",
        "isnull",
        "notna",
        "notnull",
        "where",
        "mask",
        "replace",
        "isin",
        "select_dtypes",
        "filter",
        "add_prefix",
        "add_suffix",
    }
)

STRING_ROWS = frozenset(
    {
        "lower",
        "upper",
        "title",
        "capitalize",
        "casefold",
        "swapcase",
        "strip",
        "lstrip",
        "rstrip",
        "len",
        "contains",
        "startswith",
        "endswith",
        "replace",
        "slice",
        "get",
        "zfill",
        "pad",
        "ljust",
        "rjust",
        "center",
        "count",
        "find",
        "rfind",
        "match",
        "fullmatch",
        "isdigit",
        "isalpha",
        "isalnum",
        "isnumeric",
        "isdecimal",
        "isspace",
        "islower",
        "isupper",
        "istitle",
        "extract",
        "split",
        "rsplit",
        "removeprefix",
        "removesuffix",
        "partition",
        "rpartition",
    }
)
DATE_ATTRIBUTES = frozenset(
    {
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "microsecond",
        "quarter",
        "dayofweek",
        "day_of_week",
        "weekday",
        "dayofyear",
        "day_of_year",
        "days_in_month",
        "is_month_start",
        "is_month_end",
        "is_quarter_start",
        "is_quarter_end",
        "is_year_start",
        "is_year_end",
        "is_leap_year",
        "date",
        "time",
        "days",
        "seconds",
        "microseconds",
    }
)
DATE_METHODS = frozenset({"day_name", "month_name", "strftime", "normalize", "total_seconds"})

ARITHMETIC = frozenset({"add", "sub", "mul", "truediv", "floordiv", "mod"})
COMPARISON = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
LOGICAL = frozenset({"and_", "or_", "xor"})
FLEXIBLE = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "div": "div",
    "truediv": "truediv",
    "floordiv": "floordiv",
    "mod": "mod",
    "radd": "radd",
    "rsub": "rsub",
    "rmul": "rmul",
    "eq": "eq",
    "ne": "ne",
    "lt": "lt",
    "le": "le",
    "gt": "gt",
    "ge": "ge",
}
QUIET_FUNCTIONS = frozenset(
    {
        "absolute",
        "floor",
        "ceil",
        "rint",
        "sign",
        "isnan",
        "isfinite",
        "isinf",
        "negative",
        "square",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "logical_not",
        "logical_and",
        "logical_or",
        "add",
        "subtract",
        "multiply",
        "greater",
        "less",
        "equal",
        "not_equal",
        "greater_equal",
        "less_equal",
    }
)
"""NumPy functions that neither raise nor warn on numbers."""
LOUD_FUNCTIONS = frozenset(
    {
        "sqrt",
        "exp",
        "log",
        "log10",
        "log2",
        "log1p",
        "expm1",
        "sin",
        "cos",
        "tan",
        "arcsin",
        "arccos",
        "arctan",
        "arctan2",
        "hypot",
        "power",
        "divide",
        "true_divide",
        "floor_divide",
        "tanh",
        "sinh",
        "cosh",
        "degrees",
        "radians",
        "deg2rad",
        "rad2deg",
    }
)

REDUCTIONS = frozenset({"sum", "mean", "min", "max", "count", "any", "all", "std", "var"})
SPREADS = frozenset({"std", "var"})
"""They are joined from counts, means and squares; a spread much smaller than the values keeps too few digits."""
GROUP_REDUCTIONS = frozenset({"sum", "mean", "min", "max", "count", "size", "first", "last", "std", "var"})
TEXT_ARGUMENTS = frozenset(
    {
        "sep",
        "na_rep",
        "float_format",
        "columns",
        "header",
        "index",
        "index_label",
        "mode",
        "encoding",
        "date_format",
        "decimal",
        "quoting",
        "lineterminator",
    }
)
