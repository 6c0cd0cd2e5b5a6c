#!/bin/bash
# What stands in basald's way is said in one sentence that names the thing and what to do, with the exit status that tells a
# service manager whether to try again. A robot that is not there, or a full disk, stops nothing.
set -eu
. "$(dirname "$0")/lib.sh"
bad=0
trap 'umount "$work/small" 2>/dev/null || true; clean_up' EXIT

# name, status wanted, words wanted in what it says; then the command. 124: it goes on, and is stopped
expect() {
    local name=$1 want=$2 words=$3 code=0
    shift 3
    timeout --preserve-status -k 5 10 "$@" >"$work/said" 2>&1 || code=$?
    if [ $code != "$want" ] || ! grep -qF "$words" "$work/said"; then
        echo "$name: status $code, wanted $want; \"$words\" is wanted in:"
        sed 's/^/    /' "$work/said"
        bad=1
    fi
}
# as expect, but it lives: said within two seconds, it then stops by SIGTERM with status 0
expect_alive() {
    local name=$1 words=$2
    shift 2
    expect "$name" 0 "$words" timeout --preserve-status -k 8 2 "$@"
}
daemon=("$bin/basald" --config "$robot" --runtime-dir "$work/r" --set control.realtime=off --set comms.telemetry=off)
expect "no config" 78 "cannot read $work/none.yaml: No such file" "$bin/basald" --config "$work/none.yaml"
expect "a folder as config" 78 "it is a folder" "$bin/basald" --config "$work"
expect "no flag" 2 "give --config FILE" "$bin/basald"
for words in "basald --manual" "basald --config $robot --dump-config" "basalctl --help" "basalsim --help" "basal-bench --list"; do
    expect "a full disk for $words" 1 "cannot write to standard output" sh -c "$bin/$words >/dev/full"
done
printf 'schema: 1\nname: x\ncontrl:\n  rate_hz: 100\n' >"$work/bad.yaml"
expect "an unknown key" 78 "bad.yaml:3:1" "$bin/basald" --config "$work/bad.yaml"
expect "networks too large" 78 "give fewer or smaller layers in policy.net_arch" \
    "$bin/basald" --check-config "$robot" --set "policy.net_arch=[1024,1024,1024,1024,1024]"
expect "a robot that may not arm" 1 "too near its limit of 70 C" \
    "$bin/basald" --lockstep --config "$robot" --steps 10 --set safety.derate_from_frac=0.1
expect "too few open files" 71 "only 20 files may be open at once" sh -c 'ulimit -n 20; exec "$@"' - "${daemon[@]}"
expect "no runtime folder" 78 "give another with --runtime-dir" "${daemon[@]}" --runtime-dir "$work/no/such"
expect "no run folder" 78 "cannot make the folder $work/no/such: No such file or directory; give another --run-dir" "${daemon[@]}" --run-dir "$work/no/such"
expect "no checkpoint" 78 "cannot go on from $work/none: No such file" "${daemon[@]}" --resume "$work/none"
[ ! -e "$work/none" ] || { echo "--resume made the folder that it looked for"; bad=1; }
mkdir "$work/empty"
expect "an empty run folder" 78 "there is no checkpoint in $work/empty" "${daemon[@]}" --resume "$work/empty"
expect_alive "an empty run folder, begun" "boot -> limp" "${daemon[@]}" --run-dir "$work/empty" --continue
expect_alive "no device" "bus servo: there is no $work/servo: is the robot plugged in and on?" "${daemon[@]}" --set bus.servo.device="$work/servo"
expect_alive "no serial port" "bus servo: /dev/null is no serial port" "${daemon[@]}" --set bus.servo.device=/dev/null
expect_alive "a kernel" "learner: products in fp32 (portable)" "${daemon[@]}" --set learner.kernel=portable
if grep -qw avx512_bf16 /proc/cpuinfo; then
    expect_alive "bf16" "learner: products in bf16 (avx512_bf16)" "${daemon[@]}" --set learner.precision=bf16
else
    expect "no bf16" 78 "learner.precision bf16 needs a processor with AVX512_BF16" "${daemon[@]}" --set learner.precision=bf16
fi
expect "make safe without a device" 69 "make safe: bus servo: there is no $work/servo" \
    "$bin/basald" --config "$robot" --set bus.servo.device="$work/servo" --make-safe
cat >"$work/two.yaml" <<END
include: $PWD/$robot
bus:
  - {name: second, driver: dynamixel, device: $work/second}
joints:
  - {name: tail, bus: second, id: 9, actuated: false}
END
safe_two=("$bin/basald" --config "$work/two.yaml" --set bus.servo.device="$work/servo" --make-safe)
expect "make safe without two devices" 69 "make safe: bus servo: there is no $work/servo" "${safe_two[@]}"
for words in "torque is not read back as off at: arm, hand, odometer" "make safe: bus second: there is no $work/second" \
    "torque is not read back as off at: tail"; do
    grep -qF "$words" "$work/said" || { echo "make safe of two buses: nothing says \"$words\""; sed 's/^/    /' "$work/said"; bad=1; }
done

