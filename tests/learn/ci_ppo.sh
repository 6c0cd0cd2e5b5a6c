#!/bin/bash
# PPO in the loop: acting and learning take turns, the same seed is the same run, a checkpoint in the middle of a batch goes on
# bit for bit; 100,000 steps of Gymnasium's Pendulum-v1 swing it up. With sanitizers only what comes before learning.
set -eu
. "$(dirname "$0")/lib.sh"

# the pendulum's robot file with another algorithm's sections
awk '/^[a-z]+:/ { section = $1 }
    section == "policy:" && !/^policy:/ && !/rate_hz/ { next }
    section == "learner:" { next }
    { print }
    /^policy:/ { print "  kind: ppo\n  learning_rate: 1e-3" }
    END { print "learner: {train_freq: 2048, batch_size: 64, gamma: 0.9, learning_starts: 0}" }' \
    deploy/robots/pendulum.yaml >"$work/ppo.yaml"
config=$work/ppo.yaml

# --- ten updates of 50 steps; random at first; the old weights act one step more after each update ---
short=(--steps 611 --set task.eval_episodes=2 --set learner.train_freq=50 --set learner.batch_size=20
    --set learner.learning_starts=100 --set learner.normalize=true --set policy.norm_reward=true)
run --seed 1 "${short[@]}" --run-dir "$work/run" --checkpoint-steps 130 >"$work/a"
run --seed 1 "${short[@]}" >"$work/b"
run --seed 2 "${short[@]}" >"$work/c"
[ "$(get weights_hash "$work/a")" = "$(get weights_hash "$work/b")" ] || fail "the same seed gave other weights"
[ "$(get weights_hash "$work/a")" != "$(get weights_hash "$work/c")" ] || fail "two seeds gave the same weights"
[ "$(get updates "$work/a")" = 10 ] || fail "10 updates were due, $(get updates "$work/a") came"
dropped=$(tail -n 1 "$work/run/metrics.jsonl" | sed -nE 's/.*"rollout\/dropped_timesteps":([0-9]+).*/\1/p')
echo "10 updates of 50 steps in 611: $dropped dropped"
for at in 390 520; do
    run --seed 1 "${short[@]}" --resume "$work/run/ckpt-$(printf %012d $at)" >"$work/resumed"
    for key in weights_hash eval_mean_reward; do
        [ "$(get $key "$work/a")" = "$(get $key "$work/resumed")" ] || fail "resumed at $at, it ends with another $key"
    done
done
run --set learner.prioritized_replay=rank 2>"$work/why" && fail "priorities were accepted"
grep -q 'learner.prioritized_replay draws single steps' "$work/why" || fail "$(cat "$work/why")"

unless_sanitized

# --- learning: 100 episodes each; random driving has -1200, the best average known is about -140 ---
for seed in 1 2; do
    run --seed $seed --steps 100000 >"$work/long"
    mean=$(get eval_mean_reward "$work/long")
    echo "seed $seed: mean return $mean of $(get eval_episodes "$work/long") episodes; asked -250"
    awk -v m="$mean" 'BEGIN { exit !(m >= -250) }' || fail "the pendulum has not learned to swing up"
done
