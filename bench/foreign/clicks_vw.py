"""Vowpal Wabbit on a click stream (`npm run bench:online` writes it and runs this): one JSON line a contender.

    pip install vowpalwabbit
    python clicks_vw.py stream.vw 22 [events for the Python loop]

Logistic loss and the crosses of `recsys`: user x item, user x genre. Each event is foretold before it is learned: `get_sum_loss` is progressive.
"""

import json
import sys
import time
from itertools import islice

from vowpalwabbit import Workspace

path, bits = sys.argv[1], sys.argv[2]
limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
SETTINGS = f"--loss_function logistic --link logistic -q ui -q ug -b {bits} --quiet"


def report(who, model, seconds):
    events = model.get_weighted_examples()
    loss = model.get_sum_loss() / events
    model.finish()
    print(json.dumps({"who": who, "events": int(events), "seconds": seconds, "logLoss": loss}), flush=True)


# The second rate was the best of .5, .7, 1, 1.5, 2 and 3 on MovieLens 100K and on the first half of 1M.
for who, more in (("its driver", ""), ("its driver, -l .7", " -l 0.7")):
    start = time.perf_counter()
    driver = Workspace(f"{SETTINGS}{more} -d {path}")
    report(f"Vowpal Wabbit, {who}", driver, time.perf_counter() - start)

with open(path, encoding="utf-8") as file:
    lines = list(islice(file, limit))
model = Workspace(SETTINGS)
start = time.perf_counter()
for line in lines:
    model.learn(line)
report("Vowpal Wabbit, from Python", model, time.perf_counter() - start)
