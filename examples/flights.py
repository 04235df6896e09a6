"""Which airlines are late?  Flights out of New York in 2013."""
import sys

import pandas as pd

path = sys.argv[1] if len(sys.argv) > 1 else "data/flights.csv"

flights = pd.read_csv(path)
flown = flights.dropna(subset=["dep_delay", "arr_delay"])

delays = flown.groupby("carrier")[["dep_delay", "arr_delay"]].mean().sort_values("arr_delay")
print(delays.round(2).to_string())

late = flown[flown["arr_delay"] > 15]
print()
print("flights:   ", len(flights))
print("cancelled: ", len(flights) - len(flown))
print("late share:", round(len(late) / len(flown), 4))

very_late = flown[(flown["arr_delay"] > 60) & (flown["distance"] > 500)].copy()
very_late["speed"] = (very_late["distance"] / (very_late["air_time"] / 60)).round(1)
columns = ["month", "day", "carrier", "flight", "origin", "dest", "arr_delay", "speed"]
very_late[columns].to_csv("late_flights.csv", index=False)
delays.to_csv("carrier_delays.csv")
