"""k-means clustering, written out by hand."""
import argparse
import csv

parser = argparse.ArgumentParser()
parser.add_argument("points", nargs="?", default="data/points.csv")
parser.add_argument("-k", type=int, default=5)
parser.add_argument("--iterations", type=int, default=8)


def distance2(p, q):
    return (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2


def nearest(point, centers):
    best = 0
    best_distance = distance2(point, centers[0])
    for i in range(1, len(centers)):
        d = distance2(point, centers[i])
        if d < best_distance:
            best = i
            best_distance = d
    return best


def main():
    args = parser.parse_args()

    points = []
    with open(args.points, newline="") as f:
        for row in csv.DictReader(f):
            points.append((float(row["x"]), float(row["y"])))

    # spread the starting centers over the file
    centers = [points[i * len(points) // args.k] for i in range(args.k)]

    for iteration in range(args.iterations):
        sums = [[0.0, 0.0, 0] for _ in centers]
        inertia = 0.0
        for point in points:
            c = nearest(point, centers)
            sums[c][0] += point[0]
            sums[c][1] += point[1]
            sums[c][2] += 1
            inertia += distance2(point, centers[c])
        centers = [
            (sx / n, sy / n) if n else old
            for (sx, sy, n), old in zip(sums, centers)
        ]
        print(f"iteration {iteration + 1}: inertia {inertia:.3f}")

    with open("centers.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["x", "y", "size"])
        for (x, y), (_, _, n) in sorted(zip(centers, sums)):
            writer.writerow([f"{x:.6f}", f"{y:.6f}", n])


if __name__ == "__main__":
    main()
