#!/usr/bin/env bash
# The arm's motors on an emulated slcan adapter: what basalctl tells of the bus, in figures and in words.
set -euo pipefail
ROBOT=deploy/robots/openarm6-can400.yaml
BUS=arm
. "$(dirname "$0")/lib.sh"

start_sim
start_daemon --set control.realtime=off --set control.rate_hz=40 --set control.loop_deadman_ms=1000 \
    --set safety.stale_ticks_max=40 --set safety.latency_s=0.025 --set bus.arm.reply_deadline_us=20000 \
    --set bus.arm.misses_max=40 --set bus.arm.watchdog_ms=2000
wait_state limp 20
before=$(number frames_rx)
for _ in $(seq 100); do [ "$(number frames_rx)" -gt $((before + 60)) ] && break; sleep 0.05; done
[ "$(number frames_rx)" -gt $((before + 60)) ] || { echo "after 5 s still $(number frames_rx) frames"; exit 1; }
[ "$(number frames_tx)" -gt 0 ]
# 12 frames of 111 to 135 us, 40 times a second
ctl status --json | grep -o '"load_m[inax]*_percent": [0-9.]*' | tr '\n' ' ' | grep -q '^"load_min_percent": 5.3[0-9]* "load_max_percent": 6.48 $'
for kind in dropped tx_full bus_off restarted damaged; do [ "$(number $kind)" = 0 ] || { echo "$kind: $(number $kind)"; exit 1; }; done
ctl status | grep -E '^can +arm +[0-9]+ frames out, [0-9]+ in +load 5 to 6 %$'
