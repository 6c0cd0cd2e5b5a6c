#!/bin/bash
# A run killed with -9 half way and resumed ends with the weights, the bytes and the speed of the run that was not, and
# with its files; also when the newest checkpoint is damaged, with faults on the wire, and for each learning algorithm. Two
# equal runs write equal folders. With sanitizers the same in fewer steps.
set -eu
bin=${BASAL_BIN:?}/basald
[ -x "$bin" ] || exit 77
work=$(mktemp -d)
mkdir "$work/whole"
trap 'rm -rf "$work"' EXIT
steps=600 every=100 half=300
base=(--lockstep --config deploy/robots/crawler.yaml --seed 3 --json --eval-s 3)
if ldd "$bin" | grep -qE 'lib[at]san'; then
    steps=120 every=20 half=60
    base+=(--set learner.learning_starts=20 --set learner.batch_size=32)
fi
base+=(--steps "$steps")
keep=(--checkpoint-steps "$every" --run-dir)

run() { "$bin" "${base[@]}" "$@"; }
what() { sed -E 's/.*("weights_hash": "[^"]*").*("bytes_tx": [0-9]+).*("final_speed_m_s": [^,}]*).*/\1 \2 \3/'; }

# the run in the background, killed once a checkpoint of at least $1 steps stands there
killed() {
    local dir=$1 least=$2
    shift 2
    "$bin" "${base[@]}" "${keep[@]}" "$dir" "$@" >/dev/null 2>&1 &
    local pid=$!
    until [ -e "$dir/$(printf 'ckpt-%012d' "$least")/state.pb" ] && [ -L "$dir/last" ]; do
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    kill -9 $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
}

same() {
    if [ "$2" != "$3" ]; then
        echo "$1: uninterrupted $2"
        echo "$1: resumed       $3"
        exit 1
    fi
    echo "$1: $2"
}

# but for who was whose parent, in state.pb
same_files() {
    for file in learner.safetensors replay.seg world.bin; do
        cmp "$2/$last/$file" "$3/$last/$file" || { echo "$1: not the same bytes"; exit 1; }
    done
}

last=$(printf 'ckpt-%012d' $steps)
for set in policy.kind=sac policy.kind=ddpg policy.kind=td3 policy.kind=droq policy.kind=softq policy.kind=sac_v1 \
    "policy.kind=svg --set policy.k=4 --set policy.log_std_init=-1" \
    "policy.kind=ppo --set learner.train_freq=48 --set learner.batch_size=16" faults.lost=0.05 \
    learner.prioritized_replay=proportional learner.prioritized_replay=rank learner.normalize=true \
    policy.layer_norm_actor=true policy.use_sde=true; do
    whole=$(run --set $set "${keep[@]}" "$work/whole/$set" | what)
    killed "$work/$set" $half --set $set
    [ "$set" != policy.kind=sac ] || { cp -a "$work/$set" "$work/damaged" && undamaged=$whole; }
    same "$set" "$whole" "$(run --set $set --resume "$work/$set" "${keep[@]}" "$work/$set" | what)"
    same_files "$set" "$work/whole/$set" "$work/$set"
done

run --set faults.lost=0.05 "${keep[@]}" "$work/again" >/dev/null
diff -r "$work/whole/faults.lost=0.05" "$work/again" || { echo "two equal runs: not the same files"; exit 1; }

# a body behind which an engine works, and episodes that end
hopper=(--lockstep --config deploy/robots/hopper.yaml --seed 3 --json --steps 600 --set learner.learning_starts=100
    --set learner.batch_size=32 --set "policy.net_arch=[32,32]" --set task.eval_episodes=2)
weights_and_mean() { sed -E 's/.*("eval_mean_reward": [^,]*).*("weights_hash": "[^"]*").*/\1 \2/'; }
if "$bin" --check-config deploy/robots/hopper.yaml >/dev/null 2>&1; then
    whole=$("$bin" "${hopper[@]}" --checkpoint-steps 300 --run-dir "$work/hopper" | weights_and_mean)
    same hopper "$whole" "$("$bin" "${hopper[@]}" --resume "$work/hopper/ckpt-000000000300" | weights_and_mean)"
else
    echo "hopper: skipped, there is no MuJoCo"
fi

