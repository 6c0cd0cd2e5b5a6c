#!/bin/bash
# Garbage on every socket of a daemon that drives: it goes on driving, no record of telemetry is lost, what was a message is
# counted, who asks properly is answered meanwhile and afterwards.
set -eu
[ -x "${BASAL_BIN:?}/basald" ] || exit 77
/usr/bin/python3 -c 'import zmq' 2>/dev/null || exit 77
. "$(dirname "$0")/lib.sh"
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start_sim
start_daemon "${patient[@]}" --set comms.telemetry="tcp://127.0.0.1:$port" --seed 1
go --random
/usr/bin/python3 "$(dirname "$0")/garbage.py" "$work/sockets" "$port" 4 &
attack=$!
while kill -0 $attack 2>/dev/null; do
    [ "$(state)" = running ] || { echo "the robot is $(state)"; tail -n 20 "$work/daemon.log"; exit 1; }
    sleep 0.2
done
wait $attack
counted=$(number garbage)
echo "garbage counted: $counted"
[ "$counted" -gt 20 ]
[ "$(state)" = running ]
ctl stop >/dev/null
