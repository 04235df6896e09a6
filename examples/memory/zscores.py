# z-scores of a CSV of measurements: one pass for means and deviations, one for the scores
import csv
import math
import sys


def read_table(path):
    table = []
    with open(path, newline="") as f:
        reader = csv.reader(f)
        header = next(reader)
        for row in reader:
            table.append([float(x) for x in row])
    return header, table


def column_moments(table, width):
    totals = [0.0] * width
    squares = [0.0] * width
    n = 0
    for row in table:
        n += 1
        for j in range(width):
            totals[j] += row[j]
            squares[j] += row[j] * row[j]
    means = [t / n for t in totals]
    deviations = [math.sqrt(s / n - m * m) for s, m in zip(squares, means)]
    return means, deviations


def main():
    header, table = read_table(sys.argv[1])
    means, deviations = column_moments(table, len(header))
    for name, mean, deviation in zip(header, means, deviations):
        print(f"{name:<6}{mean:12.5f}{deviation:12.5f}")

    scores = []
    for row in table:
        scores.append([(x - m) / d for x, m, d in zip(row, means, deviations)])

    with open("zscores.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(header)
        for score in scores:
            writer.writerow(["%.4f" % z for z in score])


if __name__ == "__main__":
    main()
