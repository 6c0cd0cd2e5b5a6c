#!/bin/bash
# kill -9 while the robot runs: no servo moves later than its bus watchdog plus one unit, for each behaviour that stops;
# the restarted daemon finds the servos, makes them safe and stays limp. One JSON line.
set -eu
. "$(dirname "$0")/lib.sh"
limit_ms=220 # watchdog and one unit; motion counts while the servo drives, not while a limp joint sinks
good=true
list=
for behaviour in brake off hold; do
    start_sim --set joints.arm.device.watchdog=$behaviour --set joints.hand.device.watchdog=$behaviour
    start_daemon
    go --random
    sleep 2
    kill -9 "$daemon_pid"
    wait "$daemon_pid" 2>/dev/null || true
    daemon_pid=
    sleep 1.5
    kill "$sim_pid"
    wait "$sim_pid" 2>/dev/null || true
    sim_pid=
    after=$(sed -n 's/.*"last_motion_after_last_packet_ms": *\([0-9.]*\).*/\1/p' "$work/sim.out")
    [ -n "$after" ] && awk -v a="$after" -v b=$limit_ms 'BEGIN { exit !(a <= b) }' || good=false
    list="$list\"$behaviour\": ${after:-null}, "
done
start_sim
start_daemon
go
sleep 8 # it has moved
kill -9 "$daemon_pid"
wait "$daemon_pid" 2>/dev/null || true
daemon_pid=
sleep 0.5
start_daemon
wait_state limp 5
speed=$(number speed_m_s)
awk -v v="$speed" 'BEGIN { exit !(v > -0.15 && v < 0.15) }' || good=false
off=$(ctl status --json | grep -o '"torque": *"off"' | wc -l)
sleep 1
[ "$off" -ge 2 ] && [ "$(state)" = limp ] || good=false
echo "{\"test\": \"kill9\", \"good\": $good, \"last_motion_after_last_packet_ms\": {${list%, }}, \"limit_ms\": $limit_ms, \"restarted\": \"$(state)\", \"torque_off\": $off, \"speed_m_s\": $speed}"
[ $good = true ]
