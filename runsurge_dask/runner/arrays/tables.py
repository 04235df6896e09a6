"""What NumPy's operations do to rows: which work row by row, which cannot warn, and which answers can be joined."""

from __future__ import annotations

BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift", "rshift")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
UNARY = ("neg", "pos", "abs", "invert")

UFUNCS = frozenset(
    {
        "add", "subtract", "multiply", "divide", "true_divide", "floor_divide", "remainder", "mod", "fmod", "power", "float_power",
        "negative", "positive", "absolute", "abs", "fabs", "sign", "rint", "floor", "ceil", "trunc", "square", "sqrt", "cbrt",
        "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan",
        "arctan2", "hypot", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "degrees", "radians", "deg2rad", "rad2deg",
        "maximum", "minimum", "fmax", "fmin", "isnan", "isinf", "isfinite", "signbit", "copysign", "heaviside", "logaddexp",
        "logaddexp2", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "logical_and", "logical_or",
        "logical_xor", "logical_not", "bitwise_and", "bitwise_or", "bitwise_xor", "invert", "bitwise_not", "left_shift", "right_shift",
        "isnat", "conjugate", "gcd", "lcm",
    }
)  # fmt: skip
"""Element by element."""

ROW_FUNCTIONS = frozenset(
    {"where", "clip", "round", "around", "nan_to_num", "isclose", "isin", "digitize", "interp", "searchsorted", "diff"}
)
"""Element by element, too; those of `WITH_TABLES` with tables that are the same for all of them."""
WITH_TABLES = {"isin": (1,), "digitize": (1,), "interp": (1, 2), "searchsorted": (0,)}

ACROSS = frozenset(
    {
        "sum", "mean", "min", "max", "amin", "amax", "any", "all", "std", "var", "prod", "argmax", "argmin", "count_nonzero", "median",
        "cumsum",
    }
)  # fmt: skip
"""Along another axis than the first, each row is worked out by itself."""

REDUCTIONS = frozenset(
    {"sum", "mean", "min", "max", "amin", "amax", "any", "all", "std", "var", "prod", "argmax", "argmin", "count_nonzero"}
)
COUNTS = frozenset({"histogram", "bincount"})
READING = frozenset(
    {
        "save", "savez", "savez_compressed", "savetxt", "convolve", "correlate", "median", "percentile", "quantile", "unique", "sort",
        "argsort", "cumsum", "cumprod", "array_equal", "allclose", "dot", "vdot", "inner", "outer", "matmul", "nansum", "nanmean",
        "nanstd", "nanvar", "nanmin", "nanmax", "nanmedian", "nanpercentile", "average", "corrcoef", "cov", "polyfit", "trapezoid",
        "concatenate", "stack", "vstack", "hstack", "column_stack", "tile", "repeat", "roll", "pad", "histogram2d", "array2string",
        "array_repr", "array_str", "nonzero", "argwhere", "ptp", "lexsort", "intersect1d", "union1d", "setdiff1d", "kron", "cross",
    }
)  # fmt: skip
"""They neither change nor keep what they are given, and give nothing that lies in its memory."""
CHANGING = frozenset({"out", "overwrite_input"})
"""Arguments that make a function change an array that it was given."""

METHODS = frozenset(
    {"astype", "clip", "round", "copy", "sum", "mean", "min", "max", "any", "all", "std", "var", "prod", "argmax", "argmin", "cumsum"}
)
ATTRIBUTES = frozenset({"shape", "dtype", "ndim", "size", "nbytes", "itemsize"})
SOURCES = frozenset({"load", "memmap", "fromfile", "linspace", "arange"})
FUNCTIONS = UFUNCS | ROW_FUNCTIONS | ACROSS | REDUCTIONS | COUNTS | frozenset({"flatnonzero"})

QUIET = frozenset(
    {
        *(f"operator:{name}" for name in ("and_", "or_", "xor", "invert", "lshift", "rshift", "pos", "neg", "abs", *COMPARISONS)),
        *(
            f"numpy:{name}"
            for name in (
                "negative", "positive", "absolute", "abs", "fabs", "sign", "rint", "floor", "ceil", "trunc", "maximum", "minimum",
                "fmax", "fmin", "isnan", "isinf", "isfinite", "signbit", "copysign", "logical_and", "logical_or", "logical_xor",
                "logical_not", "bitwise_and", "bitwise_or", "bitwise_xor", "invert", "bitwise_not", "left_shift", "right_shift",
                "isnat", "where", "clip", "isin", "searchsorted", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal",
            )
        ),
        "slice", "compress", "flatnonzero", "source", "held", "method:clip", "method:copy", "operator:getitem",
    }
)  # fmt: skip
"""Steps that give no warning whatever the values."""
QUIET_ON_INTEGERS = frozenset(
    {
        "operator:add", "operator:sub", "operator:mul", "operator:pow", "numpy:add", "numpy:subtract", "numpy:multiply", "numpy:square",
        "numpy:diff", "method:sum", "method:prod", "method:any", "method:all", "method:cumsum",
    }
)  # fmt: skip
"""Those that give none where the result is of integers or truth values."""
NEVER_CUT_KINDS = "OSUV"
