"""The driver's side of one source: one look over the file, then stages over its chunks, all or nothing.

A stage that meets anything uncertain is dropped as a whole; the source is then read by pandas itself, once, and everything
over it is worked out as written.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import pickle
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.conversation import Conversation, OutgrownChunk
from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.frames.joining import is_wider
from runsurge_dask.runner.frames.needs import PARTIAL, needed_columns
from runsurge_dask.runner.frames.nodes import Node, Rowset, all_nodes, evaluate
from runsurge_dask.runner.frames.scan import stamp_of
from runsurge_dask.runner.frames.work import CODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.frames.table import Table
    from runsurge_dask.runner.sites import Runtime

FREE_STAGES = 4
"""Without a forced chunk count, so many stages read a file again; then it is read as a whole and kept."""
CHEAP_STAGES = 2
"""As `FREE_STAGES`, where reading costs more than what is done with the rows."""
ATTEMPTS = 3
"""How often a stage is tried with wider column types."""
IN_CHUNK = 10
"""Bytes that a chunk holds for each byte of text: the text twice, the frame, and what is made of it (measured 6 to 9)."""
SMALLEST_SHARE = 5
"""How often a file is cut anew, each time in chunks of half the size, where one needed more than there was."""
_CODE = marshal.dumps(compile(CODE, "<frame stage>", "exec"))


def _has_names(shape: Any, meta: Any, *, some: bool) -> bool:
    """Whether a result has the columns that the script was told of, or some of them."""
    if shape is None or not isinstance(meta, pd.DataFrame) or shape[0] != "frame":
        return True
    names, told = [name for name, _ in shape[1]], [repr(name) for name in meta.columns]
    return set(names) <= set(told) if some else names == told


def _check_results(shapes: list[Any], nodes: list[Node], complete: set[int] | None) -> None:
    """See that results are what the script was told of; all columns are there of the `complete` only, or of every one.

    Raises:
        Escape: they are not.
    """
    for shape, node in zip(shapes, nodes, strict=True):
        if not _has_names(shape, node.meta, some=complete is not None and id(node) not in complete):
            raise Escape("the columns of a result are not those of its first rows")
        if not _has_counted_labels(shape, node):
            raise Escape("the labels of a result are not numbers of rows")


def _has_counted_labels(shape: Any, node: Node) -> bool:
    """Whether labels that we are to count anew are such: joins of nothing have those of the other side."""
    if shape is None or node.rows is None or node.rows.index != "rows" or shape[0] not in {"frame", "series"}:
        return True
    return bool(shape[-1] == [["None"], "int64"])


def _wider_joins(nodes: list[Node], shapes: list[list[Any]]) -> list[Node]:
    """The first expression on whose type chunks disagree, if it is a join that has to have other types on the whole."""
    for place, node in enumerate(nodes):
        found = [of_chunk[place] for of_chunk in shapes]
        if any(shape != found[0] for shape in found):
            return [node] if is_wider(node, found) else []
    return []


@dataclass(slots=True, eq=False, weakref_slot=True)
class FrameSource:
    """One call of `read_csv` or `read_parquet` that was not done yet."""

    runtime: Runtime
    facts: SiteFacts
    table: Table
    read_plainly: Callable[[], Any]
    node: Node
    cuts: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    is_broken: bool = False
    stages: int = 0
    is_large: bool = False
    """It is never to be read as a whole."""
    share: float = 1.0
    """The part of what a chunk may hold for which it is cut."""
    reading_seconds: float = 0.0
    working_seconds: float = 0.0

    @property
    def total(self) -> int:
        """Rows of the file."""
        return sum(self.rows)

    def look_over(self, line: int) -> bool:
        """Cut the file, and see that reading it cannot raise; false where it is to be read plainly."""
        for attempt in range(SMALLEST_SHARE):
            self.share = 1 / 2**attempt
            try:
                return self._look_over(line)
            except OutgrownChunk:
                continue
        return False

    def _look_over(self, line: int) -> bool:
        request = {"op": "propose", "site": self.facts.site, "needs_index": False, "is_asked_for": False, "quote": '"'}
        request |= {"share": self.share, "bytes_per_byte": IN_CHUNK}
        proposal, _ = self.runtime.ask({**request, **self.table.cut_request(), "seconds_per_unit": self.table.pace})
        if "cuts" not in proposal:
            return False
        self.cuts = self.table.settle_cuts(proposal["cuts"], is_forced=bool(self.runtime.options["chunks"]))
        chunks = [{"start": a, "end": b} for a, b in pairwise(self.cuts)]
        try:
            for _ in range(ATTEMPTS):
                answers = self._stage(self.facts, {"kind": "scan"}, chunks, [line], lambda _: None)
                if answers is None:
                    return False
                if not self.table.settle(answers):
                    break
            else:
                raise Escape("the types of its columns are not certain")
            self.node.meta = self.table.first_rows(self.node.meta)
        except Escape as escape:
            self.runtime.tell({"op": "decline", "site": self.facts.site, "reason": escape.reason})
            return False
        self._keep_cuts([answer["rows"] for answer in answers])
        assert self.node.rows is not None
        self.node.rows.lengths = self.rows
        return self.total > 0

    def _keep_cuts(self, rows: list[int]) -> None:
        """Join chunks without rows to their neighbours."""
        kept = [self.cuts[0]]
        for end, count in zip(self.cuts[1:], rows, strict=True):
            if count:
                kept.append(end)
                self.rows.append(count)
            elif len(kept) > 1:
                kept[-1] = end
        self.cuts = kept

    def run(self, facts: SiteFacts | None, roots: list[tuple[Node, tuple[Any, ...]]], *, not_line: int = 0) -> list[list[Any]] | None:
        """For each root what the chunks gave, in order; None where only the whole can be right.

        `not_line` is a statement that itself runs on the whole, and only needs its operands.
        """
        runtime = self.runtime
        is_closed = runtime.is_closed(self.facts.site)
        if self.is_broken or self.node.value is not None or is_closed:
            return None
        if not self.is_large and self.stages >= (FREE_STAGES if self.working_seconds > self.reading_seconds else CHEAP_STAGES):
            return None
        for _ in range(ATTEMPTS):
            try:
                return self._attempt(facts or self.facts, roots, not_line)
            except _WidenedError:
                continue
            except OutgrownChunk:
                if not self._cut_smaller(roots):
                    break
        return None

    def _cut_smaller(self, roots: list[tuple[Node, tuple[Any, ...]]]) -> bool:
        """Cut the file anew, where nothing was kept chunk by chunk; whether that was done."""
        if any(node.pieces is not None for node in all_nodes([root for root, _ in roots])):
            return False
        while self.share >= 2.0**-SMALLEST_SHARE:
            self.share /= 2
            self.cuts, self.rows = [], []
            with contextlib.suppress(OutgrownChunk):
                if self._look_over(self.node.line):
                    return True
                break
        self.is_broken = True
        return False

    def _attempt(self, facts: SiteFacts, roots: list[tuple[Node, tuple[Any, ...]]], not_line: int) -> list[list[Any]] | None:
        nodes = all_nodes([root for root, _ in roots])
        held = [node for node in nodes if node.op == "held"]
        complete = {id(root) for root, how in roots if how[0] not in PARTIAL}
        columns = needed_columns(roots, nodes, self.node)
        job = {
            "kind": "eval",
            "source": self.node,
            "held": held,
            "roots": roots,
            "nodes": nodes,
            "columns": columns,
        }
        offsets = list(accumulate([0, *self.rows]))
        chunks = [
            {
                "start": a,
                "end": b,
                "rows": self.rows[n],
                "offset": offsets[n],
                "held": pickle.dumps([(node.pieces or [])[n] for node in held], 5),
            }
            for n, (a, b) in enumerate(pairwise(self.cuts))
        ]
        wider: list[Node] = []

        def accept(answers: list[Any]) -> None:
            if any(answer["shapes"] != answers[0]["shapes"] for answer in answers):
                wider.extend(_wider_joins(nodes, [answer["shapes"] for answer in answers]))
                raise Escape("chunks disagree on the type of a result")
            _check_results(answers[0]["shapes"], nodes, complete if columns is not None else None)

        self.stages += 1
        lines = sorted({node.line for node in nodes if node.line} - {not_line} | {self.node.line})
        answers = self._stage(facts, job, chunks, lines, accept)
        if wider:
            raise _WidenedError
        if answers is None:
            return None
        for answer in answers:
            self.reading_seconds += answer["seconds"][0]
            self.working_seconds += answer["seconds"][1]
        return [list(column) for column in zip(*(answer["values"] for answer in answers), strict=True)]

    def _stage(
        self, facts: SiteFacts, job: dict[str, Any], chunks: list[dict[str, Any]], lines: list[int], accept: Any
    ) -> list[Any] | None:
        runtime = self.runtime
        runtime.busy = True
        try:
            if stamp_of(os.stat(self.table.path)) != self.table.stamp:
                raise Escape("the input file changed")
            whole_job = {**job, "table": self.table}
            return Conversation(runtime, facts).run(_CODE, whole_job, chunks, lines, accept, is_used=job["kind"] != "scan")
        except CannotShip as refusal:
            runtime.tell({"op": "decline", "site": facts.site, "reason": refusal.reason})
        except Escape as escape:
            runtime.tell({"op": "decline", "site": facts.site, "reason": escape.reason})
        except OSError:
            self.is_broken = True
        finally:
            runtime.busy = False
        return None

    def plain(self) -> Any:
        """The whole source as pandas itself reads it."""
        if self.node.value is None:
            self.node.value = self.read_plainly()
        return self.node.value

    def plain_value(self, node: Node) -> Any:
        """The value of an expression on the whole, worked out here."""
        if node.value is None:
            known = {id(each): self._leaf(each) for each in all_nodes([node]) if each.op in {"source", "held"} or each.value is not None}
            node.value = evaluate([node], known)[0]
        return node.value

    def _leaf(self, node: Node) -> Any:
        if node.value is None:
            if node.op == "source":
                return self.plain()
            assert node.rows is not None
            assert node.pieces is not None
            if node.rows.node is not None and isinstance(node.pieces[0], pd.Series | pd.DataFrame):
                whole = pd.concat(node.pieces, ignore_index=True)
                whole.index = self.plain_value(node.rows.node).index
                node.value = whole
            else:
                node.value = self.join(node.pieces, node.rows, [])
        return node.value

    def join(self, pieces: list[Any], rows: Rowset, labels: list[list[Any]]) -> Any:
        """The whole of what chunks kept, given the labels that each filter since the origin kept in each chunk."""
        if isinstance(pieces[0], np.ndarray):
            return np.concatenate(pieces)
        if rows.index == "own":
            whole = pd.concat(pieces)
            if labels:
                whole.index = _own_index(whole.index.name, labels)
            return whole
        whole = pd.concat(pieces, ignore_index=True)
        if rows.origin is not rows:
            whole.index = self._index_of(rows, labels)
        return whole

    def _index_of(self, rows: Rowset, labels: list[list[Any]]) -> Any:
        lengths = rows.origin.lengths
        assert lengths is not None
        index: Any = pd.RangeIndex(sum(lengths))
        for part in labels:
            kept = np.concatenate([labels_of + offset for labels_of, offset in zip(part, accumulate([0, *lengths]), strict=False)])
            mask = np.zeros(len(index), dtype=bool)
            mask[np.searchsorted(np.asarray(index), kept)] = True
            index = pd.DataFrame(index=index).loc[mask].index
        return index


def _own_index(name: Any, labels: list[list[Any]]) -> Any:
    """Integers that are data, as pandas keeps them: a range where they happen to be one, and so for as long as filters leave one."""
    first = np.concatenate(labels[0])
    index = pd.DataFrame({name: first}).set_index(name).index
    for part in labels[1:]:
        kept = np.concatenate(part)
        if isinstance(index, pd.RangeIndex):
            index = pd.DataFrame(index=index).loc[np.isin(np.asarray(index), kept)].index
        else:
            index = pd.Index(kept, dtype="int64", name=name)
    return index


class _WidenedError(Exception):
    """Try again, with the types of joins that hold for the whole."""
