#!/bin/bash
# What the README says of the six-joint arm's tasks: SAC reaches, on its bus too, turns the valve and holds against pushes, by
# the settings of its robot files; the mean success of three seeds, learned side by side, each judged over 200 episodes. Beside
# it an arm that does nothing but hold its pose. One JSON line a task; about an hour on two processors.
set -eu
. "$(dirname "$0")/lib.sh"
unless_sanitized 77

reach_steps=60000
hold_steps=60000
valve_steps=240000 # as in the head of arm-valve.yaml
bad=0

rate() { run --set task.eval_episodes=200 "$@" >"$work/$seed" && get success_rate "$work/$seed"; } # FLAG...

judge() { # ROBOT STEPS LEAST STILL-MOST
    local seed rates still
    config=deploy/robots/$1.yaml
    for seed in 1 2 3; do
        rate --seed $seed --steps "$2" >"$work/rate-$seed" &
    done
    wait
    rates=$(paste -d, "$work"/rate-{1,2,3})
    still=$(seed=still rate --seed 1 --steps 100 --set policy.kind=hold --set learner.learning_starts=0)
    awk -F, -v task="$1" -v steps="$2" -v least="$3" -v still="$still" -v most="$4" '{
        mean = ($1 + $2 + $3) / 3
        good = NF == 3 && mean >= least && still <= most
        printf "{\"test\": \"%s\", \"good\": %s, \"steps\": %d, \"success_rates\": [%s], \"mean\": %.3f, \"asked\": %s, " \
            "\"holding_its_pose\": %s, \"at_most\": %s}\n", task, good ? "true" : "false", steps, $0, mean, least, still, most
        exit !good }' <<<"$rates" || bad=1
}
judge arm-reach $reach_steps 0.95 0.05
judge arm-reach-can $reach_steps 0.95 0.05
judge arm-hold $hold_steps 0.9 0.25
judge arm-valve $valve_steps 0.9 0.05
exit $bad
