"""Pictures of single runs, one for each page of the table that has a figure here. Each says its numbers in a sentence."""

import struct
import subprocess
import sys

import report_figures_nets
import report_pages
from report_figures_nets import block
from report_pages import COLOURS
from report_read import numbers, settings, tensors, trace

ARROWS = [(0, 1), (0, -1), (1, 0), (-1, 0)]  # arm_up, arm_down, hand_up, hand_down; x is the hand, y the arm


def last_loop(episode):
    """Of an episode's end: the states, choices and rewards since its last state was left the time before."""
    s, n = episode.observations, len(episode.actions)
    begin = next((k for k in range(n - 2, -1, -1) if s[k] == s[n - 1]), 0)
    return list(zip(s[begin : n - 1], episode.actions[begin : n - 1], episode.rewards[begin : n - 1]))


def check_greedy(q, hands, episode):
    for (arm, hand), (choice,) in zip(episode.observations, episode.actions):
        cell = 4 * int(arm * hands + hand)
        if max(q[cell : cell + 4]) - q[cell + int(choice)] > 1e-5 * abs(max(q[cell : cell + 4])):
            raise ValueError(f"with arm {arm:g} and hand {hand:g} the evaluation chose {choice:g}, the table says {list(q[cell:cell + 4])}")


def crawler(rows, done, args):
    """The table as arrows, and the loop that the greedy choices end in."""
    row, seed = rows[0], rows[0].seeds[0]
    folder = row.folder(args.out, seed)
    arms, hands = (int(x) for x in numbers(settings(args.bin / "basald", row)["policy.bins"]))
    arrays, episode = tensors(folder), trace(folder)[0]
    q, visits = arrays["q"], arrays["visits"]
    check_greedy(q, hands, episode)
    values, arrows, alike = [], [], []
    loop = last_loop(episode)
    on_the_way = [tuple(s) for s, _, _ in loop]
    for arm in range(arms):
        for hand in range(hands):
            cell = 4 * (arm * hands + hand)
            own = list(q[cell : cell + 4])
            if sum(visits[cell : cell + 4]) > 0:
                values.append((hand, arm, max(own)))
                alike += [(hand, arm)] if min(own) == max(own) else []
            if sum(visits[cell : cell + 4]) > 0 and min(own) < max(own) and (arm, hand) not in on_the_way:
                dx, dy = ARROWS[own.index(max(own))]
                arrows.append((hand - 0.3 * dx, arm - 0.3 * dy, 0.6 * dx, 0.6 * dy))
    gait = [(hand, arm, *ARROWS[int(choice)]) for (arm, hand), (choice,), _ in loop]
    gains = [(x + dx / 2, y + dy / 2 + 0.22 * abs(dx), f"{r:+.2f}") for (x, y, dx, dy), (_, _, r) in zip(gait, loop)]
    speed = sum(r for _, _, r in loop) / len(loop)
    picture = args.out / "crawler-table-arrows.svg"
    report_pages.gnuplot(
        f"set terminal svg size 1000,700 font 'sans,13' background '#ffffff'\nset output '{picture}'\n"
        + block("v", values) + block("a", arrows) + block("l", alike) + block("g", gait) + block("r", gains) +
        f"set title 'the best choice of each position, and the gait of {len(loop)} steps that they make'\n"
        f"set xrange [-0.5:{hands - 0.5}]\nset yrange [-0.5:{arms - 0.5}]\nset size ratio -1\n"
        "set xtics 1 out nomirror\nset ytics 1 out nomirror\n"
        "set xlabel 'hand: to the right is up'\nset ylabel 'arm'\nset cblabel 'value of the best choice: discounted way to come'\n"
        "set style textbox opaque noborder margins 0.5,0.5\n"
        "set object 1 rectangle from graph 0,0 to graph 1,1 fc rgb '#dddddd' fs solid noborder behind\n"
        "set palette defined (0 '#f7fbff', 0.5 '#a6cbe3', 1 '#2e7ebc')\n"
        "plot $v using 1:2:(0.5):(0.5):3 with boxxyerror fc palette fs solid noborder notitle, "
        "$a using 1:2:3:4 with vectors head filled size 0.16,25 lw 1.2 lc rgb '#404040' notitle, "
        "$l using 1:2 with points pt 7 ps 0.3 lc rgb '#404040' notitle, "
        "$g using 1:2:3:4 with vectors head filled size 0.2,20 lw 4 lc rgb '#c0392b' notitle, "
        "$r using 1:2:3 with labels boxed font ',11' tc rgb '#7b1d12' notitle\n")
    text = (f"The gait makes {speed:.4g} a step in a loop of {len(loop)} steps, whose way is written beside them. {len(values)} "
            f"of {arms * hands} positions have been tried, grey ones never; in {len(alike)} all choices are alike so far, a dot.")
    return "A table that crawls", text, picture.name


