# shellcheck shell=bash
# Shared by what runs under a real systemd, in a container or a virtual machine: ask the service, wait for it, give it a
# robot. Each scenario is a function that begins with a stopped service and says one line.
scenario=set_up cursor=

fail() {
    echo "not ok - $scenario: $1"
    told=yes
    journalctl -b -o short-monotonic -u basald --no-pager | tail -n 60
    exit 1
}
told=
trap '[ $? = 0 ] || [ -n "$told" ] || echo "not ok - $scenario: it broke off"' EXIT
status() { basalctl status --json 2>/dev/null || true; }
field() { status | grep -oE "\"$1\": *(\"[^\"]*|[^,\"}]*)" | head -n 1 | sed 's/^[^:]*: *"\{0,1\}//'; }
number() { local n; n=$(field "$1"); echo "${n:-0}"; }
state() { field state; }
pid() { systemctl show -p MainPID --value basald; }
restarts() { systemctl show -p NRestarts --value basald; }
said() { journal -o cat | grep -cF "$1" || true; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

until_true() { # what seconds command...
    local what=$1 n=$(($2 * 20))
    shift 2
    for _ in $(seq $n); do
        "$@" && return 0
        sleep 0.05
    done
    fail "$what: the robot is $(state)"
}
is() { [ "$(state)" = "$1" ]; }
at_least() { awk -v a="$(number "$1")" -v b="$2" 'BEGIN { exit !(a >= b) }'; }
another_pid() { local p; p=$(pid); [ "$p" != "$1" ] && [ "$p" != 0 ] && [ -n "$(state)" ]; }
said_it() { [ "$(said "$1")" -ge 1 ]; }
torques_off() { [ "$(status | grep -o '"torque": *"off"' | wc -l)" -ge 2 ]; }

a_robot() { # the crawler, emulated by basalsim as a service
    # a machine that is busy elsewhere starves basalsim: half a second of silence is no fault here
    sed 's/^\( *\(misses_max\|stale_ticks_max\)\): [0-9]*/\1: 50/' /usr/share/basald/robots/crawler.yaml >/etc/basald/basald.yaml
    # what udev does on a machine that has one
    install -d -o basald /dev/basald
    minor=$(awk '$2 == "cpu_dma_latency" { print $1 }' /proc/misc)
    [ -z "$minor" ] || [ -e /dev/cpu_dma_latency ] || { mknod -m 660 /dev/cpu_dma_latency c 10 "$minor" && chgrp basald /dev/cpu_dma_latency; } || true
    cat >/etc/systemd/system/basalsim.service <<'U'
[Service]
User=basald
ExecStart=/usr/bin/basalsim --config /etc/basald/basald.yaml --truth /run/basalsim/truth.jsonl
AmbientCapabilities=CAP_SYS_NICE CAP_IPC_LOCK
RuntimeDirectory=basalsim
U
    systemctl daemon-reload
    systemctl start basalsim
    for _ in $(seq 100); do [ -e /dev/basald/servo ] && return; sleep 0.05; done
    fail "basalsim makes no /dev/basald/servo"
}

# The journal from here on. An entry that the filter does not match is no place for a cursor: the one after it is left out.
cursor_here() { cursor=$(journalctl -b -q -u basald -n 1 --show-cursor | sed -n 's/^-- cursor: //p') || true; }
journal() { journalctl -b -q -u basald --no-pager ${cursor:+--after-cursor="$cursor"} "$@"; }
start_limp() {
    cursor_here
    systemctl start basald || fail "systemctl start"
    until_true "limp" 5 is limp
    until_true "torque off" 5 torques_off
}
go() {
    basalctl arm >/dev/null || fail "arm"
    until_true "ready" 10 is ready
    basalctl run "$@" >/dev/null || fail "run"
    until_true "running" 5 is running
}
end() { systemctl stop basald || true; }
second_robot() { # beside the first: basald@arm
    sed 's|/dev/basald/servo|/dev/basald/arm|; $a comms:\n  telemetry: off' /etc/basald/basald.yaml >/etc/basald/arm.yaml
    systemd-run --quiet --unit=armsim -p User=basald -p AmbientCapabilities=CAP_SYS_NICE basalsim --config /etc/basald/arm.yaml
    until_true "a second bus" 5 test -e /dev/basald/arm
    systemctl start basald@arm || fail "systemctl start basald@arm"
    until_true "the second robot" 5 basalctl --runtime-dir /run/basald-arm health >/dev/null
}
order_of() { # pattern: the parts of the journal that match, in their order
    journal -o cat | grep -oE "$1" | tr '\n' '|'
}

done_list=
scenarios() { # name... each may leave $figures
    local from
    for scenario in "$@"; do
        from=$(now_ms)
        figures=
        $scenario
        echo "ok - $scenario: $figures$(($(now_ms) - from)) ms"
        done_list="$done_list\"$scenario\", "
    done
}
