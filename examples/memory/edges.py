"""Smooth every 28x28 image of a CSV, then find its edges."""
import csv
import sys

SIDE = 28


def load(path):
    with open(path, newline="") as f:
        rows = list(csv.reader(f))
    return rows[1:]


def to_image(cells):
    return [[int(v) for v in cells[i * SIDE:(i + 1) * SIDE]] for i in range(SIDE)]


def smooth(image):
    out = []
    for above, row, below in zip(image, image[1:], image[2:]):
        column = [a + 2 * b + c for a, b, c in zip(above, row, below)]
        out.append([(a + 2 * b + c) // 16 for a, b, c in zip(column, column[1:], column[2:])])
    return out


def sobel(image):
    out = []
    for above, row, below in zip(image, image[1:], image[2:]):
        down = [c - a for a, c in zip(above, below)]
        along = [a + 2 * b + c for a, b, c in zip(above, row, below)]
        gy = [a + 2 * b + c for a, b, c in zip(down, down[1:], down[2:])]
        gx = [c - a for a, c in zip(along, along[2:])]
        out.append([abs(x) + abs(y) for x, y in zip(gx, gy)])
    return out


rows = load(sys.argv[1])

results = []
for row in rows:
    edges = sobel(smooth(to_image(row[1:])))
    results.append([row[0]] + [v for line in edges for v in line])

with open("edges.csv", "w", newline="") as f:
    writer = csv.writer(f)
    for result in results:
        writer.writerow(result)

print("images:", len(results))
