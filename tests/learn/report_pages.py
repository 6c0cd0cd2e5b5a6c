"""Pictures of the report, by gnuplot, and what they say in words."""

import json
import subprocess

BINS = 120
COLOURS = ["#1b6ca8", "#c0392b", "#27ae60", "#8e44ad", "#d68910", "#16a085", "#7f8c8d"]


def metrics(row, out, seed):
    path = row.folder(out, seed) / "run" / "metrics.jsonl"
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []


def weighed(lines, key):
    """A metric's values: (step, value, weight). What is said of an episode's states counts by how many there were."""
    before, out = 0, []
    for line in lines:
        at = line["time/total_timesteps"]
        if line.get(key) is not None:
            out.append((at, line[key], at - before if key == "rollout/value_mean" else 1))
        before = at
    return out


def binned(lines, key, steps):
    """A metric's means over equal parts of the steps; parts without one carry the last value on."""
    sums, weights = [0.0] * BINS, [0.0] * BINS
    for at, value, weight in weighed(lines, key):
        k = min(BINS - 1, int(at) * BINS // steps)
        sums[k] += value * weight
        weights[k] += weight
    curve, last = [], None
    for total, weight in zip(sums, weights):
        last = total / weight if weight > 0 else last
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


def draw(picture, title, y, lines, refs, out, until="*"):
    """lines: (label, file); refs: (label, value); steps until there."""
    parts = []
    for k, (_, path) in enumerate(lines):
        colour = COLOURS[k % len(COLOURS)]
        parts.append(f"'{path}' using 1:3:4 with filledcurves fc rgb '{colour}' fs transparent solid 0.15 noborder notitle")
    for k, (label, path) in enumerate(lines):
        parts.append(f"'{path}' using 1:2 with lines lw 2 lc rgb '{COLOURS[k % len(COLOURS)]}' title \"{label}\"")
    parts += [f"{value:g} with lines dt {2 + k} lc rgb '#555555' title \"{label}\"" for k, (label, value) in enumerate(refs)]
    gnuplot(
        f"set terminal svg size 900,480 font 'sans,13' background '#ffffff'\nset output '{out / picture}'\nset title \"{title}\"\n"
        f"set xlabel 'policy steps'\nset ylabel '{y}'\nset key outside right\nset grid\nset format x '%.0s%c'\nset xrange [0:{until}]\nplot {', '.join(parts)}\n"
    )
    return picture


def points_file(curves, name, row, out):
    """Curves' mean and spread as a file; None: there is nothing to draw."""
    curves = [c for c in curves if any(v is not None for v in c)]
    if not curves:
        return None
    path = out / "points" / f"{row.page}-{row.label}-{name}".replace("/", "_").replace(" ", "_").replace(",", "")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_points(path, spread(curves), row.steps)
    return path if path.stat().st_size > 0 else None


def curve_file(row, out, key):
    """A row's curve over its seeds, as a file, or None."""
    return points_file([binned(metrics(row, out, s), key, row.steps) for s in row.seeds], key, row, out)


def seed_file(row, out, seed, key):
    """One seed's curve, as a file, or None."""
    return points_file([binned(metrics(row, out, seed), key, row.steps)], f"{key}-{seed}", row, out)


def panels(picture, head, plots, out):
    """Several plots side by side, two in a row."""
    lines = (len(plots) + 1) // 2
    gnuplot(
        f"set terminal svg size 900,{340 * lines} font 'sans,12' background '#ffffff'\nset output '{out / picture}'\n{head}"
        f"set multiplot layout {lines},2\n{''.join(plots)}unset multiplot\n"
    )
    return picture


def curves(page, rows, refs, out):
    lines = [(r.label, curve_file(r, out, "rollout/ep_rew_mean")) for r in rows]
    lines = [(label, path) for label, path in lines if path]
    asked = [(f"asked of {r.label}", r.asked) for r in rows if r.asked is not None][:1]
    refs = [(label, value) for _, label, value in refs]
    return draw(f"{page}.svg", page, "return of an episode", lines, refs + asked, out) if lines else None
