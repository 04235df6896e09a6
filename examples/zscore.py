"""Standardise every column of a CSV: first pass for mean and deviation, second to write."""
import csv
import math
import sys


def first_pass(path):
    with open(path, newline="") as f:
        reader = csv.reader(f)
        names = next(reader)
        n = 0
        sums = [0.0] * len(names)
        squares = [0.0] * len(names)
        for row in reader:
            n += 1
            for j, cell in enumerate(row):
                value = float(cell)
                sums[j] += value
                squares[j] += value * value
    means = [s / n for s in sums]
    deviations = [math.sqrt(q / n - m * m) for q, m in zip(squares, means)]
    return names, means, deviations


def second_pass(path, target, means, deviations):
    with open(path, newline="") as f, open(target, "w", newline="") as g:
        reader = csv.reader(f)
        writer = csv.writer(g)
        writer.writerow(next(reader))
        for row in reader:
            writer.writerow([
                "%.4f" % ((float(cell) - mean) / deviation)
                for cell, mean, deviation in zip(row, means, deviations)
            ])


path = sys.argv[1] if len(sys.argv) > 1 else "data/measurements.csv"
names, means, deviations = first_pass(path)
for name, mean, deviation in zip(names, means, deviations):
    print(f"{name:<12} mean {mean:10.4f}  sd {deviation:10.4f}")
second_pass(path, "zscores.csv", means, deviations)
