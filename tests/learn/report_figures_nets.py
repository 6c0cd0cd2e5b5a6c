"""Pictures of what networks say: soft Q-learning's landscape with the ways through it, and C51's distributions of returns."""

import math
import random

import report_pages
from report_read import Net, settings, softmax, tensors, trace

GOALS = {"right": (1, 0), "left": (-1, 0), "up": (0, 1), "down": (0, -1)}  # in the order of goal_fractions
STATES = [(-2.5, 0.0), (0.0, 0.0), (2.5, 2.5)]  # those of the paper's figure


def block(name, rows):
    """Rows as a named block of gnuplot's; None: an empty line."""
    lines = ("" if r is None else " ".join(x if isinstance(x, str) else f"{x:g}" for x in r) for r in rows)
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def grid(name, most, n, value):
    """value(x, y) on n x n points from -most to most: the values, and gnuplot's blocks NAME of them and NAMEc of ten lines of equal
    value, with as many of the points between two of them as between any other two."""
    at = [most * (2 * k / (n - 1) - 1) for k in range(n)]
    table = {(x, y): value(x, y) for y in at for x in at}
    rows = [row for y in at for row in [*((x, y, table[x, y]) for x in at), None]]
    ordered = sorted(table.values())
    levels = ", ".join(f"{ordered[k * len(ordered) // 11]:g}" for k in range(1, 11))
    return table, block(name, rows) + (
        f"set contour base\nset cntrparam levels discrete {levels}\nunset surface\nset table ${name}c\nsplot ${name} using 1:2:3 notitle\n"
        "unset table\nset surface\nunset contour\n")


def pane(name, title, most, n):
    """A square picture of such blocks; what is drawn over it follows."""
    wide = most * n / (n - 1)  # to the outer edge of its pixels
    return (f"set title {title}\nset xrange [-{wide:g}:{wide:g}]\nset yrange [-{wide:g}:{wide:g}]\n"
            f"plot ${name} using 1:2:3 with image notitle, ${name}c using 1:2 with lines lw 0.8 lc rgb '#ffffff' notitle")


class SoftQ:
    """Q(s, a) and V(s) of a checkpoint of soft Q-learning in the multi-goal world; s in metres."""

    def __init__(self, arrays, c):
        self.q, self.f = Net(arrays, "critic"), Net(arrays, "sampler")
        self.alpha, self.bound = float(c["policy.ent_coef"]), float(c["sim.bound_m"])  # observed: s / bound
        middles = [k / 3 + 1 / 6 for k in range(-3, 3)]
        self.actions = [(a, b) for a in middles for b in middles]

    def value_of(self, s, a):
        return self.alpha * self.q([s[0] / self.bound, s[1] / self.bound, *a])[0]

    def value(self, s):
        """alpha log of the integral of exp(Q / alpha) over all actions: equation 10 of arXiv:1702.08165, by the midpoint rule."""
        q = [self.value_of(s, a) for a in self.actions]
        top = max(q)
        return top + self.alpha * math.log(sum(math.exp((x - top) / self.alpha) for x in q) / len(q) * 4)

    def off(self, episodes, gamma, n):
        """|Q(s, a) - (r + gamma V(s'))| in the mean over the first n steps of episodes."""
        errors = []
        for e in episodes:
            for k, (a, r) in enumerate(zip(e.actions, e.rewards)):
                s, s2 = ([x * self.bound for x in o] for o in e.observations[k : k + 2])
                last = k + 1 == len(e.actions) and e.end == "terminal"
                if len(errors) < n:
                    errors.append(abs(self.value_of(s, a) - r - (0 if last else gamma * self.value(s2))))
        return sum(errors) / len(errors)

    def draw(self, s, rng):
        xi = [rng.gauss(0, 1), rng.gauss(0, 1)]
        return [math.tanh(u) for u in self.f([s[0] / self.bound, s[1] / self.bound, *xi])]


