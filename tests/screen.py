"""A terminal of a few lines, as a double: it knows the codes that a bar uses, and no others.

    screen.feed("one" + line_break + "two")     screen.lines == ["one", "two"], its cursor behind "two"
"""

from __future__ import annotations

import re

COLUMNS, ROWS = 60, 8


class Screen:
    """A terminal of a few lines that knows the codes which a bar uses; `lines` has what scrolled away, too."""

    def __init__(self) -> None:
        self.gone: list[str] = []
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self.bottom = ROWS - 1
        self.saved = (0, 0)

    @property
    def lines(self) -> list[str]:
        """Everything from the first line ever written, without blank ends."""
        text = "\n".join([*self.gone, *("".join(row).rstrip() for row in self.cells)])
        return text.rstrip().split("\n")

    def feed(self, text: str) -> None:
        """Take what a process wrote."""
        for code, letter in re.findall(r"(\x1b\[[\d;]*[A-Za-z]|\x1b[DM78])|(.)", text, re.DOTALL):
            if code:
                self._obey(code)
            elif letter == "\n":
                self.column = 0
                self._down()
            elif letter == "\r":
                self.column = 0
            else:
                self.cells[self.row][self.column] = letter
                self.column += 1

    def _obey(self, code: str) -> None:
        numbers = [int(number) for number in re.findall(r"\d+", code)]
        match code[1:].lstrip("[0123456789;"), numbers:
            case "D", []:
                self._down()
            case "M", []:
                assert self.row > 0
                self.row -= 1
            case "", [7]:
                self.saved = (self.row, self.column)
            case "", [8]:
                self.row, self.column = self.saved
            case "H", [row, column]:
                self.row, self.column = row - 1, column - 1
            case "K", [2]:
                self.cells[self.row] = [" "] * COLUMNS
            case "r", margins:
                self.bottom = margins[1] - 1 if margins else ROWS - 1
                self.row = self.column = 0
            case "m", _:
                pass
            case _:
                raise AssertionError(code)

    def _down(self) -> None:
        if self.row != self.bottom:
            self.row += 1
            return
        self.gone.append("".join(self.cells[0]).rstrip())
        del self.cells[0]
        self.cells.insert(self.bottom, [" "] * COLUMNS)
