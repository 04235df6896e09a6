"""Number of ratings, users and the mean age of a rating, for each value given (MovieLens columns)."""
import csv
import sys

NOW = 1_600_000_000


def read_ratings(filename):
    ratings = []
    with open(filename, newline="") as f:
        for record in csv.DictReader(f):
            ratings.append({
                "user": int(record["userId"]),
                "movie": int(record["movieId"]),
                "value": record["rating"],
                "time": int(record["timestamp"]),
            })
    return ratings


def group_by_value(ratings):
    groups = {}
    for rating in ratings:
        key = rating["value"]
        if key not in groups:
            groups[key] = [0, 0, 0]
        groups[key][0] += 1
        groups[key][1] += NOW - rating["time"]
        groups[key][2] = max(groups[key][2], rating["movie"])
    return groups


ratings = read_ratings(sys.argv[1])
groups = group_by_value(ratings)

with open("ratings_by_value.txt", "w") as out:
    for value in sorted(groups):
        count, age, movie = groups[value]
        out.write(f"{value} {count} {age / count / 86400:.3f} {movie}\n")

print(len(ratings), "ratings,", len(groups), "values")
