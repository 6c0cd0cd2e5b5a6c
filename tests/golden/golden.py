"""What the make_*.py share: inputs from fixed seeds, networks, and the dump.

Everything is computed in float64 by torch's autograd and torch's Adam, written anew from the papers; nothing of the C
code is called or copied. The numbers that both sides start from are rounded to float32 first; settings are chosen such
that float32 holds them exactly.
"""
import json
import math
import random
import struct

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

# The C side keeps Adam's two constants as float32.
BETAS = tuple(struct.unpack("f", struct.pack("f", b))[0] for b in (0.9, 0.999))


def f32(x):
    """The nearest float32, in the fewest digits that give it back."""
    return float(f"{struct.unpack('f', struct.pack('f', x))[0]:.9g}")


class Xoshiro:
    """xoshiro256++ (Blackman and Vigna 2019), seeded by splitmix64; normals by Box and Muller 1958."""

    MASK = (1 << 64) - 1

    def __init__(self, seed):
        self.s = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & self.MASK
            z = seed
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
            self.s.append(z ^ (z >> 31))

    def _rotl(self, x, k):
        return ((x << k) | (x >> (64 - k))) & self.MASK

    def u64(self):
        s = self.s
        result = (self._rotl((s[0] + s[3]) & self.MASK, 23) + s[0]) & self.MASK
        t = (s[1] << 17) & self.MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = self._rotl(s[3], 45)
        return result

    def normals(self, n):
        """A pair from each word: 24 bits for the radius, 24 for the angle; up to 64 pairs at a time, their cosines
        first, then their sines."""
        z = []
        while len(z) < n:
            words = [self.u64() for _ in range(min(64, (n - len(z) + 1) // 2))]
            radius = [math.sqrt(-2.0 * math.log(((x >> 40) + 1) * 2.0**-24)) for x in words]
            angle = [2.0 * math.pi * ((x & 0xFFFFFF) * 2.0**-24) for x in words]
            z += [r * math.cos(a) for r, a in zip(radius, angle)]
            z += [r * math.sin(a) for r, a in zip(radius, angle)]
        return z[:n]


def make_net(draw, widths):
    """Linear layers [out,in] with ReLU between them, weights U(+-1/sqrt(in))."""
    net = []
    for n_in, n_out in zip(widths, widths[1:]):
        bound = 1.0 / math.sqrt(n_in)
        for shape in ((n_out, n_in), (n_out,)):
            count = math.prod(shape)
            numbers = [f32(draw.uniform(-bound, bound)) for _ in range(count)]
            net.append(torch.tensor(numbers).reshape(shape).requires_grad_(True))
    return net


def copy_net(net):
    return [p.detach().clone() for p in net]


def apply_net(net, x):
    for i in range(0, len(net), 2):
        x = x @ net[i].T + net[i + 1]
        if i + 2 < len(net):
            x = torch.relu(x)
    return x


def q_of(net, s, a):
    return apply_net(net, torch.cat([s, a], dim=1))[:, 0]


def blend(net, target, tau):
    with torch.no_grad():
        for p, t in zip(net, target):
            t += tau * (p - t)


def make_batches(draw, count, n, n_obs, n_act):
    """Rows as a replay gives them: some terminal, some n-step, some weighted."""
    batches = []
    for _ in range(count):
        b = {
            "s": [f32(draw.gauss(0, 1)) for _ in range(n * n_obs)],
            "a": [f32(draw.uniform(-1, 1)) for _ in range(n * n_act)],
            "r": [f32(draw.gauss(0, 1)) for _ in range(n)],
            "s2": [f32(draw.gauss(0, 1)) for _ in range(n * n_obs)],
            "g": [f32(draw.choice([0.0, 0.95, 0.95, 0.95**3])) for _ in range(n)],
            "w": [f32(draw.uniform(0.2, 1.0)) for _ in range(n)],
        }
        batches.append(b)
    return batches


def rows(b, n_obs, n_act):
    t = {k: torch.tensor(v) for k, v in b.items()}
    for key, width in (("s", n_obs), ("s2", n_obs), ("a", n_act)):
        t[key] = t[key].reshape(-1, width)
    return t


def numbers(t):
    return [float(f"{x:.10g}") for x in t.detach().reshape(-1).tolist()]


def put_net(out, name, net):
    for i, p in enumerate(net):
        out[f"{name}.{i // 2}.{'bias' if i % 2 else 'weight'}"] = numbers(p)


def put_adam(out, name, net, optimiser):
    for i, p in enumerate(net):
        state = optimiser.state.get(p, {})
        for moment, key in (("adam_m", "exp_avg"), ("adam_v", "exp_avg_sq")):
            value = state.get(key, torch.zeros_like(p))
            out[f"{name}.{moment}.{i // 2}.{'bias' if i % 2 else 'weight'}"] = numbers(value)


def dump(path, what):
    """One line per array, so that a change shows as a change."""
    text = json.dumps(what)
    text = text.replace("], ", "],\n").replace("}, ", "},\n")
    with open(path, "w", encoding="ascii") as f:
        f.write(text + "\n")


def differs(a, b, where=""):
    """The first place where two dumps differ by more than rounding, or None."""
    if type(a) is not type(b):
        return where
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return where
        return next((d for k in a if (d := differs(a[k], b[k], f"{where}/{k}"))), None)
    if isinstance(a, list):
        if len(a) != len(b):
            return where
        return next((d for i in range(len(a)) if (d := differs(a[i], b[i], f"{where}/{i}"))), None)
    if isinstance(a, float):
        return None if abs(a - b) <= 1e-8 * max(abs(a), abs(b), 1e-3) else f"{where}: {a} and {b}"
    return None if a == b else f"{where}: {a} and {b}"
