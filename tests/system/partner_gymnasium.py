"""Gymnasium's worlds beside ours, step by step: partner_gymnasium.py WORLD_STEPS [--no-mujoco].

Our world begins where its own reset puts it and is driven at random; Gymnasium's is put there and driven alike, until an
episode ends and the next begins. Compared: observation, reward, end. MuJoCo's worlds once on Gymnasium's own XML file, once on
our model; the others are put where ours is before each step, for chaos makes much of the last bit.
One JSON line for each world; exit status 1 if one differs.
"""
import json
import os
import subprocess
import sys

import gymnasium
import numpy

ASSETS = os.path.join(os.path.dirname(gymnasium.__file__), "envs", "mujoco", "assets")
STEPS = 100
TOLERANCE = 1e-5  # of values up to 1, and of larger ones relative: our observations are floats
LAST = "the reward of the last step"  # v4 pays for being alive there, v5 does not


def pairs(line):  # place and speed of each joint in turn
    return [x for pair in zip(line["q"], line["qd"]) for x in pair]


def places_first(line):
    return line["q"] + line["qd"]


CLASSIC = [  # robot, Gymnasium's world, its state, settings of ours: short episodes, some near the end
    ("pendulum", "Pendulum-v1", pairs, []),
    ("cartpole", "CartPole-v1", pairs, []),
    ("mountaincar", "MountainCar-v0", pairs, ["sim.reset_min=0.49", "sim.reset_max=0.4999", "task.episode_s=1"]),
    ("mountaincar-continuous", "MountainCarContinuous-v0", pairs,
     ["sim.reset_min=0.4485", "sim.reset_max=0.4499", "task.episode_s=1"]),
    ("acrobot", "Acrobot-v1", places_first, ["sim.reset=3", "task.episode_s=10"]),
    # before the elbow meets its stops, which are soft there; its tip is that of the engine's last stage: 5e-6 off
    ("reacher2", "Reacher-v5", None, ["task.episode_s=0.2"]),
]
MUJOCO = [  # robot, Gymnasium's world, its file, settings, what is not compared
    ("inverted-pendulum", "InvertedPendulum-v4", "inverted_pendulum.xml", {}, ()),
    ("inverted-double-pendulum", "InvertedDoublePendulum-v5", "inverted_double_pendulum.xml", {}, ()),
    ("reacher", "Reacher-v5", "reacher.xml", {}, ()),
    ("swimmer", "Swimmer-v4", "swimmer.xml", {}, ()),
    ("hopper", "Hopper-v4", "hopper.xml", {}, ()),
    ("walker2d", "Walker2d-v5", "walker2d_v5.xml", {}, (LAST,)),
    ("half-cheetah", "HalfCheetah-v4", "half_cheetah.xml", {}, ()),
    ("ant", "Ant-v4", "ant.xml", {}, ()),
    ("humanoid", "Humanoid-v5", "humanoid.xml", {"contact_cost_weight": 0}, (LAST,)),
]


def far(ours, theirs):
    ours, theirs = numpy.asarray(ours, float), numpy.asarray(theirs, float)
    if ours.shape != theirs.shape:
        return float("inf")
    return float(numpy.max(numpy.abs(ours - theirs) / numpy.maximum(1.0, numpy.abs(theirs))))


def put(world, line, order):
    """Gymnasium's world where ours is; order: None where the engine is MuJoCo."""
    if order is not None:
        world.state = numpy.array(order(line))
        return
    goal = line.get("target", [])
    world.set_state(numpy.array(line.get("qpos", line["q"] + goal)), numpy.array(line.get("qvel", line["qd"] + 2 * [0.0])))
    if hasattr(world, "goal"):
        world.goal = numpy.array(goal or line["qpos"][2:])


def as_asked(space, act):
    if isinstance(space, gymnasium.spaces.Discrete):
        return int(act[0])
    return space.low + (numpy.array(act) + 1) / 2 * (space.high - space.low)


def follow(lines, env, order, each_step, spared):
    """The largest difference, and how many ends were compared."""
    worst, ends = 0.0, 0
    for line in lines:
        if line["fresh"]:
            env.reset(seed=0)
        if line["fresh"] or each_step:
            put(env.unwrapped, line, order)
        obs, reward, terminated, _, _ = env.step(as_asked(env.action_space, line["act"]))
        ends += bool(terminated)
        if terminated != bool(line["terminal"]):
            return float("inf"), ends
        worst = max(worst, far(line["obs2"], obs))
        if not (terminated and LAST in spared):
            worst = max(worst, far(line["reward"], reward))
    return worst, ends


def compare(robot, name, settings, variants, **how):
    differences, ends = {}, 0
    for label, sets in variants:
        out = subprocess.run([sys.argv[1], f"deploy/robots/{robot}.yaml", "1", str(STEPS)] + sets,
                             check=True, capture_output=True, text=True).stdout
        env = gymnasium.make(name, max_episode_steps=10 * STEPS, **settings)
        differences[label], ends = follow([json.loads(s) for s in out.splitlines()], env, **how)
        env.close()
    same = max(differences.values()) <= TOLERANCE
    print(json.dumps({"world": name, "robot": robot, "good": same, "steps": STEPS, "ends": ends,
                      "largest_difference": differences}))
    return same


def main():
    good = True
    for robot, name, order, sets in CLASSIC:
        good = compare(robot, name, {}, [("ours", sets)], order=order, each_step=True, spared=()) and good
    if "--no-mujoco" in sys.argv:
        print(json.dumps({"skipped": [row[1] for row in MUJOCO], "why": "this build has no MuJoCo"}))
        sys.exit(not good)
    for robot, name, xml, settings, spared in MUJOCO:
        variants = [("its_file", ["sim.model=" + os.path.join(ASSETS, xml)]), ("our_model", [])]
        good = compare(robot, name, settings, variants, order=None, each_step=False, spared=spared) and good
    sys.exit(not good)


main()
