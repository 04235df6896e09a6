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

WRITING_CALLS = frozenset({
    "print", "write", "writelines", "writerow", "writerows", "dump", "to_csv", "to_parquet", "to_pickle", "save", "savefig", "savetxt",
    "log", "info", "warning", "error", "debug", "warn", "mkdir", "makedirs", "remove", "rename", "unlink"
})  # fmt: skip
"""Calls that leave something outside of the process."""

NAMESPACE_CALLS = frozenset({"locals", "globals", "exec", "eval", "vars", "breakpoint", "__import__", "dir", "_getframe"})
"""Calls that read or bind names without spelling them."""

LOOKING_CALLS = frozenset({
    "len", "int", "float", "str", "bool", "abs", "round", "sum", "min", "max", "repr", "ord", "hash", "isinstance", "any", "all", "divmod",
    "pow", "complex", "format", "print"
})  # fmt: skip
"""Built-in functions whose result is no way into a collection of plain values that they were given."""

LOOKING_METHODS = frozenset({
    "sum", "mean", "min", "max", "argmax", "argmin", "std", "var", "any", "all", "prod", "reduce", "histogram", "bincount", "dot", "sqrt",
    "exp", "log", "count_nonzero", "median", "percentile", "strip", "split", "lower", "upper", "startswith", "endswith", "replace", "count",
    "index", "join", "format", "isdigit", "isalpha", "title", "encode", "find"
})  # fmt: skip
"""Methods, and functions of libraries, of the same kind."""

CLOCK_CALLS = frozenset({"time", "time_ns", "perf_counter", "monotonic", "process_time", "now", "utcnow", "today"})
"""Calls whose answers must come in the order of the rows."""

FILE_TESTS = frozenset({
    "exists", "isfile", "isdir", "listdir", "glob", "iglob", "rglob", "iterdir", "scandir", "stat", "getsize", "getmtime", "is_file",
    "is_dir", "walk", "access", "lexists"
})  # fmt: skip
"""Calls that ask what files there are."""

FILE_MAKERS = frozenset({
    "open", "write_text", "write_bytes", "to_csv", "to_parquet", "to_pickle", "to_json", "save", "savez", "savetxt", "savefig", "tofile",
    "rename", "remove", "unlink", "mkdir", "makedirs", "copy", "copyfile", "copy2", "move", "replace", "rmtree", "rmdir", "touch", "link",
    "symlink", "run", "system", "Popen", "check_call", "check_output", "call", "flush", "truncate", "NamedTemporaryFile", "mkstemp"
})  # fmt: skip
"""Calls that may make a file, change one, or take one away."""

DECIMAL_CONTEXTS = frozenset({"getcontext", "setcontext", "localcontext", "DefaultContext", "BasicContext", "ExtendedContext"})
"""What shows or sets how decimal numbers are rounded, for the whole process."""
