"""Sales of more than two units with what they brought in, as a file: pandas as most people write it."""

import sys

import pandas as pd

sales = pd.read_csv(sys.argv[1])
sales = sales[sales["units"] > 2].copy()  # noqa: PLR2004 - a script as people write it
sales["net"] = sales["revenue"] * (1 - sales["discount"])
sales["each"] = sales["net"] / sales["units"]
sales["place"] = sales["country"] + "-" + sales["region"]
sales.to_csv("answer.csv", index=False)
