"""Compares exported models with their checkpoint in TensorFlow's and ONNX Runtime's own Python.

    recsys export --model student --format onnx --out student-onnx --set parity.requests=1000 --set parity.store=true
    python3 -m venv venv && venv/bin/pip install numpy onnxruntime tensorflow-cpu
    venv/bin/python bench/foreign/check_export.py student-onnx

Several directories may be given. One of item vectors (`--set vectors=npy`) among them also checks the `state` of
the others: state · vector + offset must be the score. A difference is a share of the largest magnitude among the checkpoint's
scores for its request, as in the command. Prints the largest ones; exits 1 where one is above 1e-4.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TOLERANCE = 1e-4
BATCH = 64  # The last batch is smaller: the exported models take any size.


def read_safetensors(path):
    """Tensors by name: 8 bytes of header length, a header in JSON, then the bytes."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    types = {"F32": np.float32, "I32": np.int32}
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(raw[begin:end], types[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def opened(folder, signature):
    """A function of inputs by name into outputs by name."""
    if signature["format"] == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(folder / signature["file"]), providers=["CPUExecutionProvider"])
        names = [output["name"] for output in signature["outputs"]]
        return f"onnxruntime {onnxruntime.__version__}", lambda feeds: dict(zip(names, session.run(None, feeds)))
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    serve = model.signatures[signature["signature"]]

    def run(feeds):
        assert model is not None  # The signature does not keep its model alive.
        return {name: value.numpy() for name, value in serve(**{k: tf.constant(v) for k, v in feeds.items()}).items()}

    return f"tensorflow {tf.__version__}", run


def check(folder, vectors):
    signature = json.loads((folder / "signature.json").read_text("utf-8"))
    stored = read_safetensors(folder / "requests.safetensors")
    runtime, run = opened(folder, signature)
    expected, columns = stored["scores"], stored["columns"]
    scale = np.maximum(np.abs(expected).max(axis=1, keepdims=True), 1e-6)
    worst = {}
    for start in range(0, len(expected), BATCH):
        part = slice(start, start + BATCH)
        found = run({port["name"]: stored[port["name"]][part] for port in signature["inputs"]})
        for port in signature["outputs"]:
            shape = (len(expected[part]), *port["shape"][1:])
            assert found[port["name"]].shape == shape, f"{port['name']}: {found[port['name']].shape}, not {shape}"
        compared = {"scores": found["scores"][:, columns]}
        if vectors and "state" in found:
            compared["state"] = (found["state"] @ vectors[0].T + vectors[1])[:, columns]
        for name, values in compared.items():
            difference = np.abs(values - expected[part]) / scale[part]
            worst[name] = max(worst.get(name, 0.0), float(np.nan_to_num(difference, nan=np.inf).max()))
        if "top" in found:
            top = found["top"]
            best = -np.sort(-found["scores"], axis=1)[:, : top.shape[1]]
            ranked = np.abs(np.take_along_axis(found["scores"], top, axis=1) - best) / scale[part]
            worst["top"] = max(worst.get("top", 0.0), float(ranked.max()))
    print(f"{folder}: {runtime}, {len(expected)} requests, {len(columns)} items: {worst}")
    return max(worst.values()) <= TOLERANCE


def main(folders):
    vectors = None
    for folder in folders:
        if (folder / "vectors.npy").exists():
            vectors = np.load(folder / "vectors.npy"), np.load(folder / "offsets.npy")
    graphs = [folder for folder in folders if (folder / "requests.safetensors").exists() and not (folder / "vectors.npy").exists()]
    if not graphs:
        sys.exit(__doc__)
    if not all([check(folder, vectors) for folder in graphs]):
        sys.exit(1)


main([Path(argument) for argument in sys.argv[1:]])
