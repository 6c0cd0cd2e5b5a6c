#!/bin/bash
# The pendulum learns to swing up: 10,000 steps of Gymnasium's Pendulum-v1 in the loop that drives a body without a bus.
#
# Before that: the same seed gives the same weights, also from a checkpoint on, another another. With sanitizers only that.
set -eu
config=deploy/robots/pendulum.yaml
. "$(dirname "$0")/lib.sh"

# --- the same seed twice, and another; so many whole episodes are judged ---
short=(--steps 450 --set task.eval_episodes=3)
same_twice weights_hash,eval_mean_reward,run_id "${short[@]}"
[ "$(get steps "$work/a")" = 450 ] && [ "$(get updates "$work/a")" = 350 ] || fail "450 steps were asked, 350 updates"
[ "$(get eval_episodes "$work/a")" = 3 ] || fail "3 episodes were asked, $(get eval_episodes "$work/a") judged"

# --- from its checkpoint of 200 steps it ends as it did ---
run --seed 1 "${short[@]}" --run-dir "$work/run" --checkpoint-steps 200 >"$work/kept"
run --seed 1 "${short[@]}" --resume "$work/run/ckpt-000000000200" >"$work/resumed"
for key in weights_hash eval_mean_reward; do
    [ "$(get $key "$work/a")" = "$(get $key "$work/kept")" ] || fail "checkpoints change $key"
    [ "$(get $key "$work/a")" = "$(get $key "$work/resumed")" ] || fail "resumed, it ends with another $key"
done

unless_sanitized

# --- learning: 100 episodes each; random driving has -1200, the best average known is about -140 ---
for seed in 1 2; do
    run --seed $seed --steps 10000 >"$work/long"
    mean=$(get eval_mean_reward "$work/long")
    echo "seed $seed: mean return $mean of $(get eval_episodes "$work/long") episodes; asked -200"
    [ "$(get eval_episodes "$work/long")" = 100 ] || fail "100 episodes were asked"
    awk -v m="$mean" 'BEGIN { exit !(m >= -200) }' || fail "the pendulum has not learned to swing up"
done
