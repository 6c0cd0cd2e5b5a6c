#!/bin/bash
# The bus is pulled for five seconds while the robot runs: commands stop, the daemon says why and takes torque as unknown,
# reconnects, reads torque back, and moves again only after an explicit arm. One JSON line.
set -eu
. "$(dirname "$0")/lib.sh"
start_sim
start_daemon
go
sleep 3
tell_sim "unplug 5"
wait_state fault 5
why=$(ctl status --json | sed -n 's/.*"why": *"\([^"]*\)".*/\1/p')
unknown=$(ctl status --json | grep -o '"torque": *"unknown"' | wc -l)
sent=$(number bytes_tx)
sleep 1
sent=$(($(number bytes_tx) - sent))
for _ in $(seq 300); do ctl health >/dev/null 2>&1 && break; [ "$(ctl status --json | grep -o '"devices": *true')" ] && break; sleep 0.05; done
off=$(ctl status --json | grep -o '"torque": *"off"' | wc -l)
sleep 1
still=$(state)
ctl clear >/dev/null
wait_state limp 5
go
sleep 1
again=$(state)
ctl stop >/dev/null
wait_state limp 5
good=false
[ "$sent" -eq 0 ] && [ "$unknown" -ge 2 ] && [ "$off" -ge 2 ] && [ "$still" = fault ] && [ "$again" = running ] && good=true
echo "{\"test\": \"unplug\", \"good\": $good, \"bytes_sent_while_away\": $sent, \"torque_unknown\": $unknown, \"torque_off_after\": $off, \"stayed\": \"$still\", \"after_arm_and_run\": \"$again\", \"why\": \"$why\"}"
[ $good = true ]
