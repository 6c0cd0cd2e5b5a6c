#!/bin/bash
# A servo as delivered (57,600 baud, id 1, return delay 500 us) among others: scan finds all, setup-motor brings it to the
# robot file's settings, refuses what would end in two servos of one id, and basald finds the robot.
set -eu
. "$(dirname "$0")/lib.sh"
start_sim --set joints.hand.device.factory_new=true
bring() { "$bin/basalctl" setup-motor --config "$robot" --device "$work/servo" "$@"; }
refused() { # text flags
    local text=$1
    shift
    if bring "$@" 2>"$work/why"; then
        echo "setup-motor $*: was not refused"
        exit 1
    fi
    grep -q "$text" "$work/why" || { cat "$work/why"; exit 1; }
}
found() { # id baud
    grep -q "^id *$1 *$2 baud  model 1060 (XL430-W250)  firmware 45$" "$work/found" ||
        { echo "id $1 at $2 baud was not found"; cat "$work/found"; exit 1; }
}

"$bin/basalctl" scan --device "$work/servo" >"$work/found"
found 1 57600
found 1 1000000
found 3 1000000
[ "$(wc -l <"$work/found")" = 3 ] || { cat "$work/found"; exit 1; }

refused "is on the bus already" arm # as delivered it is id 1, and so is the arm
refused "no servo answers" --id 7 hand
refused "has no joint leg" leg
bring hand >"$work/found"
found 2 1000000
refused "no servo answers" hand # it is not as delivered any more
refused "is on the bus already" --id 2 --baud 1000000 arm

# the rest, which needs no id and no rate, the daemon does itself
start_daemon
wait_state limp 20
ctl status --json | grep -q '"devices": *true' || { ctl status --json; exit 1; }
stop_daemon
grep -q "settings in the devices' memory differed from the robot file and were written" "$work/daemon.log" ||
    { cat "$work/daemon.log"; exit 1; }
start_daemon # and only once
wait_state limp 20
[ "$(grep -c "settings in the devices' memory" "$work/daemon.log")" = 1 ] || { cat "$work/daemon.log"; exit 1; }