# choices, an end for good, all that deep Q-learning has
rainbow=(--lockstep --config deploy/robots/cartpole.yaml --seed 3 --json --steps 900 --set learner.learning_starts=100
    --set policy.double_q=true --set policy.dueling=true --set policy.noisy=true --set policy.distributional=c51
    --set learner.n_steps=3 --set learner.prioritized_replay=proportional --set "policy.net_arch=[32]")
whole=$("$bin" "${rainbow[@]}" --checkpoint-steps 300 --run-dir "$work/rainbow" | weights_and_mean)
same rainbow "$whole" "$("$bin" "${rainbow[@]}" --resume "$work/rainbow/ckpt-000000000300" | weights_and_mean)"

# pixels and no number beside them: two pictures an observation, and a world with chance
pixels=(--lockstep --config deploy/robots/minatar-asterix.yaml --seed 3 --json --steps 900 --set learner.learning_starts=100
    --set "policy.cnn_filters=[4]" --set "policy.net_arch=[16]" --set "task.observation=[{kind: picture, history: 2}]")
whole=$("$bin" "${pixels[@]}" --checkpoint-steps 300 --run-dir "$work/pixels" | weights_and_mean)
same pixels "$whole" "$("$bin" "${pixels[@]}" --resume "$work/pixels/ckpt-000000000300" | weights_and_mean)"
for kind in sac ddpg; do # an actor that sees
    seeing=(--lockstep --config deploy/robots/track.yaml --seed 3 --json --steps 600 --set "policy.kind=$kind" --set learner.learning_starts=100
        --set "policy.cnn_filters=[4, 4]" --set "policy.net_arch=[16]" --set learner.batch_size=16)
    whole=$("$bin" "${seeing[@]}" --checkpoint-steps 300 --run-dir "$work/seeing-$kind" | weights_and_mean)
    same "pixels, $kind" "$whole" "$("$bin" "${seeing[@]}" --resume "$work/seeing-$kind/ckpt-000000000300" | weights_and_mean)"
done

# the others that choose
for kind in sac_discrete softq_discrete; do
    choosing=(--lockstep --config deploy/robots/cartpole.yaml --seed 3 --json --steps 900 --set "policy.kind=$kind"
        --set learner.learning_starts=100 --set "policy.net_arch=[32]")
    whole=$("$bin" "${choosing[@]}" --checkpoint-steps 300 --run-dir "$work/$kind" | weights_and_mean)
    same $kind "$whole" "$("$bin" "${choosing[@]}" --resume "$work/$kind/ckpt-000000000300" | weights_and_mean)"
done

# tables and linear values: each step once, drawn, in passes, and by the world's own list
for set in policy.kind=qtable policy.kind=sarsa "policy.kind=linearq --set policy.features=one_hot" \
    "policy.kind=qtable --set policy.double_q=true --set policy.experience_replay=true" \
    "policy.kind=linearq --set policy.solver=lspi --set policy.features=one_hot --set learner.batch_size=64 --set learner.train_freq=7" \
    "policy.kind=qtable --set policy.solver=value_iteration"; do
    read -ra sets <<<"--set $set"
    counting=(--lockstep --config deploy/robots/crawler-grid.yaml --seed 3 --json --steps 900 "${sets[@]}")
    whole=$("$bin" "${counting[@]}" --checkpoint-steps 350 --run-dir "$work/$set" | weights_and_mean)
    same "$set" "$whole" "$("$bin" "${counting[@]}" --resume "$work/$set/ckpt-000000000350" | weights_and_mean)"
done

newest=$(readlink "$work/damaged/last")
printf x | dd of="$work/damaged/$newest/replay.seg" bs=1 seek=70000 conv=notrunc status=none
same damaged "$undamaged" "$(run --set policy.kind=sac --resume "$work/damaged" | what)"
status=0
run --set policy.kind=sac --resume "$work/damaged/$newest" 2>"$work/why" || status=$?
[ $status -eq 78 ] || { echo "a damaged checkpoint: status $status, not 78"; exit 1; }
grep -q "is damaged: replay.seg fails its checksum" "$work/why" || { cat "$work/why"; exit 1; }
status=0
run --resume "$work/damaged" --set policy.kind=ddpg 2>"$work/why" || status=$?
[ $status -eq 78 ] || { echo "a checkpoint of another algorithm: status $status, not 78"; exit 1; }
grep -q "is of algorithm sac" "$work/why" || { cat "$work/why"; exit 1; }
