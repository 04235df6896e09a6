"""What the driver says of one source when it asks how to cut it, and what each chunk then is."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.kept import Part, kept_rows
from runsurge_dask.runner.packing import dump_items

if TYPE_CHECKING:
    from runsurge_dask.runner import wire
    from runsurge_dask.runner.sites import Runtime
    from runsurge_dask.runner.sources import Source


def proposal_of(source: Source, first: int, **about: Any) -> wire.Header:
    """The question how to cut what is left of a source, from `first` on."""
    proposal: wire.Header = {"op": "propose", "source": source.kind, "start": first, **about}
    if source.is_file:
        quote = source.csv_arguments["quotechar"] if source.csv_arguments and source.csv_arguments["quoting"] != 3 else None  # noqa: PLR2004 - csv.QUOTE_NONE
        return {**proposal, "path": source.path, "end": source.end, "quote": quote}
    return {**proposal, "end": source.size}


def chunks_of(runtime: Runtime, source: Source, index: int, proposal: wire.Header) -> tuple[list[wire.Header], list[bytes]]:
    """Each chunk between the proposed cuts, and its rows where it does not read them itself; `index` records come before.

    Raises:
        CannotShip: rows cannot be copied to another process.
    """
    cuts: list[int] = proposal["cuts"]
    specs: list[wire.Header] = []
    blobs: list[bytes] = []
    counts = proposal.get("counts")
    found = None if source.is_file else kept_rows(source.items)
    if found is not None:
        found.is_read = True
        bounds = found.bounds()
        cuts = [min(bounds, key=lambda bound: abs(bound - cut)) for cut in cuts]
    for number, (start, end) in enumerate(itertools.pairwise(cuts)):
        spec: wire.Header = {"kind": source.kind, "start": start, "end": end, "index": index, "wraps": source.wraps}
        if source.is_file:
            spec |= {
                "path": source.path, "encoding": source.encoding, "errors": source.errors, "newline": source.newline,
                "csv": source.csv_arguments, "fields": source.fields, "rest": source.rest,
            }  # fmt: skip
            blobs.append(b"")
            index += counts[number] if counts else 0
        elif found is not None:
            pieces = list(found.pieces(start, end))
            spec["kept"] = [piece.path if isinstance(piece, Part) else "" for piece in pieces]
            blobs.append(dump_items(runtime, [piece for piece in pieces if not isinstance(piece, Part)]))
            index += end - start
        else:
            blobs.append(dump_items(runtime, source.items[start:end]))
            index += end - start
        specs.append(spec)
    return specs, blobs
