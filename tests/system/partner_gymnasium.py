"""Gymnasium's MuJoCo worlds beside ours, step by step: partner_gymnasium.py WORLD_STEPS.

Our world begins where its own reset puts it and is driven at random; Gymnasium's is put there and driven alike, until an
episode ends and the next begins. Compared: observation, reward, end. Once on Gymnasium's own XML file, once on our model.
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

WORLDS = [  # robot, Gymnasium's world, its file, settings, what is not compared
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


def follow(lines, env, spared):
    """The largest difference, and how many steps and ends were compared."""
    world, low, high = env.unwrapped, env.action_space.low, env.action_space.high
    worst, ends = 0.0, 0
    for line in lines:
        if line["fresh"]:
            env.reset(seed=0)
            world.set_state(numpy.array(line.get("qpos", line["q"])), numpy.array(line["qvel"]))
            if hasattr(world, "goal"):
                world.goal = numpy.array(line["qpos"][2:])
        action = low + (numpy.array(line["act"]) + 1) / 2 * (high - low)
        obs, reward, terminated, _, _ = env.step(action)
        ends += terminated
        if terminated != bool(line["terminal"]):
            return float("inf"), ends
        worst = max(worst, far(line["obs2"], obs))
        if not (terminated and LAST in spared):
            worst = max(worst, far(line["reward"], reward))
    return worst, ends


def main():
    good = True
    for robot, name, xml, settings, spared in WORLDS:
        differences, ends = {}, 0
        for label, sets in (("its_file", ["sim.model=" + os.path.join(ASSETS, xml)]), ("our_model", [])):
            out = subprocess.run([sys.argv[1], f"deploy/robots/{robot}.yaml", "1", str(STEPS)] + sets,
                                 check=True, capture_output=True, text=True).stdout
            env = gymnasium.make(name, max_episode_steps=10 * STEPS, **settings)
            differences[label], ends = follow([json.loads(s) for s in out.splitlines()], env, spared)
            env.close()
        same = max(differences.values()) <= TOLERANCE
        good = good and same
        print(json.dumps({"world": name, "good": same, "steps": STEPS, "ends": ends, "largest_difference": differences}))
    sys.exit(not good)


main()
