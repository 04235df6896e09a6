"""Write the input of one example at any size, from fixed seeds.

    python make_inputs.py word_counts text.txt --bytes 500MB
    python make_inputs.py stores_joined receipts.csv --bytes 2GB      (writes stores.csv beside it)

Two runs write the same bytes, and a smaller file is the beginning of a larger one. The last line is whole, so a file ends within
one line of the size asked for. NumPy draws and Arrow turns to text, a block at a time: 30 to 80 MB/s.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BLOCK_ROWS = 50_000
SIDE = 28
UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
Draw = np.random.Generator
Column = Any
"""An Arrow array of strings, or a constant string."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """How the input of one example is drawn."""

    header: str
    """Its first line with the line's end; empty for none."""
    block: Callable[[Draw, int], bytes]
    """Text of some rows, of which the first has this number."""
    block_rows: int = BLOCK_ROWS
    beside: tuple[str, Callable[[], str]] | None = None
    """The name and the text of a small file that lies beside the input."""


def main() -> None:
    """Write one input."""
    parser = argparse.ArgumentParser(description="Write the input of an example at any size.")
    parser.add_argument("name", choices=sorted(INPUTS))
    parser.add_argument("out", type=Path)
    parser.add_argument("--bytes", type=parse_bytes, default=10**6, help="say 500000, 500KB, 1.5GB or 384MiB")
    options = parser.parse_args()
    write_input(options.name, options.out, options.bytes)


def parse_bytes(text: str) -> int:
    """A number of bytes with a unit or without one."""
    found = re.fullmatch(r"([\d_.]+) *(KB|MB|GB|KIB|MIB|GIB|)", text.upper())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes")
    return round(float(found[1]) * UNITS[found[2]])


def write_input(name: str, out: Path, size_bytes: int) -> None:
    """Write the input of an example; at least one row."""
    made = INPUTS[name]
    seed = sorted(INPUTS).index(name)
    written = len(made.header)
    number = 0
    with out.open("wb") as file:
        file.write(made.header.encode())
        while written < size_bytes or number == 0:
            text = made.block(np.random.default_rng([seed, number]), number * made.block_rows)
            room = max(size_bytes - written, 1)
            end = len(text) if len(text) <= room else text.find(b"\n", room - 1) + 1
            written += file.write(text[:end])
            number += 1
    if made.beside:
        out.with_name(made.beside[0]).write_text(made.beside[1](), encoding="ascii", newline="")


# Columns of text.


def text_of(values: np.ndarray) -> Column:
    """Numbers as text; floats as `repr` gives them."""
    return pa.array(values).cast(pa.string())