def landscape(z, episodes, picture, c, small):
    """The soft value with all roll-outs over it; beside it Q(s, .) in three states, and what the sampler draws there. Returns the
    value of the actions in the middle."""
    rng, n, n_q = random.Random(1), 9 if small else 25, 9 if small else 21
    goal_m, radius_m = float(c["sim.goal_distance_m"]), float(c["sim.goal_radius_m"])
    _, data = grid("v", z.bound, n, lambda x, y: z.value((x, y)))
    ways = []
    for e in episodes:
        ways += [(o[0] * z.bound, o[1] * z.bound) for o in e.observations] + [None, None]
    data += block("ways", ways) + block("goals", [(goal_m * x, goal_m * y, radius_m) for x, y in GOALS.values()])
    data += block("states", [(*s, str(k + 1)) for k, s in enumerate(STATES)])
    tables = []
    for k, s in enumerate(STATES):
        table, text = grid(f"q{k}", 1, n_q, lambda x, y, s=s: z.value_of(s, (x, y)))
        tables.append(table)
        data += text + block(f"a{k}", [z.draw(s, rng) for _ in range(100)])
    script = (f"set terminal svg size 1100,980 font 'sans,13' background '#ffffff'\nset output '{picture}'\n{data}"
              "set palette defined (0 '#2b5c8a', 0.5 '#f2f0e6', 1 '#c0392b')\nset size ratio -1\nset tics out nomirror\n"
              "set style textbox opaque noborder margins 1,1\nset multiplot\nset origin 0.1,0.32\nset size 0.8,0.68\n"
              "set xlabel 'x, m'\nset ylabel 'y, m'\nset cblabel 'V(s)'\n"
              + pane("v", f"'soft value V(s), and {len(episodes)} roll-outs from the middle'", z.bound, n) +
              ", $ways using 1:2 with lines lw 0.7 lc rgb '#303030' notitle, "
              "$goals using 1:2:3 with circles lc rgb '#000000' lw 2.5 notitle, "
              "$states using 1:2 with points pt 7 ps 0.9 lc rgb '#f1c40f' notitle, "
              "$states using 1:($2+0.55):3 with labels boxed font ',13' notitle\nset xlabel 'step in x, m'\nset ylabel 'step in y, m'\n"
              "unset cblabel\nset xtics 0.5\nset ytics 0.5\n")
    for k, s in enumerate(STATES):
        script += (f"set origin {k / 3:.3f},0\nset size 0.333,0.34\n" +
                   pane(f"q{k}", f"'{k + 1}: Q(s, a) at s = ({s[0]:g}, {s[1]:g})'", 1, n_q) +
                   f", $a{k} using 1:2 with points pt 7 ps 0.35 lc rgb '#000000' notitle\n")
    report_pages.gnuplot(script + "unset multiplot\n")
    return tables[1]


def multigoal(rows, done, args):
    row, seed = rows[0], rows[0].seeds[0]
    folder, c = row.folder(args.out, seed), settings(args.bin / "basald", row)
    z, episodes = SoftQ(tensors(folder), c), trace(folder)
    table = landscape(z, episodes, args.out / "multigoal-landscape.svg", c, args.small)
    went = ", ".join(f"{100 * x:.0f} % {name}" for name, x in zip(GOALS, done[row.page, row.label, seed]["goal_fractions"]))
    best = {name: max(q for (a, b), q in table.items() if a * x + b * y > abs(a * y) + abs(b * x)) for name, (x, y) in GOALS.items()}
    said = ", ".join(f"{name} {q:.4g}" for name, q in best.items())
    text = (f"Of {len(episodes)} roll-outs from the middle {went} arrived. The best step there towards each goal is worth: {said}; "
            f"standing still {z.value_of((0, 0), (0, 0)):.4g}; the soft value is {z.value((0, 0)):.4g}. Along the way Q is off by "
            f"{z.off(episodes, float(c['learner.gamma']), 50):.3g} of what its equation asks in the mean. Dots are 100 draws of the "
            "sampler in the states 1 to 3; as much of the picture lies between two lines of equal value as between any others, blue is low "
            "and red is high.")
    return "Soft Q-learning: four goals that are alike", text, "multigoal-landscape.svg"


