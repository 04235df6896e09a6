"""The parts of a random program: a loop with its pieces in some place, or statements around comprehensions.

A loop's pieces stand in the module, in a function, in a method, in a function called for each record, or in a generator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from textwrap import indent
from typing import TYPE_CHECKING

from tests.differential.origins import Loaded, Origin, choose_iterable, choose_origin, sized
from tests.differential.pieces import CARRIED, EXPRESSIONS, GROWTH, Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.differential.choices import Choices
    from tests.differential.tables import Table

NAMES = ("total", "found", "count", "table", "seen", "parts", "best", "state", "items", "notes")
FEW_ROWS = 8
"""With a loop inside the loop each row may be a stage of its own, and a stage takes 20 ms."""
INNER_LOOP = re.compile(r"\bfor \w+ in\b")
FIELD_LETTERS = {"K": "k", "N": "n", "X": "x", "W": "w"}
SHARED_HELPERS = {
    "twice": "OFFSET = 1\n\n\ndef twice(value):\n    return value * 2 + OFFSET",
    "clip": "def clip(value, low=5, high=80):\n    return max(low, min(high, value))",
    "digits": "def digits(value):\n    result = 0\n    while value:\n        result += value % 10\n        value //= 10\n    return result",
    "noted": "LOG = []\n\n\ndef noted(value):\n    if value == 13:\n        LOG.append(value)\n    return value",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A finished piece of a program."""

    text: str
    helpers: str
    names: tuple[str, ...]
    """Names at the level of `text` that hold plain values."""
    recipe: tuple[str, ...]
    is_last: bool = False
    """It spoils the rows for what comes after."""
    has_inner_loop: bool = False
    """Each record may open a site of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A loop before it is put in its place."""

    number: int
    origin: Origin
    pieces: tuple[Piece, ...]
    """Already filled."""
    first: str
    """The top of the body: the fields taken apart, and what skips a record."""
    bodies: tuple[str, ...]
    names: tuple[str, ...]
    """The names of the pieces, plain or not."""
    plain: tuple[str, ...]
    fields: Mapping[str, str]
    leaves: bool

    def loop(self, body: str | None = None) -> str:
        """The loop with its body, or another one."""
        rounds = "".join((self.first, "\n".join(self.bodies) if body is None else body))
        text = f"{self.origin.header}\n{indent(rounds, '    ')}\n"
        text = self.origin.inner + "\n" + text if self.origin.inner else text
        return f"{self.origin.within}\n{indent(text, '    ')}" if self.origin.within else text

    def before(self) -> str:
        """What stands in front of the loop."""
        return "".join(f"{text}\n" for text in (self.origin.setup, *(piece.before for piece in self.pieces)) if text)

    def show(self) -> str:
        """What prints the state."""
        return "".join(f"{piece.show}\n" for piece in self.pieces if piece.show)


def make_loop(choices: Choices, number: int, loaded: Loaded | None, table: Table) -> Part:
    """A loop over the data."""
    origin = choose_origin(choices, loaded)
    chosen = _choose_pieces(choices, origin)
    has_inner_loop = any(INNER_LOOP.search(f"{piece.body}\n{piece.helpers}") for piece in chosen)
    origin = sized(origin, min(len(table.rows), FEW_ROWS) if has_inner_loop else len(table.rows))
    place = _choose_place(choices, chosen)
    extra: set[str] = set()
    draft = _draft(choices, number, origin, chosen, is_method=place is _in_method, table=table, extra=extra)
    text, names, place_helpers = place(choices, draft)
    helpers = [origin.helpers, *(SHARED_HELPERS[name] for name in sorted(extra)), *(piece.helpers for piece in draft.pieces), place_helpers]
    return Part(
        text=text,
        helpers="\n\n".join(dict.fromkeys(helper.strip("\n") for helper in helpers if helper)),
        names=names,
        recipe=(origin.header, place.__name__.strip("_"), *(piece.name for piece in chosen)),
        is_last=any("last" in piece.flags for piece in chosen),
        has_inner_loop=has_inner_loop,
    )


