"""The PyTorch twin of bench/train-step.ts: the same step, with scaled_dot_product_attention and torch.optim.Adam.

Arguments: threads, and the device (cpu, or cuda: then with TensorFloat-32, as TensorFlow does).

Reads one JSON line {"batch", "length", "width", "negatives", "items", "dropout", "bfloat16"} at a time and answers each with
one line {"ms": ...}: the time of one step. Steps of one shape share the model; "close" forgets it.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """Pre-normalised block: causal attention of one head, position-wise ReLU network of the same width."""

    def __init__(self, width, dropout):
        super().__init__()
        self.dropout = dropout
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.output = nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        y = self.norm1(x)
        heads = [part(y).unsqueeze(1) for part in (self.query, self.key, self.value)]
        mixed = F.scaled_dot_product_attention(*heads, is_causal=True, dropout_p=self.dropout).squeeze(1)
        x = x + F.dropout(self.output(mixed), self.dropout)
        y = self.outer(F.dropout(F.relu(self.inner(self.norm2(x))), self.dropout))
        return x + F.dropout(y, self.dropout)


class Twin(nn.Module):
    def __init__(self, items, length, width, dropout):
        super().__init__()
        self.dropout = dropout
        self.items = nn.Embedding(items + 1, width)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(2))
        self.norm = nn.LayerNorm(width, 1e-6)

    def forward(self, items, targets, negatives, shift):
        x = F.dropout(self.items(items) * self.items.embedding_dim**0.5 + self.positions, self.dropout)
        for block in self.blocks:
            x = block(x)
        states = self.norm(x).flatten(0, 1)
        targets = targets.flatten()
        logits = states @ self.items(negatives).T + shift
        logits = logits.masked_fill(targets[:, None] == negatives[None], -1e9)
        target = (states * self.items(targets)).sum(-1, keepdim=True)
        return (torch.logsumexp(torch.cat([target, logits], 1), 1) - target[:, 0]).mean()


class Step:
    def __init__(self, device, batch, length, width, negatives, items, dropout, bfloat16):
        torch.manual_seed(1)
        self.device = device
        self.bfloat16 = bfloat16
        self.model = Twin(items, length, width, dropout).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3)
        draw = lambda *shape: torch.randint(1, items + 1, shape)
        self.inputs = draw(batch, length), draw(batch, length), draw(negatives)
        self.shift = torch.log(torch.tensor(items / negatives)).to(device)

    def run(self):
        start = time.perf_counter()
        # A batch comes from the host, as ours does.
        inputs = [part.to(self.device) for part in self.inputs]
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bfloat16):
            loss = self.model(*inputs, self.shift)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5)
        self.optimizer.step()
        loss.item()
        return 1000 * (time.perf_counter() - start)


def main():
    threads, device = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.backends.cuda.matmul.allow_tf32 = True
    steps = {}
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        key = line.strip()
        if key == "close":
            steps.clear()
            continue
        if key not in steps:
            steps[key] = Step(device, **json.loads(key))
        print(json.dumps({"ms": steps[key].run()}), flush=True)


main()
