"""Join every receipt with its store (stores.csv, beside the receipts) and sum up by city."""
import os
import sys

import pandas as pd


def load(path):
    receipts = pd.read_csv(path)
    stores = pd.read_csv(os.path.join(os.path.dirname(path), "stores.csv"))
    return receipts, stores


def summarise(joined):
    joined["per_item"] = joined["amount"] / joined["items"]
    summary = joined.groupby("city").agg(
        receipts=("amount", "count"),
        amount=("amount", "sum"),
        items=("items", "sum"),
        per_item=("per_item", "mean"),
        most=("amount", "max"),
    )
    return summary


receipts, stores = load(sys.argv[1])
joined = receipts.merge(stores, on="store", how="left")
summary = summarise(joined)
summary.to_csv("cities.csv")
print("receipts without a store:", joined["city"].isna().sum())
print(summary.head(10).to_string())
