"""Laws of cutting: chunks cover the input once, in order, and hold whole records only (or say that they do not)."""

from __future__ import annotations

import csv
import io
import itertools
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.records import count_lines, cut_file, cut_items, read_chunk

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = st.text(alphabet='ab,"\n\r é', max_size=6)
ROWS = st.lists(st.lists(FIELDS, min_size=1, max_size=3), max_size=12)
CHUNKS = st.integers(min_value=1, max_value=9)
DIALECT = {"delimiter": ",", "quotechar": '"', "doublequote": True, "skipinitialspace": False, "quoting": 0, "strict": False}
WITH_FILES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def specs(kind: str, path: Path, cuts: list[int], **more: Any) -> list[dict[str, Any]]:
    base = {"kind": kind, "path": str(path), "encoding": "utf-8", "errors": "strict", "wraps": [], "index": 0, "csv": DIALECT, **more}
    return [{**base, "start": a, "end": b} for a, b in itertools.pairwise(cuts)]


@given(count=st.integers(min_value=0, max_value=1000), chunks=CHUNKS)
def test_runs_of_items_cover_all_of_them_once(count: int, chunks: int) -> None:
    cuts = cut_items(count, chunks)
    assert cuts[0] == 0
    assert cuts[-1] == count
    assert cuts == sorted(cuts)
    assert len(cuts) == chunks + 1


@WITH_FILES
@given(
    lines=st.lists(st.sampled_from(["a", "bé", "", "long " * 9]), max_size=30), end=st.sampled_from(["\n", "\r\n"]), last=st.booleans(),
    chunks=CHUNKS
)
def test_chunks_of_lines_are_the_lines(tmp_path: Path, lines: list[str], end: str, last: bool, chunks: int) -> None:  # noqa: FBT001
    path = tmp_path / "lines.txt"
    content = end.join(lines) + (end if last else "")
    path.write_bytes(content.encode())
    size = path.stat().st_size
    cuts = cut_file(str(path), 0, size, chunks)
    for newline in (None, "", "\n"):
        given_back = [line for spec in specs("lines", path, cuts, newline=newline) for line in read_chunk(spec, None)]
        with path.open(encoding="utf-8", newline=newline) as file:
            assert given_back == list(file)
    assert sum(count_lines(str(path), cuts)) == content.count("\n")


@WITH_FILES
@given(rows=ROWS, chunks=CHUNKS)
def test_chunks_of_quoted_records_are_the_records(tmp_path: Path, rows: list[list[str]], chunks: int) -> None:
    path = tmp_path / "rows.csv"
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_bytes(text.getvalue().encode())
    cuts = cut_file(str(path), 0, path.stat().st_size, chunks, quote='"')
    with path.open(newline="", encoding="utf-8") as file:
        expected = list(csv.reader(file))
    given_back = [row for spec in specs("csv", path, cuts, newline="") for row in read_chunk(spec, None)]
    assert given_back == expected


@WITH_FILES
@given(text=st.text(alphabet='a,"\n', max_size=60), chunks=CHUNKS)
def test_stray_quotes_are_read_rightly_or_refused(tmp_path: Path, text: str, chunks: int) -> None:
    path = tmp_path / "stray.csv"
    path.write_bytes(text.encode())
    with path.open(newline="", encoding="utf-8") as file:
        expected = list(csv.reader(file))
    cuts = cut_file(str(path), 0, path.stat().st_size, chunks, quote='"')
    given_back: list[Any] = []
    for spec in specs("csv", path, cuts, newline=""):
        records: list[Any] = []
        try:
            records.extend(read_chunk(spec, None))
        except Escape:
            break
        given_back.extend(records)
    assert given_back == expected[: len(given_back)]
