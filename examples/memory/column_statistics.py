"""Minimum, maximum, mean, deviation and share of negative numbers of each column of a table of numbers."""
import sys

data = []
for line in open(sys.argv[1]):
    data.append([float(cell) for cell in line.split()])

n_columns = len(data[0])
statistics = []
for j in range(n_columns):
    total = 0.0
    lowest = highest = data[0][j]
    negative = 0
    for row in data:
        x = row[j]
        total += x
        if x < lowest:
            lowest = x
        if x > highest:
            highest = x
        if x < 0:
            negative += 1
    mean = total / len(data)
    statistics.append((lowest, highest, mean, negative))

deviations = []
for j in range(n_columns):
    mean = statistics[j][2]
    deviations.append((sum((row[j] - mean) ** 2 for row in data) / len(data)) ** 0.5)

with open("statistics.csv", "w") as out:
    print("column,min,max,mean,deviation,negative", file=out)
    for j, (lowest, highest, mean, negative) in enumerate(statistics):
        print(j, lowest, highest, mean, deviations[j], negative, sep=",", file=out)

print(len(data), "rows of", n_columns)
