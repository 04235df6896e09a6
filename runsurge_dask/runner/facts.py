"""What the analysis tells the runner about one site: a place in the script where data may be cut.

For example, for the loop of

    total = 0
    for line in open("numbers.txt"):
        total += float(line)

the fact is: form `for`, kind `reduce`, one accumulator `total` with operation `sum`, and the loop compiled as a function
that a chunk child calls. Facts are made in the client and only read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SplitKind(StrEnum):
    """How a block's answer on the whole follows from its answers on chunks."""

    ROWS = "rows"
    REDUCE = "reduce"
    FOLD = "fold"
    GROUP = "group"
    HALO = "halo"
    WHOLE = "whole"


class Merge(StrEnum):
    """How the value that a chunk left in an accumulator joins the value so far."""

    APPEND = "append"
    """A list that only grows at its end."""
    SUM = "sum"
    """`+=` and `-=`: numbers, strings, tuples, arrays."""
    PREPEND = "prepend"
    """`x = new + x`."""
    PRODUCT = "product"
    OR = "or"
    AND = "and"
    XOR = "xor"
    BOOL_OR = "bool_or"
    BOOL_AND = "bool_and"
    MAX = "max"
    MIN = "min"
    COUNT = "count"
    """A counter that the body also reads: every chunk starts at its own position."""
    SELECT = "select"
    """`if new > best: best = new; where = row`."""
    ADD = "add"
    """A set, in the order of first additions."""
    STORE = "store"
    """`d[key] = value`, never read."""
    FIRST = "first"
    """`if key not in d: d[key] = value`."""
    SET_ONCE = "set_once"
    """`if first is None: first = value`."""
    LAST = "last"
    """`entry["last"] = value`, once in every row that touches the entry."""
    TREE = "tree"
    """A dictionary or table of further accumulators, one operation at each depth."""
    YIELD = "yield"
    """What a generator's loop yields."""


class Looking(StrEnum):
    """Whether code only looks at the rows it is given, so that flat ones are afterwards what they were before."""

    NOT = ""
    RECORDS = "records"
    COUNTED = "counted"
    """Its records are rows with their numbers, as `enumerate` gives them."""


TAPED = frozenset({Merge.SUM, Merge.PREPEND, Merge.PRODUCT})
"""A chunk does not compute these: it sends what is added, and the driver adds it in the order of the data, exactly."""

FROM_CURRENT = frozenset(
    {Merge.OR, Merge.AND, Merge.BOOL_OR, Merge.BOOL_AND, Merge.MAX, Merge.MIN, Merge.SELECT, Merge.COUNT, Merge.SET_ONCE}
)
"""These start from the driver's value: joining it once more changes nothing."""


GROWING_IN_PLACE = frozenset({Merge.APPEND, Merge.ADD, Merge.STORE, Merge.FIRST, Merge.TREE, Merge.YIELD})
"""These change an object and leave its name alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Where in a `TREE` one operation applies: `("*", "n")` is `d[anything]["n"]`."""

    keys: tuple[str | int, ...]
    merge: Merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulator:
    """A value that grows over the records of a loop, in a way whose parts can be joined."""

    place: str
    """A name, or a dotted place such as `self.rows`."""
    local: str
    """The name it has inside the chunk function."""
    merge: Merge
    paths: tuple[Path, ...] = ()
    payload: tuple[str, ...] = ()
    """`SELECT`: the names that are set together with it."""
    compare: str = ""
    """`SELECT`: the comparison (`gt`, `ge`, `lt`, `le`)."""
    key: str = ""
    """`SELECT`: the expression that is compared, where it is not the value itself."""
    step: int | float = 0
    """`COUNT`: what one record adds."""
    is_in_place: bool = False
    """`x += y`, which changes a list or an array itself, and not `x = x + y`."""
    reads_itself: bool = False
    """`STORE`: a row reads the item that it stores."""
    makes_entries: bool = False
    """`TREE`: the body says what an entry begins with."""
    is_shared: bool = False
    """Functions that the loop calls make it grow, too, under its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """One place where data may be cut, and everything a run needs to know of it."""

    site: int
    file: str
    line: int
    form: str
    """`for`, `list`, `set`, `dict`, `genexp`, or the name of the call that consumes it (`sum`, `max`, ...)."""
    kind: SplitKind
    reason: str
    code: bytes = b""
    """The chunk function, as marshalled code of a module that defines `__rs_chunk__`; empty where the kind is `whole`."""
    free: tuple[str, ...] = ()
    """Names that the chunk function reads from around it."""
    assigned: tuple[str, ...] = ()
    """Names that the loop binds and somebody may read afterwards."""
    accumulators: tuple[Accumulator, ...] = ()
    is_indexed: bool = False
    """The chunk function must know the position of its first record."""
    given: tuple[str, ...] = ()
    """A loop divided by `analysis.fission`: what the chunks find of each row for the rest of the body."""
    rest: tuple[str, ...] = ()
    """Names that the rest of such a body reads from around it."""
    needs_generator: bool = False
    """Nothing of such a body goes ahead but the loop of the generator that feeds it."""
    makes_files: bool = False
    """The rest of such a body may make or change files, so that a chunk may not read any ahead of it."""
    divided: SiteFacts | None = None
    """What to do instead where a chunk finds that the loop carries something after all."""
    compares_identity: bool = False
    """Its code asks whether two values are the same object."""
    looking: Looking = Looking.NOT
    """See `analysis.looking`."""
    is_bare: bool = False
    """A loop over something that cannot be a list whose rows stay in files."""
    kept: tuple[str, ...] = ()
    """Lists, by their names in the chunk function, whose rows may stay where the chunks leave them: nobody else reaches them."""
    is_slow: bool = False
    """`frame`: a function of the script's own is called for its rows."""
    is_small: bool = False
    """`frame`: the script asks only for what is small of the frames that it reads."""
    reads: str = ""
    """`frame`: the path of the file that the statement reads, where the text has it."""
    may_wait: bool = False
    """`frame`: a read after which nothing can be seen to happen before the first question to it."""
    label: str = ""
    pattern: str = ""
