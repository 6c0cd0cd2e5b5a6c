#!/bin/bash
# Feetech's own SDK speaks with basalsim over the pseudo-terminal: an SO-101, its six servos by name, position, goal, list; and
# asks with the bytes that the driver and basalctl ask with. One JSON line. 77: no SDK, or no network to fetch it.
set -eu
ROBOT=deploy/robots/so101.yaml
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/partner_lib.sh"
here=$(dirname "$0")
partners

trap 'stop_tee; clean_up' EXIT

quiet=(--set sim.sag_v=0)
for joint in shoulder_pan shoulder_lift elbow_flex wrist_flex wrist_roll gripper; do quiet+=(--set "joints.$joint.device.noise=0"); done
start_sim "${quiet[@]}"
start_tee "$work/driver.log"
start_daemon --set bus.servo.device="$work/tee" --set control.realtime=off --set control.rate_hz=40 \
    --set control.loop_deadman_ms=1000 --set safety.stale_ticks_max=40 --set bus.servo.reply_deadline_us=15000 \
    --set bus.servo.misses_max=40 --set safety.ranges=file
wait_state limp 20
ctl arm >/dev/null
wait_state ready 10
sleep 2
ctl stop >/dev/null
wait_state limp 10
sleep 1
stop_daemon
"$bin/basalctl" scan --device "$work/tee" --driver feetech --baud 1000000 >"$work/scan.txt"
stop_tee

start_tee "$work/sdk.log"
good=true
"$venv/bin/python" "$here/partner_feetech.py" "$work/tee" "$work/driver.log" "$work/truth.jsonl" >"$work/sdk.json" || good=false
stop_tee
[ "$(wc -l <"$work/scan.txt")" -eq 6 ] || good=false
echo "{\"test\": \"partner_feetech\", \"good\": $good, \"scanned\": $(wc -l <"$work/scan.txt"), \"servos\": $(cat "$work/sdk.json")}"
[ $good = true ]
