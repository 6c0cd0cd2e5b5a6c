#!/bin/bash
# Inside of the virtual machine; /host holds the package and what vm.sh put beside it. Each line "ok - NAME" is a test.
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
installs() {
    dpkg -i /host/basald.deb && [ "$(systemctl is-enabled basald)" = disabled ] && [ "$(systemctl is-active basald)" = inactive ] &&
        getent passwd basald
}
# The processor in here has AVX2 and no AVX-512, whatever the one has that compiled it.
learns() {
    basald --lockstep --config /usr/share/basald/robots/crawler.yaml --set learner.learning_starts=40 --steps 60 --eval-s 0 --json || return 1
    figures="$(grep -o '"updates": [0-9]*' /tmp/said)"
    [ "${figures##* }" -gt 0 ]
}
cyclic() {
    cyclictest -m -q -p 80 -i 1000 -l 3000 || return 1
    figures=$(grep -o 'Min:.*' /tmp/said | tr -s ' ')
}
can() {
    mkdir -p "$sources/deploy" && cp -r /host/robots "$sources/deploy/" && BASAL_TESTS=/host bash /host/ci_vcan.sh
}
purges() { dpkg -P basald && [ ! -e /usr/bin/basald ] && [ ! -e /etc/basald ] && [ ! -e /var/lib/basald ]; }

rm -f /etc/dpkg/dpkg.cfg.d/* # which would leave documentation out
passes machine machine
passes installs installs
passes learns learns
passes cyclictest cyclic
passes can can
bash /host/can_inside.sh "$seconds" fd_1000_hz classic_400_hz bus_off || bad=1
rm -f /etc/basald/basald.yaml
passes purges purges
exit $bad
