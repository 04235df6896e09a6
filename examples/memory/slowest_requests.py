"""The slowest requests of a web server's log, and how often each status was answered."""
import heapq
import sys
from collections import Counter


def parse(line):
    address, _, _, when, zone, method, url, protocol, status, size, millis = line.split()
    return {
        "address": address,
        "when": when.lstrip("["),
        "method": method.lstrip('"'),
        "url": url,
        "status": int(status),
        "bytes": int(size),
        "millis": int(millis),
    }


with open(sys.argv[1]) as log:
    requests = [parse(line) for line in log]

statuses = Counter(request["status"] for request in requests)
failed = [request for request in requests if request["status"] >= 500]
slowest = heapq.nlargest(25, requests, key=lambda request: (request["millis"], request["when"], request["url"]))

with open("slowest.txt", "w") as out:
    for request in slowest:
        out.write("%7d ms  %s  %-4s %s\n" % (request["millis"], request["when"], request["method"], request["url"]))

for status, count in sorted(statuses.items()):
    print(status, count)
print("failed:", len(failed), "bytes:", sum(request["bytes"] for request in requests))
