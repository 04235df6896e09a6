import sys
import pandas as pd


def main():
    df = pd.read_csv(sys.argv[1])
    by_region = df.groupby(["region", "channel"])[["units", "revenue"]].sum()
    by_region["mean_discount"] = df.groupby(["region", "channel"])["discount"].mean()
    by_region = by_region.reset_index().sort_values(["region", "channel"])
    by_region.to_csv("sales_by_region.csv", index=False)
    print(by_region.to_string())
    print(df["units"].sum())


if __name__ == "__main__":
    main()
