# Add gross prices and margins to a price list.
import pandas as pd
import sys

df = pd.read_csv(sys.argv[1])
df["gross"] = (df["net"] * 1.19).round(2)
df["margin"] = ((df["net"] - df["cost"]) / df["net"]).round(4)
df["label"] = df["brand"].str.upper() + " " + df["product"]
df["is_bargain"] = (df["margin"] < 0.1) & (df["stock"] > 0)
df.to_csv("price_list.csv", index=False)
print(len(df), "products")
