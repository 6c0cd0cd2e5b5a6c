#!/bin/bash
# RLPD as published (deploy/examples/rlpd.yaml): with what SAC experienced before, the pendulum is learnt in fewer steps than
# without. Nothing is judged in a build with sanitizers.
set -eu
bin=${BASAL_BIN:?}/basald
[ -x "$bin" ] || exit 77
if ldd "$bin" | grep -qE 'lib(asan|tsan|ubsan|clang_rt)'; then
    echo "a build with sanitizers: no learning is judged"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$bin" --lockstep --config deploy/robots/pendulum.yaml --json --seed 11 --steps 8000 --run-dir "$work/sac" \
    --checkpoint-steps 8000 >/dev/null
mean() { # seed flags
    "$bin" --lockstep --config deploy/examples/rlpd.yaml --json --steps 600 --seed "$@" |
        sed -nE 's/.*"eval_mean_reward": ([^,]*).*/\1/p'
}
for seed in 1 2 3; do
    echo "$seed $(mean $seed) $(mean $seed --prior "$work/sac")"
done | tee "$work/means"

# measured: -516, -553, -390 without, -152, -167, -163 with
awk '{ without += $2 / NR_SEEDS; with += $3 / NR_SEEDS }
    END { printf "600 steps, mean of 3 seeds: %.0f without prior data, %.0f with; asked: -250, and 150 better\n", without, with
          exit !(with >= -250 && with - without >= 150) }' NR_SEEDS=3 "$work/means" || {
    echo "FAILED: prior data do not help"
    exit 1
}
