#!/bin/bash
# With io_uring and where the system refuses it (seccomp), the same: a run in lockstep leaves the same weights and the same
# checkpoints, byte for byte; the daemon runs the robot, writes metrics and checkpoints, keeps an estop over a restart.
set -eu
. tests/system/lib.sh
refuse=("${BASAL_TESTS:?}/refuse" io_uring_setup)
"${refuse[@]}" true || { echo "skipped: seccomp is refused"; exit 77; }
bad=0
say() { echo "WRONG: $*"; bad=1; }
rings() { find /proc/"$daemon_pid"/fd -lname 'anon_inode:*io_uring*' | wc -l; }

lockstep() { # folder, command ...
    local dir=$1
    shift
    "$@" "$bin/basald" --lockstep --config "$robot" --seed 5 --steps 300 --eval-s 1 --run-dir "$work/$dir" --checkpoint-steps 100 --json |
        sed -E 's/"wall_s": [^,]*, //' >"$work/$dir.json"
}
lockstep with env
lockstep without "${refuse[@]}"
cmp "$work/with.json" "$work/without.json" || say "lockstep differs"
for step in 100 200 300; do
    for file in learner.safetensors replay.seg; do
        name=$(printf 'ckpt-%012d/%s' $step $file)
        cmp "$work/with/$name" "$work/without/$name" || say "$name differs"
    done
done

live() { # what, command ...
    local what=$1
    launch=("${@:2}")
    start_sim
    start_daemon --set learner.learning_starts=20 --set learner.checkpoint_s=0.5
    go
    sleep 2.5
    ctl estop >/dev/null
    wait_state estop 5
    echo "$what: $(rings) rings, $(wc -l <"$work/state/metrics.jsonl") lines of metrics, checkpoint $(basename "$(readlink "$work/state/last")")"
    found=$(rings)
    [ "$(wc -l <"$work/state/metrics.jsonl")" -ge 2 ] || say "$what: metrics are missing"
    for _ in $(seq 40); do [ -e "$work/state/estop" ] && break; sleep 0.05; done
    stop_daemon
    [ -s "$work/state/last/learner.safetensors" ] || say "$what: no checkpoint was written"
    grep -E 'cannot|error' "$work/daemon.log" && say "$what: the log complains"
    launch_daemon
    wait_state estop 10 || say "$what: the estop was forgotten"
    stop_daemon
    stop_sim
    rm -rf "$work/state" "$work/daemon.log"
}
live "io_uring allowed" env
[ "$found" -gt 0 ] || echo "io_uring: this kernel refuses it by itself: plain calls were tested twice"
live "io_uring refused" "${refuse[@]}"
[ "$found" -eq 0 ] || say "io_uring was used where it is refused"
exit $bad
