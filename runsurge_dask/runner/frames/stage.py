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

import pandas as pd

from runsurge_dask.runner import late
from runsurge_dask.runner.conversation import Conversation, OutgrownChunk
from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.frames.foresight import SMALL_ANSWERS, foresee, key_of, stop_trial, to_take
from runsurge_dask.runner.frames.needs import PARTIAL, needed_columns
from runsurge_dask.runner.frames.nodes import Node, all_nodes, evaluate
from runsurge_dask.runner.frames.results import check_results, is_placed, types_of, wider_joins
from runsurge_dask.runner.frames.scan import stamp_of
from runsurge_dask.runner.frames.table import SIZES
from runsurge_dask.runner.frames.whole import join_pieces
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
SMALLEST_SHARE = 5
"""How often a file is cut anew, each time in chunks of half the size, where one needed more than there was."""
MOST_REMEMBERED = 200
"""Answers to questions that were foreseen and not asked yet."""
_CODE = marshal.dumps(compile(CODE, "<frame stage>", "exec"))


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
    is_settled: bool = True
    """The whole file was looked over; until then nothing of the script's can be seen to happen (`analysis.waiting`)."""
    read_at: late.Place | None = None
    built: list[tuple[Node, late.Place | None]] = field(default_factory=list)
    """Expressions over a source that is not settled, in order, with the places where the script built them."""
    is_unsure: bool = False
    """Some expression was built on types that turned out to be others, and may raise."""
    certain: set[Any] | None = None
    """The columns whose types are known; None where all are."""
    words: str = ""
    """The text of the script: a column that stands nowhere in it is not read, unless it is asked for after all."""
    answers: dict[Any, list[list[Any]]] = field(default_factory=dict)
    """What was foreseen to be asked, and not asked yet."""
    kept: list[Any] = field(default_factory=list)
    """Objects that keys of `answers` know by their identity."""

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
        request |= {"share": self.share, **SIZES}
        proposal, _ = self.runtime.ask({**request, **self.table.cut_request(), "seconds_per_unit": self.table.pace})
        if "cuts" not in proposal:
            return False
        self.cuts = self.table.settle_cuts(proposal["cuts"], is_forced=self.runtime.is_forced(self.facts.site))
        return self._scan(line)

    def _scan(self, line: int) -> bool:
        """See that reading the chunks cannot raise, and what types their columns have; false where the file is to be read plainly."""
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
        self.certain = None
        self._keep_cuts([answer["rows"] for answer in answers])
        assert self.node.rows is not None
        self.node.rows.lengths = self.rows
        return self.total > 0

    def is_certain(self, columns: list[Any] | None) -> bool:
        """Whether the types of these columns are known; the rest of the file is looked over if they are not."""
        if self.certain is None or (columns is not None and self.certain >= set(columns)):
            return True
        stop_trial(self.runtime, [])
        types = types_of(self.node.meta)
        if not self._scan(self.node.line) or (types_of(self.node.meta) != types and not self._rebuild()):
            self.is_broken = True
        self.built.clear()
        return not self.is_broken

    def wait(self, read_at: late.Place | None, words: str) -> bool:
        """Leave looking the file over to the first question; `words` is the text of the script."""
        self.read_at, self.words, self.is_settled = read_at, words, False
        return True

    def settle(self) -> bool:
        """Look the file over now, if nobody has; whether its chunks can be worked with."""
        if self.is_settled:
            return not self.is_broken
        stop_trial(self.runtime, [])
        self.is_settled = True
        self.is_broken = not (self.look_over(self.node.line) and self._rebuild())
        return not self.is_broken

    def _rebuild(self) -> bool:
        """Work out the first rows of all expressions anew, now that the types of the columns are certain; whether that can be."""
        from runsurge_dask.runner.frames.lazy import first_rows_of

        try:
            for node, _ in self.built:
                node.meta = first_rows_of(node)
            self.is_unsure = any(node.meta is None for node, _ in self.built)
        except Exception:  # what it raises is raised where the script has it, when the whole is there
            self.is_unsure = True
        return not self.is_unsure

    def _keep_cuts(self, rows: list[int]) -> None:
        """Join chunks without rows to their neighbours."""
        kept, self.rows = [self.cuts[0]], []
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
        runtime: Any = self.runtime
        stop_trial(runtime, roots)
        known = self.answers.pop(key_of(roots, self.kept), None)
        if known is not None:
            return known
        is_closed = runtime.is_closed(self.facts.site)
        if self.is_broken or self.node.value is not None or is_closed:
            return None
        if not self.is_settled and (not_line or any(map(is_placed, roots))) and not self.settle():
            return None
        if not self.is_large and self.stages >= (FREE_STAGES if self.working_seconds > self.reading_seconds else CHEAP_STAGES):
            return None
        for _ in range(ATTEMPTS):
            try:
                return self._answer(facts or self.facts, roots, not_line)
            except _WidenedError:
                continue
            except OutgrownChunk:
                if not self._cut_smaller(roots):
                    break
        return None

    def _answer(self, facts: SiteFacts, roots: list[tuple[Node, tuple[Any, ...]]], not_line: int) -> list[list[Any]] | None:
        """The answers to these questions, and on the way those to what will be asked next."""
        from runsurge_dask.runner.frames.lazy import following_statements

        statements, frame = following_statements(self)
        questions = [roots]
        if frame is not None and len(self.answers) < MOST_REMEMBERED and all(how[0] in SMALL_ANSWERS for _, how in roots):
            questions += foresee(self, statements, frame, key_of(roots, self.kept))
        every = [root for question in questions for root in question]
        try:
            given = self._first(facts, every, not_line) if not self.is_settled else self._attempt(facts, every, not_line)
        except OutgrownChunk:
            if len(questions) == 1:
                raise
            given = None
        if given is None:  # what was not asked yet may be what cannot be answered
            return self._attempt(facts, roots, not_line) if len(questions) > 1 and self.settle() else None
        for question in questions:
            self.answers[key_of(question, self.kept)] = [given.pop(0) for _ in question]
        return self.answers.pop(key_of(roots, self.kept))

    def _first(self, facts: SiteFacts, roots: list[tuple[Node, tuple[Any, ...]]], not_line: int) -> list[list[Any]] | None:
        """Answer the first questions and look the file over, in one pass."""
        types = types_of(self.node.meta)
        given = self._attempt(facts, roots, not_line)
        if given is None or not self.is_settled:
            return self._attempt(facts, roots, not_line) if self.settle() else None
        if types_of(self.node.meta) == types:
            if self.certain is None:
                self.built.clear()
            return given
        self.is_broken = not self._rebuild()
        return None if self.is_broken else self._attempt(facts, roots, not_line)

    def _cut_smaller(self, roots: list[tuple[Node, tuple[Any, ...]]]) -> bool:
        """Cut the file anew, where nothing was kept chunk by chunk; whether that was done."""
        if not self.is_settled:
            return self.settle()
        if any(node.pieces is not None for node in all_nodes([root for root, _ in roots])):
            return False
        while self.share >= 2.0**-SMALLEST_SHARE:
            self.share /= 2
            self.cuts, self.rows, self.answers = [], [], {}
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
        is_first = not self.is_settled
        taken = to_take(self, columns) if is_first else None
        if not is_first and not self.is_certain(columns):
            return None
        job = {
            "kind": "first" if is_first else "eval",
            "taken": taken,
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
            for n, (a, b) in enumerate([] if is_first else pairwise(self.cuts))
        ]
        wider: list[Node] = []

        def accept(answers: list[Any]) -> None:
            if answers[-1]["shapes"] != answers[0]["shapes"]:
                wider.extend(wider_joins(nodes, [answer["shapes"] for answer in answers]))
                raise Escape("chunks disagree on the type of a result")
            check_results(answers[0]["shapes"], nodes, complete if columns is not None else None)

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
        if is_first and not self._take_over(answers, taken):
            return None
        return [list(column) for column in zip(*(answer["values"] for answer in answers), strict=True)]

    def _take_over(self, answers: list[Any], taken: list[Any] | None) -> bool:
        """Believe what the first chunks have seen of the file; whether it is certain."""
        try:
            if self.table.settle(answers) or not all(answer["rows"] for answer in answers):
                return False
        except Escape:
            return False
        self.is_settled, self.certain = True, None if taken is None else set(taken)
        self.node.meta = self.table.first_rows(self.node.meta)
        self.rows = [answer["rows"] for answer in answers]
        assert self.node.rows is not None
        self.node.rows.lengths = self.rows
        return True

    def _stage(
        self, facts: SiteFacts, job: dict[str, Any], chunks: list[dict[str, Any]], lines: list[int], accept: Any
    ) -> list[Any] | None:
        runtime = self.runtime
        runtime.busy = True
        try:
            if stamp_of(os.stat(self.table.path)) != self.table.stamp:
                raise Escape("the input file changed")
            whole_job = {**job, "table": self.table}
            if job["kind"] != "first":
                return Conversation(runtime, facts).run(_CODE, whole_job, chunks, lines, accept, is_used=job["kind"] != "scan")
            span = {**self.table.cut_request(), "quote": None, **SIZES}
            found = Conversation(runtime, facts).run_over(_CODE, whole_job, span, lines, accept)
            self.cuts = [self.table.cut_request()["start"], *(end for _, (_, end) in found)]
            return [answer for answer, _ in found]
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
        """The whole source as pandas itself reads it; what raises only now is told where it belongs."""
        stop_trial(self.runtime, [])
        if self.node.value is None:
            self.is_settled, built = True, list(self.built)
            self.built.clear()
            try:
                self.node.value = self.read_plainly()
            except BaseException:
                self._tell_of(self.read_at)
                raise
            if built and (self.is_unsure or types_of(self.node.value) != types_of(self.node.meta)):
                self._raise_in_order(built)
        return self.node.value

    def _raise_in_order(self, built: list[tuple[Node, late.Place | None]]) -> None:
        for node, place in built:
            try:
                self.plain_value(node)
            except BaseException:
                self._tell_of(place)
                raise

    def _tell_of(self, belongs: late.Place | None) -> None:
        from runsurge_dask.runner.frames.lazy import current_place

        late.note(current_place(self), belongs)

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
                node.value = join_pieces(node.pieces, node.rows, [])
        return node.value


class _WidenedError(Exception):
    """Try again, with the types of joins that hold for the whole."""
