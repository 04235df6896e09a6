"""Estimate pi by throwing darts.  usage: pi.py [trials] [darts per trial]"""
import random
import sys

TRIALS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
DARTS = int(sys.argv[2]) if len(sys.argv) > 2 else 5000


def one_trial(trial):
    rng = random.Random(trial)
    inside = 0
    for _ in range(DARTS):
        x = rng.random()
        y = rng.random()
        if x * x + y * y <= 1.0:
            inside += 1
    return inside


hits = [one_trial(trial) for trial in range(TRIALS)]
estimate = 4 * sum(hits) / (TRIALS * DARTS)
spread = (4 * min(hits) / DARTS, 4 * max(hits) / DARTS)

print("pi is about", estimate)
print("single trials from", spread[0], "to", spread[1])
with open("pi.txt", "w") as f:
    f.write(f"{estimate}\n")
