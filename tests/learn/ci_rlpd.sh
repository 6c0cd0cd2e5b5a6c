#!/bin/bash
# RLPD as published (deploy/examples/rlpd.yaml): with what SAC experienced before, the pendulum is learnt in fewer steps than
# without. Nothing is judged in a build with sanitizers.
set -eu
config=deploy/robots/pendulum.yaml
. "$(dirname "$0")/lib.sh"
unless_sanitized 77

run --seed 11 --steps 8000 --run-dir "$work/sac" --checkpoint-steps 8000 >/dev/null
config=deploy/examples/rlpd.yaml
mean() { # SEED FLAG...
    run --steps 600 --seed "$@" >"$work/out"
    get eval_mean_reward "$work/out"
}
for seed in 1 2 3; do
    echo "$seed $(mean $seed) $(mean $seed --prior "$work/sac")"
done | tee "$work/means"

# measured: -478, -214, -160 without, -163, -159, -166 with
awk '{ without += $2 / NR_SEEDS; with += $3 / NR_SEEDS }
    END { printf "600 steps, mean of 3 seeds: %.0f without prior data, %.0f with; asked: -250, and 50 better\n", without, with
          exit !(with >= -250 && with - without >= 50) }' NR_SEEDS=3 "$work/means" || fail "prior data do not help"
