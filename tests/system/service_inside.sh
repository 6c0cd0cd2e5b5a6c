#!/bin/bash
# Inside of a container with a real systemd: basald as its service, basalsim as its robot.
#
#   service_inside.sh SCENARIO...
#
# /t holds what cmake --install made. Each scenario begins with a stopped service and says one line; the last line is JSON.
set -euo pipefail
stop_limit_s=12 # far above what a stop takes: a loaded machine is not what is tested

. "$(dirname "$0")/service_steps.sh"

set_up() {
    cp -a /t/usr/. /usr/
    systemd-sysusers 2>/dev/null
    systemd-tmpfiles --create basald.conf
    a_robot
}

begin() { # words added to the command line
    systemctl reset-failed basald 2>/dev/null || true
    mkdir -p /etc/systemd/system/basald.service.d
    {
        echo "[Service]"
        echo "ExecStart="
        sed -n "s|^\(ExecStart=.*\)|\1 $*|p" /usr/lib/systemd/system/basald.service
    } >/etc/systemd/system/basald.service.d/test.conf
    systemctl daemon-reload
    start_limp
}

# --- what a service does ---

ready_learn_stop() {
    begin
    [ "$(systemctl show -p SubState --value basald)" = running ] || fail "the unit is not running"
    runuser -u basald -- basalctl health >/dev/null || fail "a member of the group may talk to it"
    local code=0
    runuser -u nobody -- basalctl health >/dev/null 2>&1 || code=$?
    [ $code = 77 ] || fail "a stranger gets status $code, not 77"
    go
    until_true "updates" 40 at_least updates 50
    until_true "weights" 5 at_least weights_version 1
    until_true "the policy drives" 10 test "$(field driven_by)" = policy
    verdict=$(field realtime)
    case $verdict in *"SCHED_FIFO ("* | *"locked memory ("*) fail "real time: $verdict" ;; esac
    [ "$(restarts)" = 0 ] || fail "restarted while all was well"
    local from
    from=$(now_ms)
    systemctl stop basald || fail "systemctl stop"
    stop_ms=$(($(now_ms) - from))
    [ "$stop_ms" -lt $((stop_limit_s * 1000)) ] || fail "the stop took $stop_ms ms"
    [ "$(systemctl show -p Result --value basald)" = success ] || fail "the stop is no success"
    local order
    order=$(order_of 'SIGTERM: stopping|running -> stopping|stopping -> limp|leaving; newest checkpoint|make safe: torque is off on every device')
    [ "$order" = 'SIGTERM: stopping|running -> stopping|stopping -> limp|leaving; newest checkpoint|make safe: torque is off on every device|' ] ||
        fail "the order of the stop was $order"
    [ -e /var/lib/basald/last/state.pb ] || fail "no networks were saved"
    [ ! -e /run/basald ] || fail "/run/basald is still there"
    stop_exit_ms=$(journal -o short-monotonic |
        awk '/SIGTERM: stopping/ { gsub(/[][]/, "", $0); a = $1 } /leaving; newest checkpoint/ { gsub(/[][]/, "", $0); printf "%d", 1000 * ($1 - a) }')
    lines=$(journal -o cat | wc -l)
    [ "$lines" -lt 40 ] || fail "$lines lines in the journal for one short life"
    journal -o cat | grep -nE '<[0-7]>' && fail "a priority stands in the text"
    [ "$(journal -o json | grep -cE '"PRIORITY" *: *"[0-3]"')" = 0 ] || fail "errors in the journal"
}

kill_9() {
    begin
    go
    until_true "rows" 20 at_least replay_rows 60
    local rows p
    p=$(pid) rows=$(number replay_rows)
    local from
    from=$(now_ms)
    systemctl kill -s KILL basald
    until_true "another life" 10 another_pid "$p"
    until_true "limp" 5 is limp
    kill_ms=$(($(now_ms) - from))
    until_true "torque off" 5 torques_off
    [ "$(restarts)" = 1 ] || fail "$(restarts) restarts"
    said_it "make safe: torque is off on every device" || fail "nobody made it safe"
    said_it "the replay is kept" || fail "the replay was not taken over"
    at_least replay_rows "$rows" || fail "$(number replay_rows) rows, there were $rows"
    at_least updates 1 || fail "the networks of the last stop are gone"
    basalctl replay verify >/dev/null || fail "the kept replay is damaged"
    sleep 1
    is limp || fail "it did not stay limp"
    rows=$(number replay_rows)
    systemctl restart basald
    until_true "limp" 5 is limp
    at_least replay_rows "$rows" || fail "systemctl restart lost rows"
    kept_rows=$rows
    go
    until_true "more rows" 10 at_least replay_rows $((rows + 20))
    end
}

estop() {
    begin
    go --random
    sleep 1
    basalctl estop >/dev/null
    until_true "estop" 5 is estop
    until_true "torque off" 5 torques_off
    until_true "the latch" 5 test -e /var/lib/basald/estop
    local p
    p=$(pid)
    systemctl kill -s KILL basald
    until_true "another life" 10 another_pid "$p"
    until_true "estop after kill -9" 5 is estop
    if basalctl arm >/dev/null 2>&1; then fail "armed under an estop"; fi
    systemctl restart basald
    until_true "estop after a restart" 5 is estop
    until_true "cleared" 10 basalctl clear >/dev/null 2>&1
    until_true "limp" 5 is limp
    until_true "no latch" 5 test ! -e /var/lib/basald/estop
    systemctl restart basald
    until_true "limp after a restart" 5 is limp
    end
}

