#!/usr/bin/env python3
"""Smooth images with a 3x3 mean filter.

Input: CSV with a header, one image per row: label, then 28*28 pixels.
"""
import argparse
import csv

WIDTH = 28
HEIGHT = 28


def read_images(path):
    """Return a list of (label, grid) pairs, a grid being a list of rows."""
    images = []
    with open(path, newline="") as handle:
        rows = csv.reader(handle)
        next(rows)
        for label, *values in rows:
            numbers = list(map(int, values))
            grid = [numbers[k:k + WIDTH] for k in range(0, WIDTH * HEIGHT, WIDTH)]
            images.append((int(label), grid))
    return images


def neighbourhood_mean(grid, y, x):
    total = 0
    count = 0
    for row in grid[max(y - 1, 0):y + 2]:
        part = row[max(x - 1, 0):x + 2]
        total += sum(part)
        count += len(part)
    return total // count


def smooth(grid):
    return [[neighbourhood_mean(grid, y, x) for x in range(WIDTH)] for y in range(HEIGHT)]


def write_images(path, images):
    with open(path, "w", newline="") as handle:
        out = csv.writer(handle)
        out.writerow(["label", *(f"pixel{n}" for n in range(1, WIDTH * HEIGHT + 1))])
        for label, grid in images:
            out.writerow([label, *(value for row in grid for value in row)])


def main():
    parser = argparse.ArgumentParser(description="3x3 mean smoothing")
    parser.add_argument("images", nargs="?", default="data/fashion.csv")
    parser.add_argument("-o", "--output", default="smooth.csv")
    args = parser.parse_args()

    images = read_images(args.images)
    smoothed = [(label, smooth(grid)) for label, grid in images]
    write_images(args.output, smoothed)
    print(f"smoothed {len(smoothed)} images into {args.output}")


if __name__ == "__main__":
    main()