# standard streams that the caller closed: no other file gets their numbers, into which what is said would go
rm -r "$work/r"
"${daemon[@]}" --run-dir "$work/empty" --set bus.servo.device=/dev/null <&- >&- 2>&- &
daemon_pid=$!
for _ in $(seq 100); do [ -S "$work/r/command" ] && break; sleep 0.05; done
for fd in 0 1 2; do
    is=$(readlink "/proc/$daemon_pid/fd/$fd")
    [ "$is" = /dev/null ] || { echo "standard stream $fd, closed by the caller, is $is"; bad=1; }
done
stop_daemon

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    stranger=(setpriv --reuid nobody --clear-groups --inh-caps=-all --bounding-set=-all)
    chmod 711 "$work"
    cp -L "$bin/basald" "$work/basald"
    cp "$robot" "$work/robot.yaml"
    install -d -o nobody "$work/theirs"
    mkdir -m 700 "$work/ours"
    theirs=("${stranger[@]}" "$work/basald" --config "$work/robot.yaml" --set comms.telemetry=off --runtime-dir "$work/theirs/r")
    expect "enforce without the right" 71 "real time refused: missing SCHED_FIFO" "${theirs[@]}" --set control.realtime=enforce
    grep -qF "or set control.realtime: prefer" "$work/said" || { echo "enforce: nothing says what to do"; bad=1; }
    expect_alive "prefer without the right" "real time in part: missing SCHED_FIFO" "${theirs[@]}" --set control.realtime=prefer
    expect "no right to the folder" 77 "cannot make the runtime folder $work/ours/r: Permission denied" "${theirs[@]}" --runtime-dir "$work/ours/r"
    mknod -m 600 "$work/locked" c 188 77 2>/dev/null &&
        expect_alive "no right to the device" "not allowed to open $work/locked: join its group root" \
            "${theirs[@]}" --set control.realtime=off --set bus.servo.device="$work/locked"
else
    echo "not root: what another user meets is not tested"
fi

# two on one bus, two in one folder
start_sim
start_daemon --set control.realtime=off
expect "two in one folder" 1 "another basald uses $work/sockets; stop it, or give another --runtime-dir" \
    "${daemon[@]}" --runtime-dir "$work/sockets"
expect "two in one run folder" 1 "another basald keeps its run in $work/state; stop it, or give another --run-dir" \
    "${daemon[@]}" --run-dir "$work/state"
expect_alive "two on one bus" "bus servo: $work/servo is used by another program; stop it first" "${daemon[@]}" --set bus.servo.device="$work/servo"
ctl health >/dev/null || { echo "the first daemon suffered from the second"; bad=1; }
stop_daemon
expect "make safe" 0 "make safe: torque is off on every device, read back" \
    "$bin/basald" --config "$robot" --set bus.servo.device="$work/servo" --make-safe
expect "make safe with one of two" 69 "make safe: bus servo: torque is off on every device, read back" "${safe_two[@]}"
grep -qF "make safe: bus second: there is no $work/second" "$work/said" || { echo "make safe: the second bus is not named"; bad=1; }

# a disk with no room for networks: said, counted, and the robot learns on; the estop latch still finds its place
mkdir "$work/small"
if ldd "$bin/basald" | grep -qE 'lib[at]san'; then
    echo "a sanitizer keeps no time: a full disk is not tested"
elif mount -t tmpfs -o size=200k tmpfs "$work/small" 2>/dev/null; then
    : >"$work/daemon.log"
    : >"$work/said"
    start_daemon --set control.realtime=off --set bus.servo.misses_max=50 --set safety.stale_ticks_max=50 --set learner.checkpoint_s=1 --set learner.learning_starts=10 --run-dir "$work/small"
    go
    for _ in $(seq 200); do grep -q "No space left" "$work/daemon.log" && break; sleep 0.05; done
    grep -qF "checkpoint in $work/small: cannot write" "$work/daemon.log" || { echo "a full disk was not said"; bad=1; }
    [ "$(grep -c "No space left" "$work/daemon.log")" -le 2 ] || { echo "a full disk is said again and again"; bad=1; }
    before=$(number updates)
    sleep 1
    [ "$(number updates)" -gt "$before" ] || { echo "the robot stopped learning on a full disk"; bad=1; }
    [ "$(state)" = running ] || { echo "the robot stopped on a full disk: $(state)"; bad=1; }
    ctl estop >/dev/null
    wait_state estop 5
    for _ in $(seq 60); do [ -s "$work/small/estop" ] && break; sleep 0.05; done
    [ -s "$work/small/estop" ] || { echo "no latch"; bad=1; }
    stop_daemon
    umount "$work/small"
else
    echo "no tmpfs may be mounted: a full disk is not tested"
fi

# whoever wonders about missing replies learns that nobody ran who could answer
stop_daemon
kill -STOP "$sim_pid"
sleep 0.3
kill -CONT "$sim_pid"
for _ in $(seq 100); do grep -q "did not run for" "$work/sim.err" && break; sleep 0.05; done
stop_sim
grep -qE "basalsim: did not run for [0-9]+ ms at [0-9.]+ s: replies were late" "$work/sim.err" || { echo "basalsim does not say that it stood still"; bad=1; }
grep -qE '"longest_pause_ms": *[0-9]{3,}' "$work/sim.out" || { echo "no longest pause in the summary"; cat "$work/sim.out"; bad=1; }
exit $bad