# The robot file changes under a kept replay: it is refused in a sentence, and the robot works.
another_schema() {
    begin
    go --random
    until_true "rows" 10 at_least replay_rows 10
    sed -i 's/^  capacity: .*/  capacity: 90000/' /etc/basald/basald.yaml
    systemctl restart basald
    until_true "limp" 5 is limp
    said_it "belongs to another robot or configuration; a new one begins" || fail "nothing was said"
    [ "$(number replay_rows)" = 0 ] || fail "$(number replay_rows) rows of another configuration"
    systemctl restart basald
    until_true "limp" 5 is limp
    said_it "the replay is kept: 0 rows so far" || fail "the new one is not kept in the old one's place"
    sed -i 's/^  capacity: .*/  capacity: 100000/' /etc/basald/basald.yaml
    end
}

# A second robot on the same machine.
instance() {
    begin
    second_robot
    is limp || fail "the first robot minds the second"
    basalctl --runtime-dir /run/basald-arm arm >/dev/null || fail "the second arms"
    sleep 0.5
    is limp || fail "arming the second moved the first"
    systemctl stop basald@arm armsim || fail "systemctl stop basald@arm"
    [ -e /run/basald/command ] || fail "the second took the folder of the first"
    end
}

# --- what happens when it fails: test build ---

at_rest() { # the body's own joints, not the daemon's word
    tail -n 1 /run/basalsim/truth.jsonl | sed -n 's/.*"qd": *\[\([^]]*\)\].*/\1/p' |
        awk -F', *' '{ exit !($1 < 0.02 && $1 > -0.02 && $2 < 0.02 && $2 > -0.02) }'
}
after_failure() { # the service comes back by itself and stays limp
    until_true "another life" 15 another_pid "$1"
    until_true "limp" 5 is limp
    until_true "torque off" 5 torques_off
    [ "$(restarts)" = 1 ] || fail "$(restarts) restarts"
    said_it "make safe: torque is off on every device" || fail "nobody made it safe"
    sleep 1
    is limp || fail "it did not stay limp"
    end
}

stall_loop() {
    begin --stall loop
    go --random
    local p tick before
    p=$(pid) before=-1
    for _ in $(seq 100); do # the loop stands: the same tick twice, half a second apart
        tick=$(number tick)
        [ "$tick" != "$before" ] || break
        before=$tick
        sleep 0.5
    done
    [ "$(pid)" = "$p" ] || fail "it was replaced before anyone could look"
    at_rest || fail "the devices did not stop by themselves: $(tail -n 1 /run/basalsim/truth.jsonl)"
    after_failure "$p"
    said_it "Watchdog timeout" || fail "the service manager's watchdog did not fire"
    said_it "the control loop makes no progress" || fail "main did not say so"
}

stall_main() {
    begin --stall main
    go --random
    local p
    p=$(pid)
    until_true "limp while main hangs" 20 is limp
    [ "$(pid)" = "$p" ] || fail "it was replaced, not stopped"
    [ "$(said "Watchdog timeout")" = 0 ] || fail "the watchdog fired before the robot had stopped"
    torques_off || fail "limp, and torque is not read back as off"
    after_failure "$p"
    said_it "Watchdog timeout" || fail "the service manager's watchdog did not fire"
    local order
    order=$(order_of 'running -> stopping|stopping -> limp|Watchdog timeout')
    [ "$order" = 'running -> stopping|stopping -> limp|Watchdog timeout|' ] || fail "the order was $order"
}

stall_comms() {
    begin --stall comms
    go --random
    local p
    p=$(pid)
    after_failure "$p"
    said_it "comms makes no progress: stopping the robot, then leaving" || fail "main did not say so"
    said_it "code=exited, status=70" || fail "it did not leave by itself"
    [ "$(said "Watchdog timeout")" = 0 ] || fail "the watchdog fired before the robot had stopped"
}

crash_beside() { # thread
    begin --crash "$1"
    go --random
    local p
    p=$(pid)
    after_failure "$p"
    said_it "SIGILL on a thread beside the loop: stopping the robot" || fail "the crash was not said"
    said_it "the robot has stopped after a crash: leaving" || fail "the loop did not stop the robot"
    said_it "code=exited, status=70" || fail "it did not leave by itself"
}
crash_learner() {
    crash_beside learner
    local order
    order=$(order_of 'SIGILL on a thread|running -> stopping')
    [ "$order" = 'SIGILL on a thread|running -> stopping|' ] || fail "the order was $order"
}
crash_comms() { crash_beside comms; }
crash_main() { crash_beside main; }
crash_loop() {
    begin --crash loop
    go --random
    local p
    p=$(pid)
    after_failure "$p"
    said_it "SIGILL on the loop's thread: cutting torque" || fail "the crash was not said"
    said_it "code=killed, status=4/ILL" || said_it "code=dumped, status=4/ILL" || fail "it did not die of it"
}

set_up
scenarios "$@"
echo "{\"test\": \"service\", \"good\": true, \"scenarios\": [${done_list%, }], \"stop_exit_ms\": ${stop_exit_ms:-null}, \"stop_unit_ms\": ${stop_ms:-null}, \"kill9_to_limp_ms\": ${kill_ms:-null}, \"kept_rows\": ${kept_rows:-null}}"
