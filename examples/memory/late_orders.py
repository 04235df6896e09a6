"""Turnover and delay of the orders that came late."""
import sys

import pandas as pd

orders = pd.read_csv(sys.argv[1])
late = orders[orders["shipped_day"] > orders["due_day"]].copy()
late["delay"] = late["shipped_day"] - late["due_day"]
late["turnover"] = late["quantity"] * late["price"] * (1 - late["discount"])

print("late orders:", len(late))
print("days late, mean:", round(late["delay"].mean(), 4))
print("days late, most:", late["delay"].max())
print("turnover:", round(late["turnover"].sum(), 2))
print("largest order:", round(late["turnover"].max(), 2))

summary = late.groupby("priority").agg(orders=("delay", "size"), delay=("delay", "mean"), turnover=("turnover", "sum"))
summary.to_csv("late_orders.csv")
