"""What pandas calls do to the split of the statement they stand in; the finer tables of what a chunk does are the runner's."""

from __future__ import annotations

from runsurge_dask.runner.frames.tables import (
    DATE_ATTRIBUTES,
    DATE_METHODS,
    FRAME_ROWS,
    REDUCTIONS,
    SERIES_ROWS,
    STRING_ROWS,
)

READERS = frozenset({"read_csv", "read_parquet"})
"""Calls that give a frame whose rows can be read in pieces."""

ROWS = (
    SERIES_ROWS
    | FRAME_ROWS
    | STRING_ROWS
    | DATE_ATTRIBUTES
    | DATE_METHODS
    | frozenset(
        {
            "astype",
            "map",
            "apply",
            "assign",
            "rename",
            "drop",
            "dropna",
            "query",
            "insert",
            "pop",
            "copy",
            "to_csv",
            "loc",
            "str",
            "dt",
            "reset_index",
            "columns",
        }
    )
)
REDUCE = REDUCTIONS | frozenset({"nunique", "unique", "idxmax", "idxmin", "head", "tail", "shape", "size", "empty", "dtypes", "dtype"})
GROUP = frozenset({"groupby", "value_counts"})

WHOLE = {
    "sort_values": "rows are put in an order over the whole",
    "sort_index": "rows are put in an order over the whole",
    "cumsum": "a sum runs over all rows before",
    "cumprod": "a product runs over all rows before",
    "cummax": "a maximum runs over all rows before",
    "cummin": "a minimum runs over all rows before",
    "shift": "a row sees the row before",
    "diff": "a row sees the row before",
    "pct_change": "a row sees the row before",
    "rolling": "a row sees the rows before",
    "expanding": "a row sees all rows before",
    "ewm": "a row sees all rows before",
    "rank": "the rank of a row depends on all rows",
    "drop_duplicates": "whether a row stays depends on the rows before",
    "duplicated": "whether a row counts depends on the rows before",
    "median": "quantiles need all values at once",
    "quantile": "quantiles need all values at once",
    "describe": "quantiles need all values at once",
    "corr": "all rows at once",
    "cov": "all rows at once",
    "sample": "rows are drawn over the whole",
    "iloc": "rows are named by position",
    "iterrows": "the loop over rows is looked at by itself",
    "itertuples": "the loop over rows is looked at by itself",
    "to_numpy": "the values are needed at once",
    "values": "the values are needed at once",
    "pivot_table": "a table over all rows",
    "pivot": "a table over all rows",
    "merge": "keys of the whole are matched",
    "join": "labels of the whole are matched",
    "to_datetime": "the format is guessed from the first value",
    "qcut": "edges come from the whole",
    "std": "two passes over all rows",
    "var": "two passes over all rows",
    "interpolate": "a row sees its neighbours",
    "ffill": "a row sees the rows before",
    "bfill": "a row sees the rows after",
    "to_parquet": "the file holds all rows",
    "to_pickle": "the file holds all rows",
    "to_dict": "the values are needed at once",
    "tolist": "the values are needed at once",
}
"""Calls that need every row at once, each with the reason."""

TAKING_CODE = frozenset({"apply", "map", "transform", "agg", "aggregate", "applymap", "filter"})
"""Methods that call a function of the script's own for every row, value or group."""
