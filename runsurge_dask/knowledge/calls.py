"""What calls do to the split of the code around them.

Each table is one question. A name that stands in none of them is unknown, and unknown is not trusted: its effects are then
watched while a chunk runs (see `runner.chunk`).
"""

from __future__ import annotations

CONSUMERS = frozenset({
    "list", "tuple", "sorted", "frozenset", "deque", "fsum", "OrderedDict", "join", "writelines", "writerows", "array", "Series", "mean",
    "median", "stdev", "pstdev", "fmean", "nlargest", "nsmallest", "set", "dict", "reduce"
})  # fmt: skip
"""Calls that take every element of an iterable argument once, in order, before anything else happens."""

REDUCING_BUILTINS = frozenset({"sum", "min", "max", "any", "all", "Counter"})
"""Calls of one iterable whose partial values can be joined."""

MUTATORS = frozenset(
    {
        "append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "add", "discard", "update", "popitem", "setdefault",
        "appendleft", "extendleft", "popleft", "rotate", "subtract", "intersection_update", "difference_update",
        "symmetric_difference_update",
        "move_to_end", "fill", "put", "partition", "resize", "itemset", "push", "send", "throw", "seed", "shuffle",
    }
)  # fmt: skip
"""Methods that change their receiver."""

CARRYING_CALLS = frozenset({
    "next", "heappush", "heappop", "heappushpop", "heapreplace", "heapify", "insort", "insort_left", "insort_right", "shuffle", "setattr",
    "delattr"
})  # fmt: skip
"""Functions that change their first argument."""

FRAME_CALLS = frozenset({"locals", "globals", "exec", "eval", "vars", "breakpoint", "__import__", "super", "dir", "input", "exit", "quit"})
"""Calls that see or change the frame they stand in, or the process."""

REACHING_CALLS = frozenset({"globals", "exec", "eval", "_getframe"})
"""Calls that can change names around a function without spelling them."""

SEEDING_CALLS = frozenset({"seed", "setstate", "set_state"})

READING_METHODS = frozenset({"readline", "readlines", "read", "readinto", "seek", "tell", "__next__"})
"""Methods that move the position of a file."""
