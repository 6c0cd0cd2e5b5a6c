"""What a run left behind, read as anyone may: its configuration, the checkpoint's arrays by name, the trace of its evaluation."""

import array
import json
import math
import operator
import pathlib
import struct
import subprocess

ROBOTS = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "robots"
TYPES = {"F32": "f", "F64": "d", "I64": "q", "I32": "i", "U8": "B"}


def settings(binary, row):
    """The whole configuration of a row, as {"policy.gamma": "0.9"}: sections of --dump-config, without their lists."""
    flags = [x for s in row.settings for x in ("--set", s)]
    command = [str(binary), "--dump-config", "--config", str(ROBOTS / f"{row.robot}.yaml"), *flags]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    out, section = {}, ""
    for line in text.splitlines():
        key, _, value = line.strip().partition(": ")
        if not line.startswith(" "):
            section = line.partition(":")[0]
        elif line.startswith("  ") and line[2] not in " -" and value:
            out[f"{section}.{key}"] = value.strip("'")
    return out


def numbers(text):
    """[9, 13] of "[9, 13]"."""
    return [float(x) for x in text.strip("[]").split(",") if x.strip()]


def tensors(folder):
    """The arrays of a run's newest checkpoint, flat: {name: array}. The format is safetensors': a length, JSON, bytes."""
    data = (folder / "run" / "last" / "learner.safetensors").read_bytes()
    (n,) = struct.unpack_from("<Q", data)
    out = {}
    for name, about in json.loads(data[8 : 8 + n]).items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            out[name] = array.array(TYPES[about["dtype"]], data[8 + n + begin : 8 + n + end])
    return out


class Net:
    """A multi-layer perceptron of a checkpoint, relu between its layers."""

    def __init__(self, arrays, name):
        self.layers = []
        while f"{name}.{len(self.layers)}.weight" in arrays:
            w, b = (arrays[f"{name}.{len(self.layers)}.{part}"] for part in ("weight", "bias"))
            n = len(w) // len(b)
            self.layers.append(([list(w[k * n : (k + 1) * n]) for k in range(len(b))], list(b)))

    def __call__(self, x):
        for k, (w, b) in enumerate(self.layers):
            x = [max(0.0, v) for v in x] if k > 0 else x
            x = [c + sum(map(operator.mul, row, x)) for row, c in zip(w, b)]
        return x


def softmax(logits):
    top = max(logits)
    p = [math.exp(x - top) for x in logits]
    total = sum(p)
    return [x / total for x in p]


class Episode:
    """Observations [T + 1], actions [T] and rewards [T] of one episode, and how it ended: None where it was cut off."""

    def __init__(self):
        self.observations, self.actions, self.rewards, self.end = [], [], [], None

    def discounted(self, gamma):
        value = 0.0
        for r in reversed(self.rewards):
            value = r + gamma * value
        return value


def trace(folder):
    """The episodes of an evaluation, as --eval-trace wrote them."""
    episodes = []
    with open(folder / "trace.jsonl", encoding="utf-8") as f:
        f.readline()  # the names
        for line in map(json.loads, f):
            if line["step"] == 0:
                episodes.append(Episode())
            e = episodes[-1]
            e.observations.append(line["observation"])
            if "action" in line:
                e.actions.append(line["action"])
                e.rewards.append(line["reward"])
            e.end = line.get("end")
    return episodes
