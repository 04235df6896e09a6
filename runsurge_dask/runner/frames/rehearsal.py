"""Imported by the runner before it forks: what reading a frame loads on its first use, in every child anew, is there already.

For example pandas imports its C parser's helpers and PyArrow's functions when the first file is read: 60 ms and 8 MB in each child.
"""

from __future__ import annotations

import io

import pandas as pd

from runsurge_dask.runner.frames import accessors, answers, functions, groups, joining, methods, reading, stage, summaries, work, writing

ROOMS = (accessors, answers, functions, groups, joining, methods, reading, stage, summaries, work, writing)


def rehearse() -> None:
    """Read and summarise some rows."""
    frame = pd.read_csv(io.BytesIO(b"key,n,x\n" + b"a,1,1.5\nb,2,2.5\n" * 500))
    frame = frame[frame["n"] > 0].copy()
    frame["y"] = frame["x"] * 2
    frame.groupby("key", sort=False).agg(n=("n", "sum"), y=("y", "max")).reset_index()
    frame["y"].sum(), frame["y"].count(), frame["key"].iloc[[0]].to_numpy(dtype=object)
    frame.to_csv(io.StringIO())


rehearse()
