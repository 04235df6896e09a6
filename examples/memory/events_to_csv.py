"""Flatten a file of JSON events, one a line, into a CSV."""
import csv
import json
import sys

FIELDS = ["id", "at", "kind", "user", "country", "item", "quantity", "price", "total", "tags"]


def load_events(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def flatten(event):
    row = {
        "id": event["id"],
        "at": event["at"],
        "kind": event["kind"],
        "user": event["user"]["name"],
        "country": event["user"]["country"],
        "tags": "|".join(event["tags"]),
    }
    order = event.get("order")
    if order:
        row["item"] = order["item"]
        row["quantity"] = order["quantity"]
        row["price"] = order["price"]
        row["total"] = round(order["quantity"] * order["price"], 2)
    return row


def main(path):
    events = load_events(path)
    with open("events.csv", "w", newline="") as f:
        writer = csv.DictWriter(f, FIELDS, restval="")
        writer.writeheader()
        for event in events:
            writer.writerow(flatten(event))
    print("%d events" % len(events))


main(sys.argv[1])
