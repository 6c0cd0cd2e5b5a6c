#!/bin/bash
# Oracle 14.10, and environments.md 2.4: a table learns the discrete crawler. Its best gait for a discount of 0.9 makes 3.368062
# a step; within 20,000 steps of epsilon 0.5 on 10 of 10 seeds. Value iteration, least squares and Sarsa beside it, the product
# action set, and the gridworld. A run is 20 ms.
set -eu
. "$(dirname "$0")/lib.sh"
seeds="1 2 3 4 5 6 7 8 9 10"

judge() { # WHAT LEAST ROBOT FLAGS: reward per step of each seed; the robot's deterministic evaluation
    local what=$1 least=$2 speeds=""
    config=deploy/robots/$3.yaml
    shift 3
    for seed in $seeds; do
        run --seed "$seed" "$@" >"$work/out"
        speed=$(awk -v r="$(get eval_mean_reward "$work/out")" -v n="$(get eval_mean_ep_length "$work/out")" 'BEGIN { printf "%.4f", r / n }')
        speeds="$speeds $speed"
        awk -v s="$speed" -v l="$least" 'BEGIN { exit !(s >= l) }' || fail "$what, seed $seed: $speed a step, $least asked"
    done
    echo "$what:$speeds"
}

judge "Q-learning, epsilon 0.5" 3.36 crawler-grid --steps 20000
judge "Q-learning out of the replay" 3.36 crawler-grid --steps 5000 --set policy.experience_replay=true --set learner.batch_size=32
judge "linear, one-hot" 3.36 crawler-grid --steps 20000 --set policy.kind=linearq --set policy.features=one_hot
judge "Q-learning, gamma 0.8" 1.758 crawler-grid --steps 20000 --set learner.gamma=0.8
judge "Q-learning, both joints" 3.5 crawler-grid --steps 20000 --set sim.product=true
seeds="1 2 3"
judge "value iteration" 3.36 crawler-grid --steps 200 --set policy.solver=value_iteration
judge "least squares" 3.36 crawler-grid --steps 20000 --set policy.kind=linearq --set policy.solver=lspi --set policy.features=one_hot \
    --set learner.batch_size=500 --set learner.learning_starts=5000 --set learner.train_freq=3000
judge "Sarsa, less and less exploring" 1.7 crawler-grid --steps 100000 --set policy.kind=sarsa --set policy.exploration_initial_eps=1 \
    --set policy.exploration_final_eps=0 --set policy.exploration_steps=80000 --set policy.learning_rate=0.2
judge "the gridworld of the book" 0.1 gridworld --steps 20000
