"""River's logistic regression on a click stream (`npm run bench:online` writes it and runs this): one JSON line a contender.

    pip install river
    python clicks_river.py stream.vw [events]

The features of Vowpal Wabbit's run: user, item, genres, user x item, user x genre. Each event is foretold before it is learned.
"""

import json
import math
import sys
import time
from itertools import islice

from river import linear_model, optim

path = sys.argv[1]
limit = int(sys.argv[2]) if len(sys.argv) > 2 else None


def parsed(line):
    label, user, item, genres = line.rstrip("\n").split(" |")
    return label == "1", user[2:], item[2:], genres[2:].split()


with open(path, encoding="utf-8") as file:
    events = [parsed(line) for line in islice(file, limit)]

for name, optimizer in (("SGD .05", optim.SGD(0.05)), ("AdaGrad .1", optim.AdaGrad(0.1))):
    model = linear_model.LogisticRegression(optimizer=optimizer, l2=0.0)
    loss = 0.0
    start = time.perf_counter()
    for label, user, item, genres in events:
        features = {f"u={user}": 1.0, f"i={item}": 1.0, f"u={user},i={item}": 1.0}
        for genre in genres:
            features[f"g={genre}"] = 1.0
            features[f"u={user},g={genre}"] = 1.0
        p = model.predict_proba_one(features).get(True, 0.5)
        p = min(max(p, 1e-15), 1 - 1e-15)
        loss -= math.log(p if label else 1 - p)
        model.learn_one(features, label)
    seconds = time.perf_counter() - start
    who = f"River, {name}"
    print(json.dumps({"who": who, "events": len(events), "seconds": seconds, "logLoss": loss / len(events)}), flush=True)