CARTPOLE = {  # cart m, m/s, pole rad, rad/s
    "upright, at rest": (0.0, 0.0, 0.0, 0.0),
    "leaning to the right by 0.15 rad": (0.0, 0.0, 0.15, 0.0),
    "0.2 m from the end, 0.5 m/s towards it": (2.2, 0.5, 0.0, 0.0),
}


def check_greedy(values, episode):
    """The network as read here must choose as the daemon did; an equal value up to rounding is no other choice."""
    for s, a in zip(episode.observations, episode.actions):
        v = values(s)
        if max(v) - v[int(a[0])] > 1e-3 * max(1.0, abs(max(v))):
            raise ValueError(f"in {s} the evaluation chose {a[0]:g}, the checkpoint's network says {v}")


def c51(rows, done, args):
    row, seed = rows[0], rows[0].seeds[0]
    folder, c = row.folder(args.out, seed), settings(args.bin / "basald", row)
    net, episodes = Net(tensors(folder), "q"), trace(folder)
    n, low, high, gamma = (float(c[k]) for k in ("policy.n_atoms", "policy.v_min", "policy.v_max", "learner.gamma"))
    n = int(n)
    atoms = [low + k * (high - low) / (n - 1) for k in range(n)]

    def distributions(s):
        out = net(s)
        return [softmax(out[k : k + n]) for k in range(0, len(out), n)]

    def means(s):
        return [sum(p * x for p, x in zip(d, atoms)) for d in distributions(s)]

    check_greedy(means, episodes[0])
    data, plots, said, half = "", "", [], (high - low) / (n - 1) / 2
    for k, (name, s) in enumerate(CARTPOLE.items()):
        ds, m = distributions(s), means(s)
        top = 1.1 * max(map(max, ds))
        data += block(f"d{k}", [(x - half, *p) for x, *p in [*zip(atoms, *ds), (high + 2 * half, ds[0][-1], ds[1][-1])]])
        data += "".join(block(f"m{k}{a}", [(m[a], 0), (m[a], top)]) for a in (0, 1))
        said.append(f"{name}: {m[0]:.3g} and {m[1]:.3g}")
        curves = [f"$d{k} using 1:{a + 2} with fillsteps fc rgb '{report_pages.COLOURS[a]}' fs transparent solid 0.4 title '{t}'"
                  for a, t in enumerate(("push left", "push right"))]
        lines = [f"$m{k}{a} using 1:2 with lines dt 2 lw 2 lc rgb '{report_pages.COLOURS[a]}' title '{'mean' * a}'" for a in (0, 1)]
        plots += f"set title '{name}'\nset yrange [0:{top:g}]\nplot {', '.join(curves + lines)}\nset key off\n"
    picture = args.out / "c51-returns.svg"
    report_pages.gnuplot(f"set terminal svg size 1180,400 font 'sans,13' background '#ffffff'\nset output '{picture}'\n{data}"
                         f"set xrange [{low - half:g}:{high + half:g}]\nset xlabel 'discounted return'\nset ylabel 'probability' offset 1\n"
                         f"set lmargin 10\nset tics out nomirror\nset key top left Left reverse\n"
                         f"set multiplot layout 1,3\n{plots}unset multiplot\n")
    was = sum(e.discounted(gamma) for e in episodes) / len(episodes)
    expected = sum(max(means(e.observations[0])) for e in episodes) / len(episodes)
    text = (f"Mean returns of pushing left and right (dashed): {'; '.join(said)}. At the start of the {len(episodes)} episodes of the "
            f"evaluation {expected:.3g} is expected in the mean; {was:.3g} was seen until they ended.")
    return "C51: distributions of returns", text, "c51-returns.svg"
