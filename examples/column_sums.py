"""Monthly totals of a sales table (shop, then one amount per month), exact to the cent."""
import sys
from decimal import Decimal

path = sys.argv[1] if len(sys.argv) > 1 else "data/sales.csv"

with open(path) as f:
    lines = f.read().splitlines()

names = lines[0].split(",")[1:]
totals = [Decimal(0)] * len(names)
for line in lines[1:]:
    cells = line.split(",")[1:]
    totals = [total + Decimal(cell) for total, cell in zip(totals, cells)]

with open("column_sums.csv", "w") as out:
    print("column,sum", file=out)
    for name, total in zip(names, totals):
        print(f"{name},{total}", file=out)
        print(f"{name:<8} {total:>16,}")
print("all     ", f"{sum(totals):>16,}")
