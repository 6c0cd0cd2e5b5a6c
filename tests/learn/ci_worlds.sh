#!/bin/bash
# Worlds without a bus are learned in the daemon's own loop: Gymnasium's MountainCarContinuous-v0 by the settings of its robot
# file, to its threshold of 90 after 50,000 steps; the two-link arm and the six-joint one, after 20,000 of the 100,000 and
# 60,000 steps that they are given. CartPole by DQN, to its 475.
#
# Before that: the worlds with choices run, and the same seed gives the same episodes. With sanitizers only that.
set -eu
. "$(dirname "$0")/lib.sh"

idle=(--seed 1 --steps 300 --set policy.kind=hold --set learner.learning_starts=0)

# --- the same seed twice; a car that coasts never arrives, a cart that is always pushed to the left drops its pole ---
for robot in cartpole acrobot mountaincar; do
    config=deploy/robots/$robot.yaml
    for i in a b; do
        run "${idle[@]}" >"$work/$i"
    done
    cmp -s <(sed -E 's/"wall_s": [^,]*//' "$work/a") <(sed -E 's/"wall_s": [^,]*//' "$work/b") || fail "$robot: the same seed gave another run"
    [ "$(get eval_episodes "$work/a")" = 10 ] || fail "$robot: 10 episodes were asked"
    echo "$robot, nobody decides: mean return $(get eval_mean_reward "$work/a")"
done
[ "$(get eval_mean_reward "$work/a")" = -200.0 ] || fail "a car that coasts has -200" # the last of them

unless_sanitized

judge() { # ROBOT STEPS SEED ASKED
    local mean
    config=deploy/robots/$1.yaml
    run --seed "$3" --steps "$2" >"$work/long"
    mean=$(get eval_mean_reward "$work/long")
    echo "$1, $2 steps, seed $3: mean return $mean of $(get eval_episodes "$work/long") episodes; asked $4"
    awk -v m="$mean" -v a="$4" 'BEGIN { exit !(m >= a) }' || fail "$1 is not learned"
}
judge mountaincar-continuous 50000 1 90
judge mountaincar-continuous 50000 2 90
judge cartpole 50000 1 475
judge reacher2 20000 1 -7 # without torque it has -10.5, at random -43
judge arm-reach 20000 1 -4 # without a motion it has -15
