"""The 20 slowest requests in a server log.

Lines look like:  2024-03-01T08:00:03 GET /cart/17 200 153.2ms
"""
import heapq
import re
import sys
from datetime import datetime

LINE = re.compile(r"(\S+) (GET|POST|PUT|DELETE) (\S+) (\d{3}) ([\d.]+)ms$")


def parse(line):
    match = LINE.match(line.strip())
    if match is None:
        return None
    when, method, url, status, ms = match.groups()
    return {
        "when": datetime.strptime(when, "%Y-%m-%dT%H:%M:%S"),
        "method": method,
        "url": url,
        "status": int(status),
        "ms": float(ms),
    }


log = sys.argv[1] if len(sys.argv) > 1 else "data/access.log"
with open(log) as f:
    parsed = [parse(line) for line in f]
requests = [r for r in parsed if r is not None]

slowest = heapq.nlargest(20, requests, key=lambda r: r["ms"])

with open("slowest.txt", "w") as out:
    for rank, r in enumerate(slowest, 1):
        text = f"{rank:2} {r['ms']:8.1f} ms  {r['when']:%H:%M:%S}  {r['method']:<6} {r['url']} ({r['status']})"
        print(text)
        print(text, file=out)
print(len(requests), "requests,", len(parsed) - len(requests), "unreadable lines")
