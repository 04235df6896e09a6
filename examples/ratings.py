"""How often was each rating given, and when?  MovieLens-style ratings CSV."""
import csv
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone


@dataclass(frozen=True)
class Rating:
    user: int
    movie: int
    value: float
    when: datetime


def load(path):
    with open(path, newline="") as f:
        for record in csv.DictReader(f):
            yield Rating(
                user=int(record["user"]),
                movie=int(record["movie"]),
                value=float(record["rating"]),
                when=datetime.fromtimestamp(int(record["timestamp"]), tz=timezone.utc),
            )


def main(path):
    per_value = Counter()
    per_year = Counter()
    for rating in load(path):
        per_value[rating.value] += 1
        per_year[rating.when.year] += 1

    total = sum(per_value.values())
    with open("ratings_histogram.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["rating", "count", "share"])
        for value in sorted(per_value):
            writer.writerow([value, per_value[value], round(per_value[value] / total, 4)])

    for value in sorted(per_value, reverse=True):
        print(value, per_value[value], "#" * round(100 * per_value[value] / total))
    print("by year:", ", ".join(f"{year}: {per_year[year]}" for year in sorted(per_year)))
    print("ratings:", total)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "data/ratings.csv")
