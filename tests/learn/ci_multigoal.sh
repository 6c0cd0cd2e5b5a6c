#!/bin/bash
# Oracle 14.10: soft Q-learning finds four goals that are alike, each in 10 to 40 of 100 episodes, within 10,000 steps.
# With sanitizers only that it runs.
set -eu
bin=${BASAL_BIN:?}/basald
[ -x "$bin" ] || exit 77
steps=10000
if ldd "$bin" | grep -qE 'lib(asan|tsan|ubsan|clang_rt)'; then steps=1100; fi
result=$("$bin" --lockstep --config deploy/robots/multigoal.yaml --seed 1 --steps $steps --json)
fractions=$(sed -nE 's/.*"goal_fractions": \[([^]]*)\].*/\1/p' <<<"$result")
echo "after $steps steps: $fractions, $(sed -nE 's/.*("eval_mean_reward": [^,]*).*/\1/p' <<<"$result")"
[ -n "$fractions" ]
[ $steps -eq 10000 ] || exit 0
awk -F', ' '{ for (i = 1; i <= 4; i++) if ($i < 0.1 || $i > 0.4) exit 1 }' <<<"$fractions"
