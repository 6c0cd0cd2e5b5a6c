#!/bin/bash
# python-can speaks with basalsim over the pseudo-terminal of an emulated slcan adapter: Damiao's commands and registers, by
# name, answer and what the arm does; and puts on the line what the driver puts there, byte for byte. One JSON line. 77: no
# python-can, or no network to fetch it.
set -eu
ROBOT=deploy/robots/openarm6-can400.yaml
BUS=arm
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/partner_lib.sh"
here=$(dirname "$0")
partners

trap 'stop_tee; clean_up' EXIT

# motor 1 is the one of the document's frames, and nothing is in the arm's way
start_sim --set joints.waist.device.model=4310 --set sim.table=false --set sim.start_noise_rad=0
start_tee "$work/driver.log"
start_daemon --set bus.arm.device="$work/tee" --set control.realtime=off --set control.rate_hz=40 \
    --set control.loop_deadman_ms=1000 --set safety.stale_ticks_max=40 --set safety.latency_s=0.025 \
    --set bus.arm.reply_deadline_us=20000 --set bus.arm.misses_max=40 --set bus.arm.watchdog_ms=2000 \
    --set joints.waist.tau_max_nm=9
wait_state limp 20
for _ in $(seq 10); do # a machine that is busy for 50 ms is no fault of the motors
    ctl arm >/dev/null 2>&1 && wait_state ready 10 && break
    wait_state limp 10
done
[ "$(state)" = ready ]
sleep 1
ctl stop >/dev/null
wait_state limp 10
stop_daemon
stop_tee

good=true
"$venv/bin/python" "$here/partner_can.py" "$work/servo" "$work/driver.log" "$work/truth.jsonl" >"$work/can.json" || good=false
echo "{\"test\": \"partner_can\", \"good\": $good, \"motors\": $(cat "$work/can.json")}"
[ $good = true ]