def _choose_pieces(choices: Choices, origin: Origin) -> list[Piece]:
    growing = [piece for piece in GROWTH if _fits(piece, origin)]
    carrying = [piece for piece in CARRIED if _fits(piece, origin)]
    percent = choices.weighted([(6, 0), (3, 30), (1, 70)])
    count = choices.weighted([(3, 1), (4, 2), (3, 3), (1, 4)])
    chosen = [choices.pick(carrying if choices.chance(percent) else growing) for _ in range(count)]
    return list(dict.fromkeys(chosen))


def _fits(piece: Piece, origin: Origin) -> bool:
    wanted = piece.flags & {"row", "list", "dict", "mutable"}
    kinds = {"row": {"list", "dict", "tuple"}, "list": {"list"}, "dict": {"dict"}, "mutable": {"list", "dict"}}
    return all(origin.row_kind in kinds[flag] for flag in wanted)


def _draft(choices: Choices, number: int, origin: Origin, chosen: list[Piece], *, is_method: bool, table: Table, extra: set[str]) -> Draft:
    fields = dict(origin.fields)
    first = origin.first + "\n" if origin.first else ""
    if choices.chance(75):
        first += _take_apart(choices, fields, is_bad=table.has_bad_rows)
        fields = dict(FIELD_LETTERS)
    if choices.chance(12):
        first += f"if {_condition(choices, fields, origin)}:\n    continue\n"
    places = {**fields, "ROW": origin.row, "I": origin.index or "0"}
    filled, bodies, names, plain = [], [], [], []
    for place, piece in enumerate(chosen):
        letters = {
            letter: f"{NAMES[(choices.below(len(NAMES)) + place) % len(NAMES)]}{number}{place}{letter.lower()}" for letter in piece.fresh()
        }
        shown = {letter: f"self.{name}" if is_method else name for letter, name in letters.items()}
        own = {
            "F": f"Helper{number}{place}" if "class F" in piece.helpers else f"helper{number}{place}",
            "G": f"SHARED{number}{place}" if "\nG = " in f"\n{piece.helpers}" else f"other{number}{place}",
        }
        ready = piece.fill({**places, "N": _number(choices, fields, extra), **shown, **own})
        filled.append(ready)
        bodies.append(_guarded(choices, ready, fields, origin))
        names += [shown[letter] for letter in letters]
        plain += [shown[letter] for letter in piece.lasting()] if piece.is_plain else []
    leaves = any(piece.leaves for piece in chosen)
    return Draft(
        number=number,
        origin=origin,
        pieces=tuple(filled),
        first=first,
        bodies=tuple(bodies),
        names=tuple(names),
        plain=tuple(plain),
        fields=fields,
        leaves=leaves,
    )


def _take_apart(choices: Choices, fields: Mapping[str, str], *, is_bad: bool) -> str:
    lines = "".join(f"{FIELD_LETTERS[letter]} = {fields[letter]}\n" for letter in "KNXW" if fields[letter] != FIELD_LETTERS[letter])
    if not lines or not choices.chance(75 if is_bad else 6):
        return lines
    answer = choices.pick(["continue", 'print("bad", error)\n    continue', "break"])
    return f"try:\n{indent(lines, '    ')}except (ValueError, LookupError, TypeError) as error:\n    {answer}\n"


def _condition(choices: Choices, fields: Mapping[str, str], origin: Origin) -> str:
    options = ["{N} > 20", "{K} != 'bob'", "{N} % 2", "'e' in {W}", "{X} >= 2", "len({W}) > 2 and {N} < 90"]
    if origin.index:
        options.append(f"{origin.index} % 3 == 1")
    return choices.pick(options).format(**fields)


def _number(choices: Choices, fields: Mapping[str, str], extra: set[str]) -> str:
    text = choices.weighted(
        [
            (32, "{N}"),
            (1, "({N} % 7)"),
            (1, "({N} * 3 - 1)"),
            (1, "abs({N} - 50)"),
            (1, "len({W})"),
            (2, "twice({N})"),
            (1, "clip({N})"),
            (1, "digits(abs({N}))"),
            (1, "noted({N})"),
        ]
    )
    name = text.partition("(")[0]
    if name in SHARED_HELPERS:
        extra.add(name)
    return text.format(**fields)


