#!/bin/bash
# Inside of the virtual machine; /host holds the packages and what vm.sh put beside them. Each line "ok - NAME" is a test.
#
#   vm_inside.sh FOLDER SECONDS   where the sources were when the tests were compiled; of each measurement on the bus
set -uo pipefail
sources=$1 seconds=$2
bad=0
passes() { # name, command...
    local name=$1
    shift
    figures=
    if "$@" >/tmp/said 2>&1; then
        echo "ok - $name${figures:+: $figures}"
    else
        echo "not ok - $name"
        cat /tmp/said
        bad=1
    fi
}

machine() { grep -q PREEMPT_RT /proc/version && [ "$(cat /sys/kernel/realtime)" = 1 ] && [ "$(cat /proc/1/comm)" = systemd ]; }
cyclic() {
    cyclictest -m -q -p 80 -i 1000 -l $((1000 * seconds)) || return 1
    figures=$(grep -o 'Min:.*' /tmp/said | tr -s ' ')
}
can() {
    mkdir -p "$sources/deploy" && cp -r /host/robots "$sources/deploy/" && BASAL_TESTS=/host bash /host/ci_vcan.sh
}

rm -f /etc/dpkg/dpkg.cfg.d/* # which would leave documentation out
passes machine machine
passes cyclictest cyclic
passes can can
# The processor in here has AVX2 and no AVX-512, whatever the one has that compiled what learns.
bash /host/package_inside.sh /host install_ learn upgrade remove purge || bad=1
dpkg -i /host/new.deb >/tmp/said 2>&1 || { cat /tmp/said; exit 1; }
bash /host/can_inside.sh "$seconds" fd_1000_hz classic_400_hz bus_off link_down motors_gone daemon_killed || bad=1
exit $bad
