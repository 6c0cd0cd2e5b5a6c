#!/bin/bash
# Prior data, from one run's folder into another run: in lockstep the same twice, from a checkpoint on too, and from no
# checkpoint of other data; in real time by the service. What is damaged, of another robot or made in real time is refused.
set -eu
. "$(dirname "$0")/lib.sh"
[ -x "$bin/basald" ] || exit 77
robot=deploy/robots/pendulum.yaml
small=(--set learner.learning_starts=50 --set learner.batch_size=32 --set "policy.net_arch=[16,16]" --set task.eval_episodes=2)

run() { "$bin/basald" --lockstep --config $robot --json --seed 1 --steps 300 "${small[@]}" "$@"; }
get() { sed -nE "s/.*\"$1\": \"?([^,\"}]*).*/\1/p" "$2"; } # KEY FILE
fail() {
    echo "FAILED: $*"
    exit 1
}
refused() { # words command...
    local words=$1 status=0
    shift
    "$@" >/dev/null 2>"$work/why" || status=$?
    [ $status -eq 78 ] || fail "status $status, not 78, and it says: $(cat "$work/why")"
    grep -q "$words" "$work/why" || fail "\"$words\" is not in: $(cat "$work/why")"
    echo "refused: $(cat "$work/why")"
}

# --- two runs that leave data behind ---
run --steps 500 --run-dir "$work/data" --checkpoint-steps 500 >/dev/null
run --steps 500 --seed 2 --run-dir "$work/others" --checkpoint-steps 500 >/dev/null
prior=(--prior "$work/data")

# --- the same twice; other data, another ratio or none give other weights ---
run >"$work/none"
run "${prior[@]}" >"$work/a"
run --prior "$work/data/last/replay.seg" >"$work/b"
run --prior "$work/others" >"$work/c"
run "${prior[@]}" --set learner.prior_ratio=0.25 >"$work/d"
[ "$(get prior_rows "$work/none")" = 0 ] && [ "$(get prior_rows "$work/a")" = 500 ] || fail "500 transitions are asked"
for key in weights_hash eval_mean_reward run_id; do
    [ "$(get $key "$work/a")" = "$(get $key "$work/b")" ] || fail "the same data gave another $key"
done
for other in none c d; do
    [ "$(get weights_hash "$work/a")" != "$(get weights_hash "$work/$other")" ] || fail "a and $other: the same weights"
    [ "$(get updates "$work/a")" = "$(get updates "$work/$other")" ] || fail "a and $other: not as many updates"
done

# --- and choices, with rewards summed over three steps ---
cart=(--lockstep --config deploy/robots/cartpole.yaml --json --steps 400 --set learner.learning_starts=100 --set learner.n_steps=3
    --set "policy.net_arch=[16]" --set task.eval_episodes=2)
"$bin/basald" "${cart[@]}" --seed 1 --run-dir "$work/cart" --checkpoint-steps 400 >/dev/null
"$bin/basald" "${cart[@]}" --seed 2 --prior "$work/cart" >"$work/e"
"$bin/basald" "${cart[@]}" --seed 2 --prior "$work/cart/last" >"$work/f"
[ "$(get prior_rows "$work/e")" = 400 ] || fail "400 transitions of a cart are asked, there are $(get prior_rows "$work/e")"
[ "$(get weights_hash "$work/e")" = "$(get weights_hash "$work/f")" ] || fail "the same data of a cart gave other weights"

# --- from a checkpoint on, with the same data alone ---
run "${prior[@]}" --run-dir "$work/kept" --checkpoint-steps 150 >"$work/kept.json"
resume=(--resume "$work/kept/ckpt-000000000150")
run "${prior[@]}" "${resume[@]}" >"$work/resumed"
for key in weights_hash eval_mean_reward; do
    [ "$(get $key "$work/a")" = "$(get $key "$work/kept.json")" ] || fail "checkpoints change $key"
    [ "$(get $key "$work/a")" = "$(get $key "$work/resumed")" ] || fail "resumed, it ends with another $key"
done
echo "twice and resumed: weights $(get weights_hash "$work/resumed")"
refused "learnt from prior data too, whose hash is" run "${resume[@]}"
refused "learnt from other prior data" run "${resume[@]}" --prior "$work/others"
run --run-dir "$work/without" --checkpoint-steps 150 >/dev/null
refused "learnt without prior data" run "${prior[@]}" --resume "$work/without"

# --- what is no prior data of this robot ---
cp -a "$work/data" "$work/damaged"
printf x | dd of="$work/damaged/last/replay.seg" bs=1 seek=70000 conv=notrunc status=none
refused "not what its checkpoint's checksum says" run --prior "$work/damaged"
head -c 1000 "$work/data/last/replay.seg" >"$work/damaged/cut"
refused "no replay segment" run --prior "$work/damaged/cut"
refused "give a replay.seg or its folder" run --prior "$work/nowhere"
refused "another robot's" "$bin/basald" --lockstep --config deploy/robots/mountaincar-continuous.yaml --steps 10 "${prior[@]}"

# --- in real time ---
live() { # flags
    "$bin/basald" --config $robot --set control.realtime=off --set comms.telemetry=off --set learner.learning_starts=5 \
        --runtime-dir "$work/sockets" --run-dir "$work/state" "${small[@]}" "$@" 2>>"$work/daemon.log" &
    daemon_pid=$!
    for _ in $(seq 200); do ctl health >/dev/null 2>&1 && return 0; sleep 0.05; done
    fail "it does not start: $(tail -n 5 "$work/daemon.log")"
}
live "${prior[@]}"
[ "$(number prior_rows)" = 500 ] || fail "status says $(number prior_rows) transitions of prior data"
ctl status | grep -q "prior 500 rows" || fail "a person is not told of them"
for _ in $(seq 100); do ! ctl arm >/dev/null 2>&1 || break; sleep 0.05; done # its first ticks know no pose yet
wait_state ready 10
ctl run >/dev/null
wait_state running 5
for _ in $(seq 200); do [ "$(number updates)" -lt 20 ] || break; sleep 0.05; done
[ "$(number updates)" -ge 20 ] || fail "$(number updates) updates in ten seconds"
stop_daemon
grep -q "prior data: 500 transitions" "$work/daemon.log" || fail "the log does not say so"
refused "holds no replay.seg: only those made in lockstep do" run --prior "$work/state"
live --continue
grep -q "was learnt with other prior data" "$work/daemon.log" || fail "it goes on without its data, and does not say so"
[ "$(number prior_rows)" = 0 ] || fail "prior data that nobody gave"
stop_daemon
echo "in real time: learnt, and said"
