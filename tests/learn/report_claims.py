"""The lecture's comparisons: what is claimed, each seed's numbers, whether it held, and a picture."""

import itertools
import statistics
from typing import NamedTuple

import report_judge
import report_pages

LATE = 0.8  # a run's end: the steps after this part of them
IN_A_ROW = 10  # so many episodes by whose mean a world counts as solved
REPLAYS = ["uniform", "rank", "proportional"]
LECTURE = ["SAC", "TD3", "DDPG", "PPO", "soft Q"]


class Claim(NamedTuple):
    title: str
    says: str  # the claim, and what came of it
    how: str  # how that was measured
    head: list
    lines: list  # cells of text
    picture: str  # or None
    held: bool  # None: not judged

    def verdict(self):
        return "Not judged." if self.held is None else "Held." if self.held else "Did not hold."


def pages_with(rows, labels):
    """(page, {label: row}) of those that have a row for each label."""
    for page in dict.fromkeys(r.page for r in rows):
        of_page = {r.label: r for r in rows if r.page == page}
        if all(label in of_page for label in labels):
            yield page, of_page


def shown(x):
    return "-" if x is None else f"{x:.4g}"


def counted(n):
    return "-" if n is None else f"{n:,.0f}"


# --- Double DQN: van Hasselt et al. 2016, arXiv:1509.06461, figure 3 ---


def late_mean(row, args, seed, key):
    """A metric's mean over the run's end; None: there is none."""
    lines = report_pages.weighed(report_pages.metrics(row, args.out, seed), key)
    late = [(v, w) for at, v, w in lines if at >= LATE * row.steps]
    weight = sum(w for _, w in late)
    return sum(v * w for v, w in late) / weight if weight > 0 else None


def overestimation(rows, args):
    for page, of_page in pages_with(rows, ["DQN", "Double DQN"]):
        lines, curves, off = [], [], {}
        for label in ("DQN", "Double DQN"):
            row = of_page[label]
            for seed in row.seeds:
                said, was = (late_mean(row, args, seed, k) for k in ("train/mean_q", "rollout/value_mean"))
                if said is not None and was is not None:
                    off.setdefault(label, []).append(said - was)
                    lines.append([label, str(seed), shown(said), shown(was), f"{said - was:+.4g}"])
            files = [(name, report_pages.curve_file(row, args.out, key))
                     for name, key in (("estimate", "train/mean_q"), ("what followed", "rollout/value_mean"))]
            curves += [(f"{label}: {name}", path) for name, path in files if path]
        if len(off) < 2:
            continue
        far = {label: statistics.mean(map(abs, x)) for label, x in off.items()}
        says = (f"Double DQN's values are closer to the discounted returns than DQN's: off by {far['Double DQN']:.3g} and "
                f"{far['DQN']:.3g} in the mean of the seeds.")
        how = (f"The last {100 * (1 - LATE):.0f} % of the steps: the mean over a batch of the replay of max_a Q(s, a), beside the mean over "
               "visited states of the discounted return that followed, exploration included.")
        picture = report_pages.draw(f"{page}-values.svg", page, "value of a state", curves, [], args.out)
        yield Claim(f"Overestimation: {page}", says, how, ["learner", "seed", "estimate", "what followed", "off by"], lines, picture,
                    None if args.small else far["Double DQN"] < far["DQN"])


# --- prioritised replay: Schaul et al. 2016, arXiv:1511.05952, section 3 and figure 1 ---


def updates_until(row, args, seed, level):
    """Updates when the mean of so many episodes in a row first was at that level; None: never."""
    ended = [(line["train/n_updates"], line["rollout/ep_rew_mean"]) for line in report_pages.metrics(row, args.out, seed)
             if line["train/n_updates"] > 0 and line.get("rollout/ep_rew_mean") is not None]
    for k in range(IN_A_ROW, len(ended) + 1):
        if sum(reward for _, reward in ended[k - IN_A_ROW : k]) / IN_A_ROW >= level:
            return ended[k - 1][0]
    return None


