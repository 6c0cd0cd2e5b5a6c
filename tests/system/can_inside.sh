#!/bin/bash
# Inside of a virtual machine, the package installed: six motors on a virtual CAN bus that basalsim plays, and a learner at
# work. Every tick happens, in every tick every motor gets its goal and answers, and nothing else is on the bus.
#
#   can_inside.sh SECONDS SCENARIO...   SECONDS of each measurement
set -euo pipefail
. "$(dirname "$0")/service_steps.sh"
seconds=$1
shift
robots=/usr/share/basald/robots
dump=/run/candump.log

# Of what candump heard: from the first goal of the first motor to its last, so whole ticks. As many of each motor's goals
# and answers as the time has periods, and not a frame of another kind.
whole_ticks() {
    awk -v rate="$rate" '
        {
            id = substr($3, 1, 3)
            if (id == "001") {
                if (first == "") { first = $1 } else { for (i in open) { n[i] += open[i] } }
                split("", open)
                last = $1
            }
            if (first != "") { open[id]++ }
        }
        END {
            ticks = sprintf("%.0f", (substr(last, 2) - substr(first, 2)) * rate) + 0 # a number again
            for (i in n) { total += n[i]; kinds++; if (n[i] != ticks) { odd = odd " " i " " n[i] } }
            printf "%d ticks, %d frames of %d", ticks, total, 12 * ticks
            if (ticks < 0.9 * '"$seconds"' * rate || kinds != 12 || odd != "") {
                printf ", %d identifiers, not as many as ticks:%s\n", kinds, odd
                exit 1
            }
        }' $dump
}
troubles() { status | grep -oE '"(overruns|coasted|crc_errors|reconnects|misses)": *[0-9]*' | tr -d '"' | tr '\n' ' '; }

measure() { # between a listener's coming and its going, which both hold the kernel up
    local before after updates listener
    candump -L -r 16777216 vcan0 >$dump &
    listener=$!
    sleep 0.3
    before=$(troubles) updates=$(number updates)
    sleep "$seconds"
    after=$(troubles)
    updates=$(($(number updates) - updates))
    kill $listener
    is running || fail "it did not go on running: $(field why)"
    [ "$before" = "$after" ] || fail "before: $before; after: $after"
    [ $updates -ge $((5 * seconds)) ] || fail "the learner made $updates updates"
    figures="$updates updates, $after, wake-up p50 $(number wake_p50_us) p99 $(number wake_p99_us) p99.9 $(number wake_p999_us) max $(number wake_max_us) us, tick max $(number tick_max_us) us, "
}

# The arm on its bus, with something to learn. The emulated processor makes its products one by one, in software: a larger
# learner would cost minutes.
begin() { # mtu, robot, words of run
    ip link add vcan0 type vcan
    ip link set vcan0 mtu "$1" txqueuelen 12 up
    cat >/etc/basald/basald.yaml <<Y
include: [$robots/arm-reach-can.yaml, $robots/$2.yaml]
name: $2
bus:
  - {name: arm, device: vcan0}
policy: {kind: sac, net_arch: [16, 16]}
learner: {learning_starts: 20, batch_size: 16, gradient_steps: 1}
sim: {substep_us: 1000}
Y
    rate=$(sed -n 's/^  rate_hz: //p' "$robots/$2.yaml")
    systemctl start basalsim
    start_limp
    go "${@:3}"
}
end_all() { # on its way to the rest pose first
    local order
    cursor_here
    systemctl stop basald || fail "systemctl stop"
    order=$(order_of 'SIGTERM: stopping|[a-z]+ -> [a-z]+|make safe: torque is off on every device')
    [ "$order" = 'SIGTERM: stopping|running -> retreating|retreating -> stopping|stopping -> limp|make safe: torque is off on every device|' ] ||
        fail "the order of the stop was $order"
    systemctl stop basalsim
    ip link del vcan0
    rm -rf /var/lib/basald
}

# --- every tick ---

measured() { # mtu, robot
    local text
    begin "$@"
    until_true "the learner learns" 30 at_least updates 5
    measure
    end_all
    text=$(whole_ticks) || fail "on the bus: $text" # when all is over: the reader must not disturb what is measured
    figures="$figures$text, "
}
fd_1000_hz() { measured 72 openarm6-can; }
classic_400_hz() { measured 16 openarm6-can400; }

# --- what goes wrong ---

lost() { # what it says
    until_true "fault" 5 is fault
    case $(field why) in *"$1"*) ;; *) fail "it says \"$(field why)\"" ;; esac
}
unknown() { [ "$(status | grep -o '"torque": *"unknown"' | wc -l)" = 6 ]; }
back() { # and it works as before, once somebody asks for it
    until_true "the motors are there again" 10 torques_off
    sleep 0.5
    is fault || fail "it left the fault by itself"
    basalctl clear >/dev/null || fail "clear"
    until_true "limp" 5 is limp
    go --random --no-learn
}

# The controller leaves the bus: what the kernel says then is said here by somebody else.
bus_off() {
    begin 16 openarm6-can400 --random --no-learn
    cansend vcan0 20000040#0000000000000000
    lost "bus-off"
    back
    end_all
}

# Somebody sets the interface down under the running robot: no command arrives any more.
link_down() {
    begin 16 openarm6-can400 --random --no-learn
    ip link set vcan0 down
    lost "bus arm: vcan0 is down (unplugged?): plug it in again, or ip link set vcan0 up"
    sleep 3
    is fault || fail "it left the fault by itself"
    unknown || fail "nobody can know its torque"
    ip link set vcan0 up
    back
    end_all
}

# All motors are silent, as without their supply, and after a while they are there again.
motors_gone() {
    begin 16 openarm6-can400 --random --no-learn
    systemctl kill -s KILL basalsim
    lost "bus arm: not one of its joints answers any more"
    [ "$(field cause)" = bus_lost ] || fail "the cause is $(field cause)"
    until_true "torque is unknown" 5 unknown
    systemctl reset-failed basalsim
    systemctl start basalsim
    back
    end_all
}

# The motors' own timeout lets go first; then the next life finds them, and stays limp.
daemon_killed() {
    local p rows
    begin 16 openarm6-can400 --random --no-learn
    p=$(pid) rows=$(number replay_rows)
    systemctl kill -s KILL basald
    until_true "another life" 10 another_pid "$p"
    until_true "limp" 5 is limp
    until_true "torque off" 5 torques_off
    [ "$(restarts)" = 1 ] || fail "$(restarts) restarts"
    said_it "make safe: torque is off on every device" || fail "nobody made it safe"
    at_least replay_rows "$rows" || fail "$(number replay_rows) rows, there were $rows"
    sleep 0.5
    is limp || fail "it did not stay limp"
    go --random --no-learn
    end_all
}

systemctl stop basald basalsim 2>/dev/null || true
rm -rf /var/lib/basald
chgrp basald /dev/cpu_dma_latency && chmod 660 /dev/cpu_dma_latency # as udev does with the package's rule
cat >/etc/systemd/system/basalsim.service <<'U'
[Service]
User=basald
ExecStart=/usr/bin/basalsim --config /etc/basald/basald.yaml
AmbientCapabilities=CAP_SYS_NICE CAP_IPC_LOCK
U
systemctl daemon-reload
scenarios "$@"
