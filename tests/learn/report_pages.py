"""Pictures of the report, by gnuplot, and what they say in words."""

import json
import pathlib
import subprocess

BINS = 120
COLOURS = ["#1b6ca8", "#c0392b", "#27ae60", "#8e44ad", "#d68910", "#16a085", "#7f8c8d"]


def metrics(row, out, seed):
    path = row.folder(out, seed) / "run" / "metrics.jsonl"
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []


def binned(lines, key, steps):
    """A metric's means over equal parts of the steps; parts without one carry the last value on."""
    sums, counts = [0.0] * BINS, [0] * BINS
    for line in lines:
        value = line.get(key)
        if value is not None:
            k = min(BINS - 1, int(line["time/total_timesteps"]) * BINS // steps)
            sums[k] += value
            counts[k] += 1
    curve, last = [], None
    for total, n in zip(sums, counts):
        last = total / n if n else last
        curve.append(last)
    return curve


def spread(curves):
    """Of several curves, at each part: mean, least, most; None where one has not begun."""
    out = []
    for values in zip(*curves):
        known = [v for v in values if v is not None]
        out.append((sum(known) / len(known), min(known), max(known)) if len(known) == len(values) and known else None)
    return out


def write_points(path, curve, steps):
    with open(path, "w", encoding="ascii") as f:
        for k, v in enumerate(curve):
            if v is not None:
                f.write(f"{(k + 0.5) * steps / BINS:g} {v[0]:g} {v[1]:g} {v[2]:g}\n")


def gnuplot(script):
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def draw(picture, title, y, lines, refs, out):
    """lines: (label, file); refs: (label, value)."""
    parts = []
    for k, (_, path) in enumerate(lines):
        colour = COLOURS[k % len(COLOURS)]
        parts.append(f"'{path}' using 1:3:4 with filledcurves fc rgb '{colour}' fs transparent solid 0.15 noborder notitle")
    for k, (label, path) in enumerate(lines):
        parts.append(f"'{path}' using 1:2 with lines lw 2 lc rgb '{COLOURS[k % len(COLOURS)]}' title \"{label}\"")
    parts += [f"{value:g} with lines dt {2 + k} lc rgb '#555555' title \"{label}\"" for k, (label, value) in enumerate(refs)]
    gnuplot(
        f"set terminal svg size 900,480 font 'sans,13' background '#ffffff'\nset output '{out / picture}'\nset title \"{title}\"\n"
        f"set xlabel 'policy steps'\nset ylabel '{y}'\nset key outside right\nset grid\nset format x '%.0s%c'\nplot {', '.join(parts)}\n"
    )
    return picture


def curve_file(row, out, key):
    """A row's curve over its seeds, as a file; None: there is nothing to draw."""
    curves = [binned(metrics(row, out, s), key, row.steps) for s in row.seeds]
    curves = [c for c in curves if any(v is not None for v in c)]
    if not curves:
        return None
    path = out / "points" / f"{row.page}-{row.label}-{key}".replace("/", "_").replace(" ", "_")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_points(path, spread(curves), row.steps)
    return path if path.stat().st_size > 0 else None


def curves(page, rows, refs, out):
    lines = [(r.label, curve_file(r, out, "rollout/ep_rew_mean")) for r in rows]
    lines = [(label, path) for label, path in lines if path]
    asked = [(f"asked of {r.label}", r.asked) for r in rows if r.asked is not None][:1]
    refs = [(label, value) for _, label, value in refs]
    return draw(f"{page}.svg", page, "return of an episode", lines, refs + asked, out) if lines else None


def overestimation(rows, out):
    """What DQN and Double DQN say of their states, beside what followed. Yields pages."""
    pages = {r.page for r in rows if r.label == "Double DQN"}
    for page in sorted(pages):
        pair = [r for r in rows if r.page == page and r.label in ("DQN", "Double DQN")]
        lines, off = [], {}
        for r in pair:
            said, was = (curve_file(r, out, k) for k in ("train/mean_q", "rollout/value_mean"))
            if said and was:
                lines += [(f"{r.label}: estimate", said), (f"{r.label}: what followed", was)]
                last = [[float(x) for x in pathlib.Path(p).read_text(encoding="ascii").splitlines()[-1].split()] for p in (said, was)]
                off[r.label] = last[0][1] - last[1][1]
        if len(off) == 2:
            held = abs(off["Double DQN"]) < abs(off["DQN"])
            text = (f"At the end the estimates are off by {off['DQN']:.3g} (DQN) and {off['Double DQN']:.3g} (Double DQN): "
                    f"the second is {'closer, as van Hasselt et al. say' if held else 'not closer here'}.")
            yield f"Overestimation: {page}", text, draw(f"{page}-values.svg", page, "value of a state", lines, [], out)


def worst_seeds(rows, done):
    """SAC's worst seed beside DDPG's, world by world."""
    said = []
    for page in dict.fromkeys(r.page for r in rows):
        worst = {}
        for r in rows:
            got = [done[page, r.label, s]["eval_mean_reward"] for s in r.seeds if (page, r.label, s) in done]
            if r.page == page and r.label in ("SAC", "DDPG") and got:
                worst[r.label] = min(got)
        if len(worst) == 2:
            said.append((page, worst["SAC"], worst["DDPG"]))
    if said:
        better = sum(s > d for _, s, d in said)
        text = "; ".join(f"{page}: {s:.4g} and {d:.4g}" for page, s, d in said)
        yield ("Worst seeds of SAC and DDPG", f"{text}. SAC's is better in {better} of {len(said)} worlds"
               f"{'; two are asked: held.' if better >= 2 else '; two are asked.'}", None)


def comparisons(rows, done, out):
    """The lecture's claims: (title, what it came to, picture or None)."""
    yield from overestimation(rows, out)
    yield from worst_seeds(rows, done)
