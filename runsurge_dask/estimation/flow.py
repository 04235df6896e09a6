"""What flows between blocks: which names a block needs from before, and which it makes for later.

    data = load(path)       makes {data}, because block 2 reads it
    best = max(data)        needs {data}, makes {best}
    print(best)             needs {best}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runsurge_dask.analysis.functions import names_read

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

    from runsurge_dask.ir.program import Block


class Flow:
    """By the number of a block: names that it reads, and names that it binds or changes and that are read later."""

    def __init__(self, blocks: Sequence[Block], tree: ast.Module) -> None:
        reads = names_read(tree)
        self.needed: dict[int, frozenset[str]] = {}
        self.made: dict[int, frozenset[str]] = {}
        self.touched: dict[int, frozenset[str]] = {}
        for number, block in enumerate(blocks, 1):
            called = (reads[name] for name in block.uses if name in reads)
            is_definition = block.statements[0].startswith(("def ", "class ", "async def ", "@"))
            self.needed[number] = frozenset() if is_definition else block.uses.union(*called)
            self.touched[number] = self.needed[number] | block.defs
        later: frozenset[str] = frozenset()
        for number in range(len(blocks), 0, -1):
            self.made[number] = blocks[number - 1].defs & later
            later |= self.needed[number]