def decimals(hundredths: np.ndarray) -> Column:
    """Numbers at least 0, given in hundredths, with two decimals."""
    return pc.binary_join_element_wise(text_of(hundredths // 100), padded(hundredths % 100, 2), ".")


def padded(values: np.ndarray, width: int) -> Column:
    """Numbers at least 0 with leading zeros."""
    return pc.utf8_lpad(text_of(values), width, "0")


def chosen(words: Sequence[str], numbers: np.ndarray) -> Column:
    """Words by their numbers."""
    return pa.array(list(words)).take(pa.array(numbers))


def lines_of(separator: str, *columns: Column) -> bytes:
    """Columns as lines: joined, with the line's end, one behind the other."""
    rows = pc.binary_join_element_wise(*columns, separator)
    return letters_of(pc.binary_join_element_wise(rows, "\n", ""))


def letters_of(strings: Any) -> bytes:
    """All strings of an array one behind the other, which is how Arrow holds them."""
    begin = strings.offset
    ends = np.frombuffer(strings.buffers()[1], dtype=np.int32)
    return bytes(strings.buffers()[2][ends[begin] : ends[begin + len(strings)]])


def made_words(count: int) -> list[str]:
    """Different pronounceable words, the short ones first."""
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    words: list[str] = list(syllables)
    for word in words:  # which grows meanwhile
        if len(words) >= count:
            break
        words += [word + syllable for syllable in syllables]
    return words[:count]


WORDS = made_words(40_000)
COUNTRIES = ("AT", "BR", "CA", "CH", "DE", "ES", "FR", "GB", "IN", "JP", "MX", "NG", "PL", "US")
REGIONS = ("north", "south", "east", "west", "centre", "coast")
CHANNELS = ("shop", "web", "phone", "partner")
CITIES = tuple(word.capitalize() for word in WORDS[3000:3120])
STORES = 1800
HOUR_SECONDS = 3600


# The inputs.


def images(draw: Draw, _: int) -> bytes:
    """A label and 784 pixels: bright blobs on a dark ground."""
    count = IMAGE_BLOCK_ROWS
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    middles = draw.uniform(8, 20, (2, count, 1, 1))
    distance = np.hypot(y[None] - middles[0], x[None] - middles[1])
    shade = draw.uniform(0.6, 1, (count, 1, 1)) * 255 * np.exp(-((distance / draw.uniform(4, 9, (count, 1, 1))) ** 2))
    pixels = np.clip(shade + draw.normal(0, 6, shade.shape), 0, 255).astype(np.int16).reshape(count, -1)
    cells = np.column_stack([draw.integers(0, 10, count), pixels])
    cells[:, -1] += 256  # the second half of the words ends a line
    return letters_of(chosen([f"{n}," for n in range(256)] + [f"{n}\n" for n in range(256)], cells.ravel()))


def measurements(draw: Draw, _: int) -> bytes:
    """Ten columns of numbers with three decimals."""
    values = draw.normal(np.arange(10) * 7.5, 1 + np.arange(10), (BLOCK_ROWS, 10))
    return lines_of(",", *(text_of(column) for column in values.round(3).T))


def ratings(draw: Draw, _: int) -> bytes:
    """MovieLens' columns."""
    users, movies = draw.integers(1, 160_000, BLOCK_ROWS), (draw.pareto(1.1, BLOCK_ROWS) * 50).astype(int) % 60_000 + 1
    values = draw.binomial(9, 0.62, BLOCK_ROWS) + 1
    times = draw.integers(800_000_000, 1_600_000_000, BLOCK_ROWS)
    stars = chosen([f"{n / 2}" for n in range(11)], values)
    return lines_of(",", text_of(users), text_of(movies), stars, text_of(times))


def requests(draw: Draw, first: int) -> bytes:
    """A web server's log with the milliseconds of each answer."""
    n = BLOCK_ROWS
    octets = [text_of(draw.integers(1, 255, n)) for _ in range(4)]
    seconds = (first + np.arange(n)) // 40
    clock = [padded(seconds // HOUR_SECONDS % 24, 2), padded(seconds // 60 % 60, 2), padded(seconds % 60, 2)]
    day = padded(1 + seconds // (24 * HOUR_SECONDS) % 28, 2)
    when = pc.binary_join_element_wise("[", day, "/Mar/2026:", pc.binary_join_element_wise(*clock, ":"), " +0000]", "")
    path = pc.binary_join_element_wise("/", chosen(WORDS, draw.integers(70, 900, n)), "/", chosen(WORDS, draw.integers(0, 40_000, n)), "")
    request = pc.binary_join_element_wise(chosen(['"GET', '"POST'], draw.binomial(1, 0.2, n)), path, 'HTTP/1.1"', " ")
    status = text_of(draw.choice([200, 204, 304, 404, 500, 503], n, p=[0.8, 0.05, 0.08, 0.05, 0.015, 0.005]))
    sizes, millis = text_of(draw.integers(120, 90_000, n)), text_of((draw.pareto(1.6, n) * 40 + 1).astype(int))
    return lines_of(" ", pc.binary_join_element_wise(*octets, "."), "-", "-", when, request, status, sizes, millis)


def words(draw: Draw, _: int) -> bytes:
    """Lines of about twelve words, some far more common than others."""
    count = 12 * BLOCK_ROWS
    numbers = np.minimum((draw.pareto(0.7, count) * 20).astype(np.int64), draw.integers(0, len(WORDS), count))
    ends = draw.choice(3, count, p=[0.82, 0.10, 0.08])
    return letters_of(pc.binary_join_element_wise(chosen(WORDS, numbers), chosen([" ", ", ", ".\n"], ends), ""))


def events(draw: Draw, first: int) -> bytes:
    """One JSON object a line: nested, with parts that some lack."""
    n = BLOCK_ROWS
    kinds = draw.integers(0, 4, n)
    tags = [chosen(WORDS, draw.integers(0, 200, n)) for _ in range(2)]
    head = ['{"id": ', text_of(first + np.arange(n)), ', "at": ', text_of(1_700_000_000 + (first + np.arange(n)) // 7), ', "kind": "']
    names, countries = chosen(WORDS, draw.integers(0, 30_000, n)), chosen(COUNTRIES, draw.integers(0, 14, n))
    user = ['", "user": {"name": "', names, '", "country": "', countries]
    tail = ['"}, "tags": ["', tags[0], '", "', tags[1], '"]']
    bought = ['"item": "', chosen(WORDS, draw.integers(0, 5_000, n)), '", "quantity": ', text_of(draw.integers(1, 9, n)), ', "price": ']
    order = pc.binary_join_element_wise(', "order": {', *bought, decimals(draw.integers(99, 99_999, n)), "}", "")
    order = pc.if_else(pa.array(kinds == 0), order, "")
    return lines_of("", *head, chosen(("order", "view", "search", "login"), kinds), *user, *tail, order, "}")


def readings(draw: Draw, first: int) -> bytes:
    """Voltages of sensors, some of them not to be believed."""
    n = BLOCK_ROWS
    sensors = pc.binary_join_element_wise("s", padded(draw.integers(0, 5000, n), 4), "")
    volts = text_of(draw.normal(2.5, 1.2, n).round(4))
    states = chosen(("ok", "weak", "lost"), draw.choice(3, n, p=[0.9, 0.08, 0.02]))
    return lines_of(";", sensors, text_of(first + np.arange(n)), volts, text_of(draw.normal(21, 4, n).round(2)), states)


def numbers(draw: Draw, _: int) -> bytes:
    """Twelve columns of numbers with four decimals between blanks."""
    values = draw.normal(np.linspace(-3, 3, 12), 2.0, (BLOCK_ROWS, 12))
    return lines_of(" ", *(text_of(column) for column in values.round(4).T))


def orders(draw: Draw, first: int) -> bytes:
    """Orders: ten columns, of which the example uses six."""
    n = BLOCK_ROWS
    due = draw.integers(18_000, 20_500, n)
    shipped = due + draw.integers(-20, 12, n)
    comment = pc.binary_join_element_wise(*(chosen(WORDS, draw.integers(0, 40_000, n)) for _ in range(3)), " ")
    return lines_of(
        ",", text_of(first + np.arange(n)), chosen(WORDS, draw.integers(0, 9000, n)), text_of(due), text_of(shipped),
        text_of(draw.integers(1, 50, n)), decimals(draw.integers(100, 200_000, n)), decimals(draw.integers(0, 11, n)),
        chosen(("1-urgent", "2-high", "3-medium", "4-low", "5-none"), draw.integers(0, 5, n)), comment,
        chosen(COUNTRIES, draw.integers(0, 14, n)),
    )  # fmt: skip


def sales(draw: Draw, first: int) -> bytes:
    """Sales: ten columns, of which the example uses five."""
    n = BLOCK_ROWS
    return lines_of(
        ",", text_of(first + np.arange(n)), text_of(draw.integers(18_000, 20_500, n)), chosen(REGIONS, draw.integers(0, 6, n)),
        chosen(CHANNELS, draw.integers(0, 4, n)), chosen(WORDS, draw.integers(0, 20_000, n)), chosen(WORDS, draw.integers(0, 3_000, n)),
        text_of(draw.integers(1, 40, n)), decimals(draw.integers(100, 500_000, n)), decimals(draw.integers(0, 31, n)),
        chosen(COUNTRIES, draw.integers(0, 14, n)),
    )  # fmt: skip


def prices(draw: Draw, first: int) -> bytes:
    """Products with their prices."""
    n = BLOCK_ROWS
    net = draw.integers(100, 50_000, n)
    cost = (net * draw.uniform(0.5, 1.0, n)).astype(np.int64)
    product = pc.binary_join_element_wise(chosen(WORDS, draw.integers(0, 40_000, n)), chosen(WORDS, draw.integers(0, 900, n)), " ")
    brand, stock = chosen(WORDS, draw.integers(100, 700, n)), text_of(draw.integers(0, 300, n))
    return lines_of(",", text_of(first + np.arange(n)), brand, product, decimals(net), decimals(cost), stock)


def receipts(draw: Draw, first: int) -> bytes:
    """Receipts with the number of their store; of some the store is not known."""
    n = BLOCK_ROWS
    items = draw.integers(1, 30, n)
    stores = text_of(draw.integers(1, STORES + 20, n))
    till, clerk = text_of(draw.integers(1, 15, n)), chosen(WORDS, draw.integers(0, 6000, n))
    return lines_of(",", text_of(first + np.arange(n)), stores, till, clerk, text_of(items), decimals(items * draw.integers(50, 4_000, n)))


def store_list() -> str:
    """The stores: number, city, square metres."""
    draw = np.random.default_rng(99)
    cities, sizes = draw.integers(0, len(CITIES), STORES), draw.integers(80, 4000, STORES)
    rows = [f"{n + 1},{CITIES[cities[n]]},{sizes[n]}\n" for n in range(STORES)]
    return "".join(["store,city,square_metres\n", *rows])


IMAGE_BLOCK_ROWS = 1000
INPUTS = {
    "edges": Input(header="label," + ",".join(f"p{n}" for n in range(784)) + "\n", block=images, block_rows=IMAGE_BLOCK_ROWS),
    "zscores": Input(header=",".join(f"m{n}" for n in range(10)) + "\n", block=measurements),
    "rating_counts": Input(header="userId,movieId,rating,timestamp\n", block=ratings),
    "slowest_requests": Input(header="", block=requests),
    "word_counts": Input(header="", block=words),
    "events_to_csv": Input(header="", block=events),
    "good_readings": Input(header="sensor;second;volts;celsius;state\n", block=readings),
    "column_statistics": Input(header="", block=numbers),
    "late_orders": Input(header="order,customer,due_day,shipped_day,quantity,price,discount,priority,comment,country\n", block=orders),
    "sales_by_region": Input(header="sale,day,region,channel,customer,product,units,revenue,discount,country\n", block=sales),
    "price_list": Input(header="number,brand,product,net,cost,stock\n", block=prices),
    "stores_joined": Input(header="receipt,store,till,clerk,items,amount\n", block=receipts, beside=("stores.csv", store_list)),
}

if __name__ == "__main__":
    main()