def median(counts):
    """Of updates; a seed that never got there is worse than any."""
    value = statistics.median([float("inf") if n is None else n for n in counts])
    return None if value == float("inf") else value


def fewer(one, other):
    return one is not None and (other is None or one < other)


def prioritised(rows, refs, args):
    lines, panels, wins, worlds = [], [], {"rank": [], "proportional": []}, []
    levels = {page: value for page, label, value in refs if label == "solved"}
    for page, of_page in pages_with(rows, REPLAYS):
        if page not in levels:
            continue
        counts = {k: [updates_until(of_page[k], args, s, levels[page]) for s in of_page[k].seeds] for k in REPLAYS}
        middle = {k: median(counts[k]) for k in REPLAYS}
        worlds.append(page)
        lines += [[page, k, "; ".join(map(counted, counts[k])), counted(middle[k])] for k in REPLAYS]
        panels.append((page, [(k, [n for n in counts[k] if n is not None], middle[k]) for k in REPLAYS]))
        for kind, won in wins.items():
            won += [page] if fewer(middle[kind], middle["uniform"]) else []
    if not worlds:
        return
    says = ("Prioritised replay needs fewer updates than uniform replay (medians of the seeds): "
            + "; ".join(f"{kind} in {len(won)} of {len(worlds)} worlds{' (' + ', '.join(won) + ')' if won else ''}" for kind, won in wins.items()) + ".")
    how = (f"Updates until the mean return of {IN_A_ROW} episodes in a row is "
           + ", ".join(f"{levels[w]:g} ({w})" for w in worlds) + " or more; -: not within the run, counted as worse than any.")
    yield Claim("Prioritised replay", says, how, ["world", "replay", "updates of each seed", "median"], lines, counts_picture(panels, args),
                None if args.small else all(len(won) == len(worlds) for won in wins.values()))


def counts_picture(panels, args):
    """A panel a world: a dot a seed, a stroke at the median."""
    plots = []
    for title, columns in panels:
        if any(counts for _, counts, _ in columns):
            dots = "".join(f"{k} {n}\n" for k, (_, counts, _) in enumerate(columns) for n in counts)
            strokes = "".join(f"{k - 0.3} {m} 0.6 0\n" for k, (_, _, m) in enumerate(columns) if m is not None)
            ticks = ", ".join(f"'{name}' {k}" for k, (name, _, _) in enumerate(columns))
            plots.append(f"set title \"{title}\"\nset xtics ({ticks})\n$dots << EOD\n{dots}EOD\n$strokes << EOD\n{strokes}EOD\n"
                         "plot $dots with points pt 7 ps 0.6 lc rgb '#1b6ca8' notitle"
                         + (", $strokes with vectors nohead lw 3 lc rgb '#c0392b' notitle\n" if strokes else "\n"))
    if not plots:
        return None
    head = "set logscale y\nset xrange [-0.6:2.6]\nset ylabel 'updates until solved'\nset grid y\n"
    return report_pages.panels("prioritised.svg", head, plots, args.out)


# --- instability: the lecture's DDPG slides; Haarnoja et al. 2018, arXiv:1801.01290, figure 1 ---


def worst_seeds(rows, done, args):
    """SAC's worst seed beside DDPG's, world by world; worlds that are not judged by returns do not count."""
    lines, plots, better, worlds = [], [], 0, 0
    for page, of_page in pages_with(rows, ["SAC", "DDPG"]):
        shown_rows = [of_page[k] for k in ("SAC", "DDPG", "DDPG, basic") if k in of_page]
        got = {r.label: report_judge.measured(r, done, "return") for r in shown_rows}
        if any(q != "return" for r in of_page.values() for q, _, _ in r.bounds) or not got["SAC"] or not got["DDPG"]:
            continue
        learned = report_judge.judge(of_page["SAC"], done)[2] is not False  # who stands still may be better than who tries
        worlds += 1
        better += learned and min(got["SAC"]) > min(got["DDPG"])
        lines += [[page, k, ", ".join(map(shown, x)), shown(min(x)), shown(max(x) - min(x))] for k, x in got.items() if x]
        plots.append(f"set title \"{page}\"\n" + seeds_plot(shown_rows, args))
    if worlds:
        says = f"SAC's worst seed is better than DDPG's: in {better} of {worlds} worlds; two are asked. One where SAC missed what is asked of it does not count."
        yield Claim("Worst seeds of SAC and DDPG", says, "Mean return of each seed's evaluation; in the picture a line is one seed's returns while learning.",
                    ["world", "learner", "returns of the seeds", "worst", "best less worst"], lines, seeds_picture(plots, args),
                    None if args.small or worlds < 2 else better >= 2)


