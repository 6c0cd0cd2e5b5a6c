"""What is asked of a row, and whether its results are so."""

import re

PRESENT = 0.1  # a goal counts as found from this share of the episodes on

# What can be asked of each seed's result, by name.
QUANTITIES = {
    "return": lambda r: r["eval_mean_reward"],
    "per_step": lambda r: r["eval_mean_reward"] / r["eval_mean_ep_length"],
    "goals": lambda r: sum(f >= PRESENT for f in r["goal_fractions"]),
    "top_goal": lambda r: max(r["goal_fractions"]),
}


def parse(text):
    """The least mean of the returns, or None, and bounds: [(quantity, sense, value)]. ValueError: it is neither."""
    mean, bounds = None, []
    for part in [] if text == "-" else text.split(","):
        bound = re.fullmatch(r"(\w+)(>=|<=)(\S+)", part)
        if bound is None:
            mean = float(part)
        elif bound[1] in QUANTITIES:
            bounds.append((bound[1], bound[2], float(bound[3])))
        else:
            raise ValueError(f"{bound[1]} is none of {', '.join(QUANTITIES)}")
    return mean, bounds


def measured(row, done, quantity):
    """A quantity of each seed that was run; seeds whose result lacks it are left out."""
    out = []
    for seed in row.seeds:
        result = done.get((row.page, row.label, seed))
        try:
            out.append(QUANTITIES[quantity](result))
        except (KeyError, TypeError, ZeroDivisionError):  # not run, not of this world, or no episode ended
            continue
    return [x for x in out if x is not None]


def judge(row, done):
    """A row's returns, their mean, and whether it is as asked (None: not judged)."""
    got = measured(row, done, "return")
    mean = sum(got) / len(got) if got else None
    verdicts = [] if row.asked is None or mean is None else [mean >= row.asked]
    for quantity, sense, value in row.bounds:
        each = measured(row, done, quantity)
        verdicts += [x >= value if sense == ">=" else x <= value for x in each]
    return got, mean, all(verdicts) if verdicts else None


def told(row, done):
    """The quantities that bounds speak of, as words."""
    names = dict.fromkeys(q for q, _, _ in row.bounds if q != "return")
    return "; ".join(f"{q} " + ", ".join(f"{x:.4g}" for x in measured(row, done, q)) for q in names)
