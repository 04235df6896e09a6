"""Edge detection: Sobel gradient magnitude of every 28x28 image in a CSV."""
import csv
import sys

path = sys.argv[1] if len(sys.argv) > 1 else "data/fashion.csv"
SIZE = 28
GX = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
GY = [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]


def sobel(pixels):
    edges = [0] * (SIZE * SIZE)
    for y in range(1, SIZE - 1):
        for x in range(1, SIZE - 1):
            gx = 0
            gy = 0
            for dy in range(3):
                for dx in range(3):
                    p = pixels[(y + dy - 1) * SIZE + x + dx - 1]
                    gx += GX[dy][dx] * p
                    gy += GY[dy][dx] * p
            edges[y * SIZE + x] = round((gx * gx + gy * gy) ** 0.5)
    return edges


with open(path, newline="") as f:
    reader = csv.reader(f)
    header = next(reader)
    results = []
    for row in reader:
        label = row[0]
        pixels = [int(v) for v in row[1:]]
        results.append([label] + sobel(pixels))

with open("edges.csv", "w", newline="") as f:
    writer = csv.writer(f)
    writer.writerow(["label"] + ["edge%d" % i for i in range(1, SIZE * SIZE + 1)])
    for result in results:
        writer.writerow(result)

print("images:", len(results))
