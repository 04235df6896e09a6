"""The same, reading only the columns that are used: what each half of the ceiling runs."""

import sys

import pandas as pd

sales = pd.read_csv(sys.argv[1], usecols=["region", "channel", "units", "revenue"])
table = sales.groupby(["region", "channel"]).agg(
    sales=("units", "size"), units=("units", "sum"), revenue=("revenue", "sum"), mean=("revenue", "mean"), most=("revenue", "max")
)
table.to_csv("answer.csv")
