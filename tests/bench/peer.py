"""What the peers share: arguments, a replay of random transitions in numpy, turns and JSON.

A peer is a program that does the same updates as basal-bench update, by another library. With --serve it follows
daemon/bench_peer.h: it says "ready", and for each line "run SECONDS" it answers "done UPDATES SECONDS". Without, it
measures by itself and prints JSON.
"""
import argparse
import json
import os
import statistics
import sys
import time

EPISODE_STEPS = 1000
WARM_UPDATES = 20


def arguments(about):
    p = argparse.ArgumentParser(description=about)
    p.add_argument("--algo", choices=["sac", "td3", "ddpg"], default="sac")
    p.add_argument("--obs", type=int, default=17)
    p.add_argument("--act", type=int, default=6)
    p.add_argument("--hidden", type=lambda s: [int(n) for n in s.split(",")], default=[256, 256])
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--rows", type=int, default=1000000, help="random transitions in the replay")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--seconds", type=float, default=2.0, help="of one repetition")
    p.add_argument("--repeat", type=int, default=5)
    p.add_argument("--serve", action="store_true", help="take turns as told on standard input")
    p.add_argument("--json", action="store_true", help="what it prints anyway")
    a = p.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(a.threads)  # before the library is loaded
    return a


def skip(why):
    print(f"skipped: {why}", file=sys.stderr)
    sys.exit(77)


class Replay:
    """One array a column, as Stable-Baselines3 lays it out."""

    def __init__(self, np, a):
        self.np, self.batch, self.rows = np, a.batch, a.rows
        self.draw = np.random.default_rng(a.seed)
        real = lambda *shape: self.draw.standard_normal(shape, dtype=np.float32)
        self.s, self.s2 = real(a.rows, a.obs), real(a.rows, a.obs)
        self.a = 2.0 * self.draw.random((a.rows, a.act), dtype=np.float32) - 1.0
        self.r = real(a.rows, 1)
        self.done = (self.draw.random((a.rows, 1), dtype=np.float32) < 1.0 / EPISODE_STEPS).astype(np.float32)

    def sample(self):
        i = self.draw.integers(0, self.rows, self.batch)
        return self.s[i], self.a[i], self.r[i], self.s2[i], self.done[i]


def turn(update, seconds):
    """Updates until so many seconds have passed: how many, and how long it really took."""
    begun, n = time.perf_counter(), 0
    while True:
        n += update()
        took = time.perf_counter() - begun
        if took >= seconds:
            return n, took


def run(a, name, update):
    """update() does one or more whole updates, waits for their end, and returns how many."""
    done = 0
    while done < WARM_UPDATES:
        done += update()
    if a.serve:
        print("ready", name, flush=True)
        for line in sys.stdin:
            n, took = turn(update, float(line.split()[1]))
            print("done", n, f"{took:.9f}", flush=True)
        return
    rates = []
    for _ in range(a.repeat):
        n, took = turn(update, a.seconds)
        rates.append(n / took)
    figures = {"median": statistics.median(rates), "min": min(rates), "max": max(rates), "runs": rates}
    print(json.dumps({"benchmark": "update", "name": name, "algo": a.algo, "n_obs": a.obs, "n_act": a.act,
                      "hidden": a.hidden, "batch": a.batch, "rows": a.rows, "threads": a.threads,
                      "precision": a.precision, "updates_per_s": figures}))