def _guarded(choices: Choices, piece: Piece, fields: Mapping[str, str], origin: Origin) -> str:
    if not choices.chance(30):
        return piece.body
    condition = _condition(choices, fields, origin)
    heads = [f"if {condition}:", f"if not ({condition}):"]
    if not piece.leaves:
        heads += ["for again in range(2):", "with contextlib.suppress(ValueError):", "try:"]
    head = choices.pick(heads)
    tail = "\nexcept KeyError:\n    pass" if head == "try:" else ""
    return f"{head}\n{indent(piece.body, '    ')}{tail}"


Placed = tuple[str, tuple[str, ...], str]


def _choose_place(choices: Choices, chosen: list[Piece]) -> Callable[[Choices, Draft], Placed]:
    options: list[tuple[int, Callable[[Choices, Draft], Placed]]] = [(10, _in_module)]
    if not any("module" in piece.flags for piece in chosen):
        options.append((4, _in_function))
        if not any(":=" in piece.body for piece in chosen):
            options.append((2, _in_method))
        options.append((1, _in_generator))
    if not any(piece.leaves for piece in chosen):
        options.append((2, _in_step))
    return choices.weighted(options)


def _in_module(choices: Choices, draft: Draft) -> Placed:
    return draft.before() + _surrounded(choices, draft, draft.loop()) + draft.show(), draft.plain, ""


def _surrounded(choices: Choices, draft: Draft, loop: str) -> str:
    if '"data.txt"' in loop and choices.chance(12):
        changed = loop.replace('"data.txt"', "path")
        loop = f'for path in ("data.txt", "more.txt"):\n{indent(changed, "    ")}'
    elif not draft.leaves and choices.chance(4):
        loop = f"for turn in range(2):\n{indent(loop, '    ')}"
    elif not draft.origin.within and choices.chance(6):
        loop += 'else:\n    print("to the end")\n'
    if choices.chance(14):
        answer = 'print("stopped", type(error).__name__, error)'
        loop = f"try:\n{indent(loop, '    ')}except (ArithmeticError, ValueError, LookupError) as error:\n    {answer}\n"
    return loop


def _in_function(choices: Choices, draft: Draft) -> Placed:
    name = f"work{draft.number}"
    uses_rows = re.search(r"\brows\b", draft.origin.header + draft.origin.setup) is not None
    parameter = "rows" if uses_rows and choices.chance(60) else ""
    body = draft.before() + _surrounded(choices, draft, draft.loop()) + draft.show()
    given = ", ".join(draft.plain) or "None"
    call = f"result{draft.number} = {name}({parameter})\n"
    return f"def {name}({parameter}):\n{indent(body, '    ')}    return {given}\n\n\n{call}", (f"result{draft.number}",), ""


def _in_method(choices: Choices, draft: Draft) -> Placed:
    name, instance = f"Work{draft.number}", f"work{draft.number}"
    pieces_before = "".join(f"{piece.before}\n" for piece in draft.pieces if piece.before) or "pass\n"
    run = (draft.origin.setup + "\n" if draft.origin.setup else "") + _surrounded(choices, draft, draft.loop())
    methods = (("__init__", pieces_before), ("run", f"{run}return self\n"), ("report", draft.show() or "pass\n"))
    text = f"class {name}:\n" + "\n".join(f"    def {method}(self):\n{indent(body, ' ' * 8)}" for method, body in methods) + "\n\n"
    calls = choices.pick(
        [f"{instance} = {name}()\n{instance}.run()\n{instance}.report()\n", f"{instance} = {name}().run()\n{instance}.report()\n"]
    )
    if choices.chance(6):
        calls += f"{instance}.run()\n"
    return text + calls, tuple(plain.replace("self.", f"{instance}.") for plain in draft.plain), ""


