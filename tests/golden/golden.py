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


class Net(list):
    """Its parameters layer by layer: weight [out,in] and bias, then of a normalised layer gain and bias."""

    def __init__(self, parameters, normalised=False, activation=torch.relu):
        super().__init__(parameters)
        self.normalised, self.activation = normalised, activation

    def layers(self):
        """Each layer's parameters by torch's names; the last layer has no norm."""
        names = ["weight", "bias"] + (["norm.weight", "norm.bias"] if self.normalised else [])
        for i in range(0, len(self), len(names)):
            yield dict(zip(names, self[i : i + len(names)]))


def make_net(draw, widths, **kind):
    """Linear layers [out,in] with an activation between them, weights U(+-1/sqrt(in)), gains about 1."""
    net = Net([], **kind)
    for i, (n_in, n_out) in enumerate(zip(widths, widths[1:])):
        bound = 1.0 / math.sqrt(n_in)
        for shape in ((n_out, n_in), (n_out,)):
            count = math.prod(shape)
            numbers = [f32(draw.uniform(-bound, bound)) for _ in range(count)]
            net.append(torch.tensor(numbers).reshape(shape).requires_grad_(True))
        if net.normalised and i + 2 < len(widths):
            for middle in (1.0, 0.0):
                numbers = [f32(middle + draw.uniform(-0.5, 0.5)) for _ in range(n_out)]
                net.append(torch.tensor(numbers).requires_grad_(True))
    return net


def copy_net(net):
    return Net([p.detach().clone() for p in net], net.normalised, net.activation)


def apply_net(net, x):
    layers = list(net.layers())
    for i, p in enumerate(layers):
        x = x @ p["weight"].T + p["bias"]
        if i + 1 < len(layers):
            if net.normalised:
                x = torch.nn.functional.layer_norm(x, x.shape[1:], p["norm.weight"], p["norm.bias"], 1e-5)
            x = net.activation(x)
    return x


def step(net, optimiser, loss, max_grad_norm):
    optimiser.zero_grad()
    loss.backward()
    if max_grad_norm > 0:
        norm = torch.nn.utils.clip_grad_norm_(net, max_grad_norm)
        assert norm > max_grad_norm, "nothing was clipped: this proves nothing"
    optimiser.step()


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
    for i, layer in enumerate(net.layers()):
        for key, p in layer.items():
            out[f"{name}.{i}.{key}"] = numbers(p)


def put_adam(out, name, net, optimiser):
    for i, layer in enumerate(net.layers()):
        for key, p in layer.items():
            state = optimiser.state.get(p, {})
            for moment, of in (("adam_m", "exp_avg"), ("adam_v", "exp_avg_sq")):
                out[f"{name}.{moment}.{i}.{key}"] = numbers(state.get(of, torch.zeros_like(p)))


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
