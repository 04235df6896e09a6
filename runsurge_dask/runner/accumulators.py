"""How a value grows in a chunk, and how what it grew by joins the driver's value.

    driver: total = 10          chunk 1 starts at 0, ends at 7        chunk 2 starts at 0, ends at 5
    join in order:  total = (10 + 7) + 5

A chunk starts from a *neutral* value of the same shape as the driver's (zeros in the same places), or from the driver's own
where joining twice does no harm (`max`). Types for which joining is not the same as going on are refused: the block then
runs as written.
"""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.facts import TAPED, Accumulator, Merge, Path
from runsurge_dask.runner.tapes import Additions, Stores, Tape, compress, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FROM_CURRENT = frozenset({Merge.OR, Merge.AND, Merge.BOOL_OR, Merge.BOOL_AND, Merge.MAX, Merge.MIN, Merge.SELECT, Merge.COUNT})
"""These start from the driver's value: joining it once more changes nothing."""
_ADDED_TYPES = frozenset({int, bool, float, complex, str, bytes, tuple, list})
_EXACT_NUMBERS = (int, bool)
_FLOATS = (float, complex)
_ARRAY_TYPES = frozenset({"float64", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64", "complex128", "bool"})
"""Element types whose sums do not depend on the order, or only in the last bits of a 64-bit float."""


def starting_value(fact: Accumulator, current: Any) -> Any:
    """What a chunk starts from, as plain data to send.

    Raises:
        CannotShip: chunks could not be joined to a value of this type.
    """
    if fact.merge in FROM_CURRENT:
        return current
    if fact.merge in {Merge.APPEND, Merge.YIELD}:
        _require(type(current) is list, fact, current)
        return None
    if fact.merge is Merge.ADD:
        _require(type(current) is set, fact, current)
        return None
    if fact.merge is Merge.STORE:
        is_array = type(current).__module__ == "numpy"
        _require(type(current) in {dict, list} or is_array, fact, current)
        if fact.reads_itself:
            _require(type(current) is list or (is_array and current.ndim == 1), fact, current)
            return current
        return len(current) if type(current) is list else None
    if fact.merge is Merge.FIRST:
        _require(type(current) is dict, fact, current)
        return None
    if fact.merge in TAPED:
        is_known = type(current) in _ADDED_TYPES or type(current).__module__ in {"numpy", "fractions", "decimal", "datetime"}
        _require(is_known, fact, current)
        return None
    if fact.merge is Merge.TREE:
        return _neutral(current, fact)
    return _neutral_sum(current, fact)


def build_start(fact: Accumulator, start: Any) -> Any:
    """The chunk's own accumulator object."""
    match fact.merge:
        case Merge.APPEND | Merge.YIELD | Merge.SUM | Merge.PREPEND | Merge.PRODUCT:
            return []
        case Merge.ADD:
            return Additions()
        case Merge.STORE:
            return Stores(base=start, length=len(start)) if fact.reads_itself else Stores(start)
        case Merge.FIRST:
            return {}
    return start


def finished_value(fact: Accumulator, value: Any) -> Any:
    """What a chunk sends back of its accumulator."""
    match fact.merge:
        case Merge.SUM | Merge.PREPEND | Merge.PRODUCT:
            return compress(value) if fact.merge is Merge.SUM else Tape(value)
        case Merge.ADD:
            return list(value.found)
        case Merge.STORE:
            return value.log
    return value


def join(fact: Accumulator, current: Any, part: Any, *, exact: bool) -> Any:  # noqa: ARG001 - asked for like `check_join`
    """The driver's value after one more chunk; containers grow in place, as they would have.

    Raises:
        Escape: the chunk's part cannot be joined; the block goes on as written from this chunk.
    """
    match fact.merge:
        case Merge.APPEND | Merge.YIELD:
            current.extend(part)
            return current
        case Merge.ADD:
            current.update(part)
            return current
        case Merge.STORE:
            return _store(current, part)
        case Merge.FIRST:
            for key, value in part.items():
                current.setdefault(key, value)
            return current
        case Merge.TREE:
            _join_tree(fact.paths, current, part)
            return current
    return play(fact, current, part) if fact.merge in TAPED else join_scalar(fact, current, part)


def check_join(fact: Accumulator, current: Any, part: Any, *, exact: bool) -> None:
    """Refuse, before anything is changed, a part that could not be joined.

    Raises:
        Escape: the block goes on as written from this chunk.
    """
    if fact.merge is Merge.TREE:
        _check_tree(fact.paths, part, exact=exact)
        _check_alike(fact.paths, current, part)
    elif fact.merge not in {Merge.APPEND, Merge.YIELD, Merge.ADD, Merge.FIRST}:
        try:
            join(fact, _copied(current), part, exact=exact)
        except (TypeError, ValueError) as error:
            raise Escape(f"its parts cannot be joined ({error})") from None


def _copied(current: Any) -> Any:
    is_changed_in_place = type(current) is list or (type(current).__module__ == "numpy" and hasattr(current, "copy"))
    return current.copy() if is_changed_in_place else current


def _check_alike(paths: tuple[Path, ...], current: Any, part: Any) -> None:
    """Refuse tables whose leaves would not take each other's parts."""
    if isinstance(part, dict):
        pairs = [(key, current[key], value) for key, value in part.items() if key in current]
    elif isinstance(part, list):
        _refuse_unless(len(part) == len(current), "a table of another size")
        pairs = [(index, current[index], value) for index, value in enumerate(part)]
    else:
        return
    for key, old, new in pairs:
        below = _below(paths, key)
        if _leaf(below) is None:
            _refuse_unless(type(old) is type(new), "tables of different kinds")
            _check_alike(below, old, new)
        elif _leaf(below) in {Merge.APPEND, Merge.ADD}:
            _refuse_unless(type(old) is type(new), "collections of different kinds")
            if _leaf(below) is Merge.ADD:
                _refuse_unless(all(type(x) is str for x in new), "sets whose order depends on how they grew")
        elif isinstance(old, str | bytes | tuple | list) or isinstance(new, str | bytes | tuple | list):
            _refuse_unless(type(old) is type(new), "values of different kinds")


def join_scalar(fact: Accumulator, current: Any, part: Any) -> Any:
    """Join for values without inner structure."""
    if fact.merge is Merge.SUM:
        if type(current).__module__ == "numpy" and bool(getattr(current, "ndim", 0)):
            current += part
            return current
        return current + part
    if fact.merge is Merge.PRODUCT:
        return current * part
    if fact.merge in {Merge.MAX, Merge.MIN}:
        return _extreme(fact, current, part)
    operations: Mapping[Merge, Callable[[Any, Any], Any]] = {
        Merge.OR: operator.or_,
        Merge.AND: operator.and_,
        Merge.XOR: operator.xor,
        Merge.BOOL_OR: lambda a, b: a or b,
        Merge.BOOL_AND: lambda a, b: a and b,
    }
    _refuse_unless(
        isinstance(part, int | set | frozenset) or part is None or fact.merge in {Merge.BOOL_OR, Merge.BOOL_AND}, "bits of this type"
    )
    return operations[fact.merge](current, part)


def check_sum(part: Any, *, exact: bool) -> None:
    """Refuse sums whose result depends on the order beyond the last bits (and, with `exact`, at all)."""
    kind = type(part)
    if kind in _EXACT_NUMBERS or kind in {str, bytes, tuple, list}:
        return
    if kind in _FLOATS or kind.__name__ == "float64":
        _refuse_unless(not exact, "sums of floats depend on their order, and --exact was asked for")
        return
    if kind.__module__ == "numpy" and hasattr(part, "dtype") and str(part.dtype) in _ARRAY_TYPES:
        _refuse_unless(not (exact and part.dtype.kind in "fc"), "sums of floats depend on their order, and --exact was asked for")
        return
    if kind.__name__ == "Fraction" and kind.__module__ == "fractions":
        return
    if kind.__name__ == "Counter":
        return
    raise Escape(f"sums of {kind.__name__} cannot be joined")


def _extreme(fact: Accumulator, current: Any, part: Any) -> Any:
    _refuse_unless(part == part, "not-a-number among the values compared")  # noqa: PLR0124 - that is how NaN shows
    choose = max if fact.merge is Merge.MAX else min
    return choose(part, current) if fact.compare == "new-first" else choose(current, part)


def _store(current: Any, log: list[Any]) -> Any:
    for (*above, key), value in log:
        table = current
        for step in above:
            table = table[step]
        table[key] = value
    return current


def _neutral_sum(current: Any, fact: Accumulator) -> Any:
    kind = type(current)
    if kind is bool:
        return 0
    if kind in {int, float, complex, str, bytes, tuple, list, Counter}:
        return kind()
    if kind.__module__ == "numpy" and hasattr(current, "dtype"):
        _require(str(current.dtype) in _ARRAY_TYPES, fact, current)
        return current * 0 if not getattr(current, "ndim", 0) else _zeros_like(current)
    if kind.__name__ == "Fraction":
        return 0
    _require(current=current, fact=fact, holds=False)
    return None


def _zeros_like(array: Any) -> Any:
    zeros = array.copy()
    zeros[...] = 0
    return zeros


def _neutral(current: Any, fact: Accumulator) -> Any:
    """A copy of a table with neutral values at its leaves."""
    kind = type(current)
    if kind.__module__ == "numpy" and hasattr(current, "dtype"):
        _require({path.merge for path in fact.paths} == {Merge.SUM}, fact, current)
        return _neutral_sum(current, fact)
    return _neutral_table(current, fact.paths, fact)


def _neutral_table(current: Any, paths: tuple[Path, ...], fact: Accumulator) -> Any:
    kind = type(current)
    leaf = _leaf(paths)
    if leaf is not None:
        if leaf in FROM_CURRENT or (leaf is Merge.STORE):
            return current
        if leaf is Merge.APPEND:
            _require(kind is list, fact, current)
            return []
        if leaf is Merge.ADD:
            _require(kind is set, fact, current)
            return set()
        return _neutral_sum(current, fact)
    if kind in {dict, Counter}:
        return kind({key: _neutral_table(value, _below(paths, key), fact) for key, value in current.items()})
    if kind is defaultdict:
        inner = {key: _neutral_table(value, _below(paths, key), fact) for key, value in current.items()}
        return defaultdict(current.default_factory, inner)
    if kind is list:
        return [_neutral_table(value, _below(paths, index), fact) for index, value in enumerate(current)]
    _require(current=current, fact=fact, holds=False)
    return None


def _leaf(paths: tuple[Path, ...]) -> Merge | None:
    return next((path.merge for path in paths if not path.keys), None)


def _below(paths: tuple[Path, ...], key: Any) -> tuple[Path, ...]:
    exact = tuple(p for p in paths if p.keys and type(p.keys[0]) is type(key) and p.keys[0] == key and p.keys[0] != "*")
    chosen = exact or tuple(p for p in paths if p.keys and p.keys[0] == "*")
    return tuple(Path(keys=p.keys[1:], merge=p.merge) for p in chosen)


def _check_tree(paths: tuple[Path, ...], part: Any, *, exact: bool) -> None:
    """Refuse before anything is changed: a tree joined half way could not be taken back."""
    for merge, value in _leaves(paths, part):
        if merge in {Merge.SUM, Merge.PRODUCT}:
            check_sum(value, exact=exact)
        elif merge in {Merge.MAX, Merge.MIN}:
            _refuse_unless(value == value, "not-a-number among the values compared")  # noqa: PLR0124


def _leaves(paths: tuple[Path, ...], part: Any) -> Iterator[tuple[Merge, Any]]:
    leaf = _leaf(paths)
    if leaf is not None:
        yield leaf, part
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _leaves(_below(paths, key), value)
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _leaves(_below(paths, index), value)
    elif type(part).__module__ == "numpy":
        yield Merge.SUM, part


def _join_tree(paths: tuple[Path, ...], current: Any, part: Any) -> None:
    if isinstance(part, dict):
        for key, value in part.items():
            below = _below(paths, key)
            if key in current:
                _join_entry(below, current, key, value)
            else:
                current[key] = value
    elif isinstance(part, list):
        for index, value in enumerate(part):
            _join_entry(_below(paths, index), current, index, value)
    else:
        current += part


def _join_entry(paths: tuple[Path, ...], table: Any, key: Any, part: Any) -> None:
    leaf = _leaf(paths)
    if leaf is None:
        _join_tree(paths, table[key], part)
    elif leaf is Merge.APPEND:
        table[key].extend(part)
    elif leaf is Merge.ADD:
        table[key].update(part)
    elif leaf is Merge.FIRST:
        pass
    elif leaf is Merge.STORE:
        table[key] = part
    else:
        table[key] = join_scalar(Accumulator(place="", local="", merge=leaf), table[key], part)


def _require(holds: bool, fact: Accumulator, current: Any) -> None:  # noqa: FBT001
    if not holds:
        raise CannotShip(f"`{fact.place}` is a {type(current).__name__}, whose parts cannot be joined")


def _refuse_unless(holds: bool, reason: str) -> None:  # noqa: FBT001
    if not holds:
        raise Escape(reason)
