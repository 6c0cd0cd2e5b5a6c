#!/bin/bash
# basalctl monitor in terminals of many sizes, one that changes its size, is interrupted, is stopped, and whose daemon dies.
set -eu
[ -x "${BASAL_BIN:?}/basalctl" ] || exit 77
[ -x /usr/bin/python3 ] || exit 77
. "$(dirname "$0")/lib.sh"
start_sim
start_daemon "${patient[@]}" --seed 1
go
for _ in $(seq 200); do [ "$(number updates)" -gt 10 ] && break; sleep 0.05; done
/usr/bin/python3 "$(dirname "$0")/monitor_pty.py" "$bin/basalctl" "$work/sockets" "$daemon_pid"
