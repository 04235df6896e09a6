"""The same, reading only the columns that are used: what each half of the ceiling runs."""

import sys

import pandas as pd

sales = pd.read_csv(sys.argv[1], usecols=["units", "revenue", "discount", "day"])
large = sales[sales["units"] > 20].copy()  # noqa: PLR2004 - a script as people write it
large["net"] = large["revenue"] * (1 - large["discount"])

pd.DataFrame({
    "sales": [len(large)],
    "net": [large["net"].sum()],
    "mean_net": [large["net"].mean()],
    "largest": [large["net"].max()],
    "first_day": [large["day"].min()],
}).to_csv("answer.csv", index=False)
