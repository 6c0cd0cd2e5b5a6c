#!/bin/bash
# A run killed with -9 half way and resumed ends with the weights, the bytes and the speed of the run that was not; also
# when the newest checkpoint is damaged, with faults on the wire, and for each learning algorithm.
set -eu
bin=${BASAL_BIN:?}/basald
[ -x "$bin" ] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=(--lockstep --config deploy/robots/crawler.yaml --seed 3 --json --eval-s 3 --steps 600)

run() { "$bin" "${base[@]}" "$@"; }
what() { sed -E 's/.*("weights_hash": "[^"]*").*("bytes_tx": [0-9]+).*("final_speed_m_s": [^,}]*).*/\1 \2 \3/'; }

# the run in the background, killed once a checkpoint of at least $1 steps stands there
killed() {
    local dir=$1 least=$2
    shift 2
    "$bin" "${base[@]}" --run-dir "$dir" --checkpoint-steps 100 "$@" >/dev/null 2>&1 &
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

for set in policy.kind=sac policy.kind=ddpg policy.kind=td3 faults.lost=0.05 \
    learner.prioritized_replay=proportional learner.prioritized_replay=rank; do
    whole=$(run --set $set | what)
    killed "$work/$set" 300 --set $set
    same "$set" "$whole" "$(run --set $set --resume "$work/$set" | what)"
done

whole=$(run | what)
killed "$work/damaged" 300
newest=$(readlink "$work/damaged/last")
printf x | dd of="$work/damaged/$newest/replay.seg" bs=1 seek=70000 conv=notrunc status=none
same damaged "$whole" "$(run --resume "$work/damaged" | what)"
status=0
run --resume "$work/damaged/$newest" 2>"$work/why" || status=$?
[ $status -eq 78 ] || { echo "a damaged checkpoint: status $status, not 78"; exit 1; }
grep -q "is damaged: replay.seg fails its checksum" "$work/why" || { cat "$work/why"; exit 1; }
status=0
run --resume "$work/damaged" --set policy.kind=ddpg 2>"$work/why" || status=$?
[ $status -eq 78 ] || { echo "a checkpoint of another algorithm: status $status, not 78"; exit 1; }
grep -q "is of algorithm sac" "$work/why" || { cat "$work/why"; exit 1; }