def _in_step(choices: Choices, draft: Draft) -> Placed:
    name = f"step{draft.number}"
    given = {letter.lower(): text for letter, text in draft.fields.items()}
    parameters = [
        "k",
        "n",
        "x",
        "w",
        *([draft.origin.row] if draft.origin.row else []),
        *([draft.origin.index] if draft.origin.index.isidentifier() else []),
    ]
    arguments = [given.get(parameter, parameter) for parameter in parameters]
    own = sorted({name for name in draft.names if any(_is_bound(name, text) for text in draft.bodies)})
    body = (f"global {', '.join(own)}\n" if own else "") + "\n".join(draft.bodies)
    helper = f"def {name}({', '.join(parameters)}):\n{indent(body, '    ')}\n"
    loop = replace(draft, bodies=(f"{name}({', '.join(arguments)})",)).loop()
    return draft.before() + _surrounded(choices, draft, loop) + draft.show(), draft.plain, helper


def _is_bound(name: str, text: str) -> bool:
    return (
        re.search(
            rf"^\s*(?:[\w, ]*\b)?{name}\b[\w, ]*\s*(?:=|\+=|-=|\*=|\|=|&=|\^=)[^=]|\b{name} :=|\bfor {name} in|\bas {name}\b",
            text,
            re.MULTILINE,
        )
        is not None
    )


def _in_generator(choices: Choices, draft: Draft) -> Placed:
    name, result = f"produce{draft.number}", f"made{draft.number}"
    value = choices.pick(["{N}", "({K}, {N})"]).format(**draft.fields)
    body = draft.before() + draft.loop("\n".join([*draft.bodies, f"yield {value}"])) + draft.show()
    partly = f"    {result}.append(item)\n    if len({result}) > 12:\n        break\n"
    use = choices.pick([
        f"{result} = list({name}())\n",
        f"{result} = []\nfor item in {name}():\n    {result}.append(item)\n",
        f"source = {name}()\n{result} = [next(source, None)]\nfor item in source:\n{partly}",
        f"{result} = max({name}(), default=None)\n",
    ])  # fmt: skip
    return f"def {name}():\n{indent(body, '    ')}\n\n{use}", (result,), ""


def make_statements(choices: Choices, number: int, loaded: Loaded | None, table: Table) -> Part:
    """Statements around comprehensions of one source."""
    piece = choices.pick([piece for piece in EXPRESSIONS if _suits(piece, loaded)])
    origin = choose_iterable(choices, loaded, len(table.rows), needs_rows=bool(piece.flags))
    letters = {letter: f"{choices.pick(NAMES)}{number}{letter.lower()}" for letter in piece.fresh()}
    own = {"F": f"Part{number}" if "class F" in piece.helpers else f"part{number}", "G": f"SHARED{number}"}
    extra: set[str] = set()
    places = {**origin.fields, "T": origin.target, "S": origin.iterable, "L": "rows", "N": _number(choices, origin.fields, extra)}
    ready = piece.fill({**places, **letters, **own})
    helpers = [origin.helpers, *(SHARED_HELPERS[name] for name in sorted(extra)), ready.helpers]
    text = (origin.setup + "\n" if origin.setup else "") + ready.body + "\n" + (ready.show + "\n" if ready.show else "")
    names = tuple(letters[letter] for letter in piece.lasting()) if piece.is_plain else ()
    if choices.chance(20) and "random." not in text:
        text = (
            f"def stage{number}():\n{indent(text, '    ')}    return {', '.join(names) or 'None'}\n\n\nresult{number} = stage{number}()\n"
        )
        names = (f"result{number}",)
    return Part(
        text=text,
        helpers="\n\n".join(helper.strip("\n") for helper in helpers if helper),
        names=names,
        recipe=(piece.name,),
        is_last="last" in piece.flags,
    )


def _suits(piece: Piece, loaded: Loaded | None) -> bool:
    if not piece.flags:
        return True
    kinds = {
        "listrows": {"list"},
        "dictrows": {"dict"},
        "mutable": {"list", "dict"},
        "rows": {"list", "dict", "tuple"},
        "last": {"list", "dict", "tuple"},
    }
    return loaded is not None and all(loaded.row_kind in kinds[flag] for flag in piece.flags)
