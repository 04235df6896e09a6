import csv
import sys

source = sys.argv[1] if len(sys.argv) > 1 else "data/weather.csv"

count = 0
total = 0.0
hottest = float("-inf")
stations = {}

with open(source, newline="") as infile, open("fahrenheit.csv", "w", newline="") as outfile:
    writer = csv.writer(outfile)
    writer.writerow(["station", "fahrenheit"])
    for row in csv.DictReader(infile):
        celsius = float(row["celsius"])
        count += 1
        total += celsius
        hottest = max(hottest, celsius)
        stations[row["station"]] = stations.get(row["station"], 0) + 1
        writer.writerow([row["station"], f"{celsius * 9 / 5 + 32:.1f}"])

print("stations", len(stations))
print("count   ", count)
print("sum     ", round(total, 1))
print("mean    ", round(total / count, 3))
print("max     ", hottest)
