#!/bin/bash
# Oracle 14.10: soft Q-learning finds four goals that are alike, each in 10 to 40 of 100 episodes, within 10,000 steps.
# With sanitizers only that it runs.
set -eu
config=deploy/robots/multigoal.yaml
. "$(dirname "$0")/lib.sh"
steps=10000
if is_sanitized; then steps=1100; fi
run --seed 1 --steps $steps >"$work/out"
fractions=$(sed -nE 's/.*"goal_fractions": \[([^]]*)\].*/\1/p' "$work/out")
echo "after $steps steps: $fractions, mean return $(get eval_mean_reward "$work/out")"
[ -n "$fractions" ]
[ $steps -eq 10000 ] || exit 0
awk -F', ' '{ for (i = 1; i <= 4; i++) if ($i < 0.1 || $i > 0.4) exit 1 }' <<<"$fractions"
