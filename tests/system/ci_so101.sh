#!/bin/bash
# The SO-101 on its servos' own bytes. In lockstep: it holds, the same twice, whatever the wire loses; a policy drives it and
# learns. Over a pseudo-terminal: scan finds its servos, a new one comes to its joint's settings, basald arms, holds, stops and
# leaves no torque; what has no watchdog must be accepted.
set -eu
robot=deploy/robots/so101.yaml
ROBOT=$robot
. "$(dirname "$0")/lib.sh"
fail() { echo "$1"; exit 1; }
field() { sed -nE "s/.*\"$1\": \"?([^,\"}]*).*/\1/p"; }

lockstep() { "$bin/basald" --lockstep --config "$robot" --steps 300 --json "$@" | sed 's/"wall_s": [^,]*, //'; }
lockstep --seed 1 >"$work/one"
lockstep --seed 1 >"$work/two"
cmp "$work/one" "$work/two" || fail "the same seed does not give the same run"
[ "$(field missed_replies <"$work/one")" = 0 ] && [ "$(field crc_errors <"$work/one")" = 0 ] || fail "$(cat "$work/one")"
lossy=(--set faults.lost=0.01 --set faults.corrupted=0.01 --set faults.truncated=0.005 --set faults.duplicated=0.005)
lockstep --seed 2 "${lossy[@]}" >"$work/lossy"
lockstep --seed 2 "${lossy[@]}" >"$work/lossy2"
cmp "$work/lossy" "$work/lossy2" || fail "the same faults do not give the same run"
[ "$(field steps <"$work/lossy")" = 300 ] && [ "$(field missed_replies <"$work/lossy")" -gt 50 ] &&
    [ "$(field injected_corrupted <"$work/lossy")" -gt 10 ] || fail "$(cat "$work/lossy")"
# a small task: all joints to 0, gently
lockstep --seed 3 --set policy.kind=sac --set learner.batch_size=64 --set learner.learning_starts=50 --set task.episode_s=3 >"$work/sac"
[ "$(field algo <"$work/sac")" = sac ] && [ "$(field updates <"$work/sac")" -gt 100 ] || fail "$(cat "$work/sac")"

if "$bin/basald" --check-config "$robot" --set bus.servo.accept_no_device_watchdog=false 2>"$work/why"; then
    fail "servos without a watchdog were accepted unasked"
fi
grep -q "feetech devices have no watchdog: if basald dies they hold" "$work/why" || fail "$(cat "$work/why")"
if "$bin/basald" --check-config "$robot" --set bus.servo.watchdog_ms=200 2>"$work/why"; then
    fail "a watchdog that is not there was set"
fi
grep -q "watchdog_ms 200: feetech devices have no watchdog" "$work/why" || fail "$(cat "$work/why")"

start_sim --set joints.gripper.device.factory_new=true
bring() { "$bin/basalctl" setup-motor --config "$robot" --device "$work/servo" "$@"; }
if "$bin/basalctl" scan --device "$work/servo" --driver feetek 2>"$work/why"; then fail "feetek is no driver"; fi
grep -q "there are dynamixel, feetech" "$work/why" || fail "$(cat "$work/why")"
# as delivered the gripper has id 1, and so has the first joint
if bring gripper 2>"$work/why"; then fail "two servos of one id were not seen"; fi
grep -q "more than one servo answers to id 1" "$work/why" || fail "$(cat "$work/why")"
stop_sim
start_sim --set joints.gripper.device.factory_new=true --set joints.shoulder_pan.id=7
found='id *6 *1000000 baud  model 777 (STS3215)  firmware 310'
bring gripper >"$work/found"
grep -q "^$found$" "$work/found" || fail "$(cat "$work/found")"
bring --id 7 shoulder_pan >"$work/found"
bring --id 6 shoulder_pan 2>"$work/why" && fail "id 1 is on the bus already"
grep -q "a servo with the joint's id 1 is on the bus already" "$work/why" || fail "$(cat "$work/why")"
if bring --id 254 gripper 2>"$work/why"; then fail "id 254 is everybody"; fi
grep -q "these servos have ids up to 253" "$work/why" || fail "$(cat "$work/why")"
stop_sim

start_sim
"$bin/basalctl" scan --device "$work/servo" --driver feetech --baud 1000000 >"$work/found"
for id in 1 2 3 4 5 6; do
    grep -q "^id *$id *1000000 baud  model 777 (STS3215)  firmware 310$" "$work/found" || fail "$(cat "$work/found")"
done
[ "$(wc -l <"$work/found")" = 6 ] || fail "$(cat "$work/found")"

slow=(--set control.realtime=off --set control.rate_hz=40 --set control.loop_deadman_ms=1000 --set safety.stale_ticks_max=40
    --set bus.servo.reply_deadline_us=15000 --set bus.servo.misses_max=40)
start_daemon "${slow[@]}"
wait_state limp 20
if ctl arm >"$work/why" 2>&1; then fail "armed with the ranges of another arm"; fi
grep -q "joint shoulder_pan: its range -1.920 to 1.920 rad was not found on this robot; run basalctl find-limits" "$work/why" ||
    fail "$(cat "$work/why")"
stop_daemon
slow+=(--set safety.ranges=file)
start_daemon "${slow[@]}"
wait_state limp 20
grep -q "its feetech devices have no watchdog: on a silent bus they hold" "$work/daemon.log" || fail "$(cat "$work/daemon.log")"
ctl status >"$work/said"
grep -q '^ *loop ' "$work/said" && ! grep -q ' m/s' "$work/said" || fail "a speed without an odometer: $(cat "$work/said")"
ctl status --json | grep -q '"speed_m_s": *null' || fail "a speed without an odometer, in JSON"
ctl arm >/dev/null
wait_state ready 10
sleep 1.5
torque() { ctl status --json | grep -o '"torque": *"[a-z]*"' | sort | uniq -c | tr -s ' '; }
[ "$(torque)" = ' 6 "torque": "on"' ] || fail "armed: $(torque)"
ctl stop >/dev/null
wait_state limp 10
sleep 1
[ "$(torque)" = ' 6 "torque": "off"' ] || fail "stopped: $(torque)"
# nothing in the lists of settings differs any more
stop_daemon
start_daemon "${slow[@]}"
wait_state limp 20
[ "$(grep -c "settings in the devices' memory" "$work/daemon.log")" = 1 ] || fail "$(cat "$work/daemon.log")"
# killed while armed, its servos hold on: there is no watchdog. --make-safe ends it
ctl arm >/dev/null
wait_state ready 10
kill -9 "$daemon_pid"
wait "$daemon_pid" 2>/dev/null || true
daemon_pid=
"$bin/basald" --make-safe --config "$robot" --set bus.servo.device="$work/servo" 2>"$work/safe" || fail "$(cat "$work/safe")"
grep -q "torque is off on every device, read back" "$work/safe" || fail "$(cat "$work/safe")"