def seeds_plot(rows, args):
    """A thin line a seed, a colour a learner."""
    parts = []
    for row, colour in zip(rows, report_pages.COLOURS):
        titles = itertools.chain([f"title \"{row.label}\""], itertools.repeat("notitle"))
        for seed in row.seeds:
            path = report_pages.seed_file(row, args.out, seed, "rollout/ep_rew_mean")
            if path:
                parts.append(f"'{path}' using 1:2 with lines lw 1 lc rgb '{colour}' {next(titles)}")
    return f"plot {', '.join(parts)}\n" if parts else ""


def seeds_picture(plots, args):
    head = "set xlabel 'policy steps'\nset ylabel 'return of an episode'\nset key below\nset grid\nset format x '%.0s%c'\n"
    plots = [p for p in plots if "plot " in p]
    return report_pages.panels("worst_seeds.svg", head, plots, args.out) if plots else None


# --- five learners on the same axes: Haarnoja et al. 2018, arXiv:1801.01290, figure 1 ---


def while_learning(row, args, steps):
    """The seeds' mean return around that step, of episodes while learning; None: not so far, or nothing ended."""
    curves = [report_pages.binned(report_pages.metrics(row, args.out, s), "rollout/ep_rew_mean", row.steps) for s in row.seeds]
    at = min(report_pages.BINS - 1, steps * report_pages.BINS // row.steps)
    known = [c[at] for c in curves if c[at] is not None]
    return sum(known) / len(known) if known else None


def lecture(rows, done, args):
    """SAC beside the others: as good as the best of them, as far as the seeds can tell."""
    for page, of_page in pages_with(rows, LECTURE):
        steps = min(of_page[k].steps for k in LECTURE)
        got = {k: report_judge.measured(of_page[k], done, "return") for k in LECTURE}
        if not all(got.values()):
            continue
        lines = [[k, f"{of_page[k].steps:,}", ", ".join(map(shown, got[k])), shown(statistics.mean(got[k])), shown(while_learning(of_page[k], args, steps))]
                 for k in sorted(LECTURE, key=lambda k: -statistics.mean(got[k]))]
        behind = [k for k in LECTURE if statistics.mean(got["SAC"]) < statistics.mean(got[k]) - max(statistics.pstdev(got["SAC"]), statistics.pstdev(got[k]))]
        says = ("SAC ends as high as TD3, DDPG, PPO and soft Q-learning: "
                + (f"it is behind {', '.join(behind)}." if behind else "none of them is ahead by more than the seeds differ."))
        how = f"Ahead: by more than the larger standard deviation of the two learners' seeds. The last column is of episodes while learning, at step {steps:,}."
        files = [(k, report_pages.curve_file(of_page[k], args.out, "rollout/ep_rew_mean")) for k in LECTURE]
        files = [(k, path) for k, path in files if path]
        picture = report_pages.draw(f"{page}-lecture.svg", page, "return of an episode", files, [], args.out, steps) if files else None
        yield Claim(f"SAC, TD3, DDPG, PPO, soft Q-learning: {page}", says, how, ["learner", "steps", "returns of the seeds", "mean", f"at {steps:,}"],
                    lines, picture, None if args.small else not behind)


def claims(rows, refs, done, args):
    yield from overestimation(rows, args)
    yield from prioritised(rows, refs, args)
    yield from worst_seeds(rows, done, args)
    yield from lecture(rows, done, args)
