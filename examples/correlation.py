"""Correlation matrix of the numeric columns of a CSV, from sums and sums of products."""
import csv
import sys
from math import sqrt

with open(sys.argv[1] if len(sys.argv) > 1 else "data/measurements.csv", newline="") as f:
    reader = csv.reader(f)
    names = next(reader)
    rows = [[float(x) for x in row] for row in reader]

n = len(rows)
k = len(names)

sums = [0.0] * k
products = [[0.0] * k for _ in range(k)]
for row in rows:
    for i in range(k):
        sums[i] += row[i]
        for j in range(i, k):
            products[i][j] += row[i] * row[j]

matrix = [[1.0] * k for _ in range(k)]
for i in range(k):
    for j in range(i + 1, k):
        covariance = products[i][j] - sums[i] * sums[j] / n
        variance_i = products[i][i] - sums[i] ** 2 / n
        variance_j = products[j][j] - sums[j] ** 2 / n
        matrix[i][j] = matrix[j][i] = covariance / sqrt(variance_i * variance_j)

with open("correlation.csv", "w", newline="") as f:
    writer = csv.writer(f)
    writer.writerow([""] + names)
    for name, line in zip(names, matrix):
        writer.writerow([name] + [f"{value:.6f}" for value in line])

print(" " * 12 + "".join(f"{name[:9]:>10}" for name in names))
for name, line in zip(names, matrix):
    print(f"{name:<12}" + "".join(f"{value:10.3f}" for value in line))
