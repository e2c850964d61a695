"""What one would put together to serve recommendations otherwise: FastAPI and uvicorn, one process, over a model of random weights.

    python3 -m venv venv && venv/bin/pip install fastapi "uvicorn[standard]" numpy scipy implicit torch
    venv/bin/python bench/foreign/serve_peer.py transformer|als --port 8100 --users 1000 --items 3416

`transformer`: one block of width 64 over the newest 50 events in PyTorch, inference mode, one thread (faster here than two); the newest position alone is
computed in the last steps. `als`: implicit's AlternatingLeastSquares of 64 factors, fitted for two rounds. Both leave out what the user has seen and answer
GET /v1/recommendations?user=p<n> with the ten best. The handlers are coroutines: for answers this short FastAPI's pool of threads would be slower.
"""

import argparse

import numpy as np
import uvicorn
from fastapi import FastAPI

LENGTH, WIDTH, K = 50, 64, 10
parser = argparse.ArgumentParser()
parser.add_argument("model", choices=["transformer", "als"])
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--users", type=int, required=True)
parser.add_argument("--items", type=int, required=True)
args = parser.parse_args()
rng = np.random.default_rng(1)
# Items come by popularity: the square of a uniform number favours the first.
histories = 1 + (rng.random((args.users, LENGTH)) ** 2 * args.items).astype(np.int64)
ids = ["", *(f"i{n + 1}" for n in range(args.items))]


def transformer():
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(1)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.items = nn.Embedding(args.items + 1, WIDTH)
            self.positions = nn.Parameter(torch.randn(LENGTH, WIDTH) * 0.02)
            self.norm1, self.norm2, self.norm = (nn.LayerNorm(WIDTH) for _ in range(3))
            self.query, self.output = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
            self.pair = nn.Linear(WIDTH, 2 * WIDTH)
            self.inner, self.outer = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
            self.bias = nn.Parameter(torch.zeros(args.items + 1))

        def forward(self, items):
            x = self.items(items) * WIDTH**0.5 + self.positions
            y = self.norm1(x)
            heads = lambda part: part.view(1, -1, 2, WIDTH // 2).transpose(1, 2)
            key, value = self.pair(y).chunk(2, -1)
            mixed = F.scaled_dot_product_attention(heads(self.query(y[:, -1:])), heads(key), heads(value))
            x = x[:, -1] + self.output(mixed.transpose(1, 2).reshape(1, WIDTH))
            x = x + self.outer(F.relu(self.inner(self.norm2(x))))
            return self.norm(x) @ self.items.weight.T + self.bias

    model = Model().eval()
    tensors = torch.from_numpy(histories)

    def best(user):
        with torch.inference_mode():
            scores = model(tensors[user : user + 1])[0]
            scores[tensors[user]] = -1e9
            scores[0] = -1e9
            top = torch.topk(scores, K)
        return top.indices.tolist(), top.values.tolist()

    return best


def als():
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    rows = np.repeat(np.arange(args.users), LENGTH)
    seen = csr_matrix((np.ones(rows.size, np.float32), (rows, histories.ravel())), (args.users, args.items + 1))
    model = AlternatingLeastSquares(factors=WIDTH, iterations=2, num_threads=1, random_state=1)
    model.fit(seen, show_progress=False)

    def best(user):
        items, scores = model.recommend(user, seen[user], N=K)
        return items.tolist(), scores.tolist()

    return best


best = {"transformer": transformer, "als": als}[args.model]()
app = FastAPI()


@app.get("/v1/recommendations")
async def recommend(user: str):
    items, scores = best(int(user[1:]))
    return {"user": user, "items": [{"item": ids[i], "score": s} for i, s in zip(items, scores)]}


uvicorn.run(app, host="127.0.0.1", port=args.port, log_level="error", access_log=False)
