#!/usr/bin/env python3
"""How many sensor readings exceed a threshold, and what is their mean?"""
import argparse


def values(lines):
    next(lines)
    for line in lines:
        time, sensor, value = line.rstrip("\n").split(",")
        if value == "":
            continue  # sensor was offline
        yield float(value)


ap = argparse.ArgumentParser()
ap.add_argument("readings", nargs="?", default="data/sensors.csv")
ap.add_argument("--threshold", type=float, default=75.0)
args = ap.parse_args()

n_all = n_above = 0
sum_above = 0.0
with open(args.readings) as f:
    for v in values(f):
        n_all += 1
        if v > args.threshold:
            n_above += 1
            sum_above += v

mean = sum_above / n_above if n_above else float("nan")
report = f"{n_above} of {n_all} readings above {args.threshold}, their mean is {mean:.3f}"
print(report)
with open("threshold.txt", "w") as f:
    f.write(report + "\n")