def smooth(row, out, key, wide):
    """A metric's means over seeds and over wide parts of the steps around each: [(step, mean)]."""
    mean = report_pages.spread([report_pages.binned(report_pages.metrics(row, out, s), key, row.steps) for s in row.seeds])
    points = []
    for k in range(len(mean)):
        near = [v[0] for v in mean[max(0, k - wide // 2) : k + wide // 2 + 1] if v is not None]
        if mean[k] is not None:
            points.append(((k + 0.5) * row.steps / report_pages.BINS, sum(near) / len(near)))
    return points


def svg(rows, done, args):
    """SVG(k): how soon and how well it learns, and how far off its model is."""
    data, plots, said = "", ([], []), []
    for j, row in enumerate(rows):
        got = [done[row.page, row.label, s]["eval_mean_reward"] for s in row.seeds]
        learned = smooth(row, args.out, "rollout/ep_rew_mean", 10)
        when = next((f"above -400 from step {step:.0f} on" for step, v in learned if v > -400), "never above -400")
        said.append(f"{row.label} {sum(got) / len(got):.4g}, while learning {when}")
        off = [p for p in smooth(row, args.out, "train/model_loss", 10) if p[1] > 0]
        for k, points in enumerate((learned, off)):
            if points:
                data += block(f"c{j}{k}", points)
                plots[k].append(f"$c{j}{k} using 1:2 with linespoints pt 7 ps 0.2 lw 2.5 lc rgb '{COLOURS[j]}' title '{row.label}'")
    picture = args.out / "svg-k-learning.svg"
    report_pages.gnuplot(
        f"set terminal svg size 1180,440 font 'sans,13' background '#ffffff'\nset output '{picture}'\n{data}"
        "set grid\nset lmargin 11\nset tics out nomirror\nset format x '%.0s%c'\nset xlabel 'policy steps'\n"
        f"set xrange [0:{max(r.steps for r in rows)}]\nset multiplot layout 1,2\n"
        "set key bottom right\nset ylabel 'return of an episode'\nset title 'learning, smoothed'\n"
        f"plot {', '.join(plots[0])}\nset key top right\nset logscale y\nset format y '10^{{%L}}'\n"
        f"set ylabel 'squared error of the next observation'\nset title 'the model'\nplot {', '.join(plots[1])}\nunset multiplot\n")
    text = f"Mean returns of the evaluation: {'; '.join(said)} (smoothed over a twelfth of the steps). SVG(0) has no model."
    return "SVG(k): along k steps of a model", text, picture.name


def memory(row, args):
    """What a prioritised replay would draw: (|TD error|, age in steps, share of the draws) of each transition."""
    c, t = settings(args.bin / "basald", row), tensors(row.folder(args.out, row.seeds[0]))
    value, n, end, size = t["priority.value"], t["priority.count"][0], t["priority.next"][0], len(t["priority.value"])
    alpha, eps = (float(c[f"learner.prioritized_replay_{k}"]) for k in ("alpha", "eps"))
    if c["learner.prioritized_replay"] == "rank":  # |TD error| and item of each place; P = 1 / rank^alpha
        items = [(t["priority.order"][k], value[k], (k + 1) ** -alpha) for k in range(n)]
    else:  # p = (|TD error| + eps)^alpha of each item
        items = [(k, max(p ** (1 / alpha) - eps, 0.0), p) for k, p in enumerate(value) if p > 0]
    if len(items) != n:
        raise ValueError(f"{row.label}: the checkpoint counts {n} priorities, {len(items)} are there")
    total = sum(p for _, _, p in items)
    return [(td, (end - 1 - item) % size, p / total) for item, td, p in items]


def shares(rows, key, edges):
    """Parts of the transitions and of the draws, in percent, between edges of a key."""
    n, drawn = [0] * (len(edges) - 1), [0.0] * (len(edges) - 1)
    for row in rows:
        k = sum(key(row) >= e for e in edges[1:-1])
        n[k] += 100 / len(rows)
        drawn[k] += 100 * row[2]
    return n, drawn


def replay(rows, done, args):
    """Which transitions prioritised replay draws, by their |TD error| and by their age."""
    data, plots, ages, said = "", "", [], []
    for k, row in enumerate(r for r in rows if "learner.prioritized_replay=none" not in r.settings):
        held = sorted(memory(row, args))
        edges = [10 ** (-4 + 0.2 * j) for j in range(36)]
        n, drawn = shares(held, lambda r: r[0], edges)
        data += block(f"t{k}", zip(edges, [*n, 0], [*drawn, 0]))
        plots += (f"set title '{row.label}: {len(held):,} transitions'\nset yrange [0:{1.08 * max(n + drawn):g}]\n"
                  f"plot $t{k} using 1:2 with fillsteps fc rgb '#bbbbbb' fs solid title 'drawn alike', "
                  f"$t{k} using 1:3 with steps lw 2.5 lc rgb '{COLOURS[k]}' title '{row.label}'\n")
        oldest = max(age for _, age, _ in held) + 1
        by_age = [j * oldest / 20 for j in range(21)]
        n, drawn = shares(held, lambda r: r[1], by_age)
        times = [d / m if m else 0 for m, d in zip(n, drawn)]
        data += block(f"a{k}", zip(by_age, [*times, times[-1]]))
        ages.append(f"$a{k} using 1:2 with steps lw 2.5 lc rgb '{COLOURS[k]}' title '{row.label}'")
        tenth = len(held) // 10
        young = sorted(held, key=lambda r: r[1])[:tenth]
        said.append(f"{row.label}: {100 * sum(p for _, _, p in held[-tenth:]):.3g} % of the draws go to the tenth with the largest errors, "
                    f"{100 * sum(p for _, _, p in young):.3g} % to the youngest tenth")
    picture = args.out / "per-draws.svg"
    report_pages.gnuplot(
        f"set terminal svg size 1180,400 font 'sans,13' background '#ffffff'\nset output '{picture}'\n{data}"
        "set tics out nomirror\nset lmargin 9\nset multiplot layout 1,3\nset xrange [1e-4:1e3]\nset logscale x\nset format x '10^{%L}'\n"
        "set key top left Left reverse samplen 1.5\n"
        "set xlabel '|TD error| when last learnt from'\nset ylabel 'share, %'\n" + plots +
        "unset logscale x\nset xrange [0:*]\nset yrange [0:*]\nset format x '%.0s%c'\n"
        "set xlabel 'age, policy steps'\nset ylabel 'draws, times those drawn alike'\n"
        f"set title 'by age'\nplot {', '.join(ages)}, 1 with lines dt 2 lc rgb '#555555' title 'drawn alike'\n"
        "unset multiplot\n")
    text = f"By the priorities that the run ends with: {'; '.join(said)}. Drawn alike it would be 10 % of each."
    return "What prioritised replay draws", text, picture.name


FIGURES = {
    "multigoal": report_figures_nets.multigoal,
    "crawler-table": crawler,
    "c51": report_figures_nets.c51,
    "svg-k": svg,
    "per": replay,
}


def figures(rows, done, args):
    """(title, what it came to, picture) for each page that has a figure, and how many could not be drawn, which is said. A page
    that was not asked for has none."""
    drawn, broken = [], 0
    for page, draw in FIGURES.items():
        of_page = [r for r in rows if r.page == page]
        if not of_page:
            continue
        try:
            if not all((page, r.label, s) in done for r in of_page for s in r.seeds):
                raise ValueError("not all of its runs were made")
            drawn.append(draw(of_page, done, args))
        except (OSError, ValueError, LookupError, ArithmeticError, struct.error, subprocess.CalledProcessError) as e:
            print(f"report: the figure of {page} is not drawn: {type(e).__name__}: {e}", file=sys.stderr)
            broken += 1
    return drawn, broken
