"""What the driver says of one source when it hands it out, and the rows of a chunk where chunks cannot read them themselves.

    a file        {"kind": "csv", "path": ..., "encoding": ...}   the client adds start, end and the index of the first record
    rows          the client asks for `rows` from start to end, and gets them, or the files that have them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.escape import CannotShip
from runsurge_dask.runner.kept import kept_rows
from runsurge_dask.runner.packing import dump_items
from runsurge_dask.runner.pages import Page, Selection, runs_of

if TYPE_CHECKING:
    from runsurge_dask.runner import wire
    from runsurge_dask.runner.sites import Runtime
    from runsurge_dask.runner.sources import Source

ROWS_WEIGHED = 64
"""Rows that are written to see how many bytes one takes."""


def range_of(runtime: Runtime, source: Source, reached: tuple[int, int], *, needs_index: bool) -> wire.Header:
    """What there is to cut: all that is left of a source from a cut on, with so many records before it."""
    first, index = reached
    found: wire.Header = {"source": source.kind, "start": first, "index": index, "needs_index": needs_index}
    if source.is_file:
        quote = source.csv_arguments["quotechar"] if source.csv_arguments and source.csv_arguments["quoting"] != 3 else None  # noqa: PLR2004 - csv.QUOTE_NONE
        return {**found, "path": source.path, "end": source.end, "quote": quote}
    return {**found, "end": source.size, "bytes_per_unit": _bytes_per_row(runtime, source, first)}


def _bytes_per_row(runtime: Runtime, source: Source, first: int) -> float:
    """Bytes of one row as it is sent; 0 where that says nothing of what is done with it."""
    kept = kept_rows(source.items)
    if kept is not None:
        return kept.size / max(1, len(kept))
    if type(source.items) is range:
        return 0.0
    few = source.items[first : first + ROWS_WEIGHED]
    try:
        return len(dump_items(runtime, few)) / max(1, len(few))
    except CannotShip:
        return 0.0


def common_of(source: Source) -> wire.Header:
    """What the chunks of a source have in common."""
    spec: wire.Header = {"kind": source.kind, "wraps": source.wraps}
    if not source.is_file:
        return spec
    return {
        **spec, "path": source.path, "encoding": source.encoding, "errors": source.errors, "newline": source.newline,
        "csv": source.csv_arguments, "fields": source.fields, "rest": source.rest,
    }  # fmt: skip


def rows_of(runtime: Runtime, source: Source, start: int, end: int) -> tuple[wire.Header, bytes]:
    """The rows of one chunk, and what its spec has to say of them.

    Raises:
        CannotShip: rows cannot be copied to another process.
    """
    found = kept_rows(source.items)
    if found is None:
        return {}, dump_items(runtime, source.items[start:end], runtime.sent.rows(end))
    places: list[Any] = []
    sent: list[list[Any]] = []
    for holder, first, last in found.pieces(start, end):
        if isinstance(holder, list):
            places.append(None)
            sent.append(holder[first:last])
            continue
        for begin, until, rows in runs_of(holder, first, last):
            page = holder.page if isinstance(holder, Selection) else holder
            if rows is None and isinstance(page, Page):
                places.append([page.path, page.offset, page.size, begin, until, isinstance(holder, Selection)])
                sent += [holder.positions] if isinstance(holder, Selection) else []
            else:
                places.append(None)
                sent.append(rows or [])
    return {"kept": places}, dump_items(runtime, sent, runtime.sent.rows(end))
