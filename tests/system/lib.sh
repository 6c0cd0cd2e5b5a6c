# shellcheck shell=bash
# Shared by the real-time system tests: start basalsim and basald in a folder of their own, stop them whatever happens.
bin=${BASAL_BIN:?}
robot=${ROBOT:-deploy/robots/crawler.yaml}
bus=${BUS:-servo} # the name of its bus
work=$(mktemp -d)
sim_pid='' daemon_pid=''
launch=() # what basald is started by: setpriv, strace ...; it must become basald by exec

ctl() { "$bin/basalctl" --runtime-dir "$work/sockets" "$@"; }

start_sim() { # flags
    mkfifo "$work/sim.in" 2>/dev/null || true
    "$bin/basalsim" --config "$robot" --link "$work/servo" --truth "$work/truth.jsonl" --json "$@" <>"$work/sim.in" >"$work/sim.out" 2>"$work/sim.err" &
    sim_pid=$!
    for _ in $(seq 100); do [ -e "$work/servo" ] && return 0; sleep 0.05; done
    cat "$work/sim.err" >&2
    return 1
}

tell_sim() { echo "$1" >"$work/sim.in"; }

# For tests of what is said, not when: deadlines that a busy machine keeps too.
# shellcheck disable=SC2034 # for those who source this
patient=(--set control.realtime=off --set control.rate_hz=40 --set control.loop_deadman_ms=1000 --set safety.stale_ticks_max=40
    --set bus.servo.reply_deadline_us=15000 --set bus.servo.misses_max=40 --set bus.servo.watchdog_ms=2000)

launch_daemon() { # flags
    "${launch[@]}" "$bin/basald" --config "$robot" --set "bus.$bus.device=$work/servo" --set comms.telemetry=off \
        --runtime-dir "$work/sockets" --run-dir "$work/state" "$@" 2>>"$work/daemon.log" &
    daemon_pid=$!
}

start_daemon() { # flags; until it is healthy
    launch_daemon "$@"
    for _ in $(seq 200); do ctl health >/dev/null 2>&1 && return 0; sleep 0.05; done
    tail -n 20 "$work/daemon.log" >&2
    return 1
}

state() { ctl status --json 2>/dev/null | sed -n 's/.*"state": *"\([a-z]*\)".*/\1/p'; }
number() { ctl status --json 2>/dev/null | grep -o "\"$1\": *[-0-9.e]*" | head -n 1 | sed 's/.*: *//'; }

wait_state() { # state seconds
    for _ in $(seq $(($2 * 20))); do [ "$(state)" = "$1" ] && return 0; sleep 0.05; done
    echo "the robot is $(state), not $1" >&2
    tail -n 20 "$work/daemon.log" >&2
    return 1
}

go() { # flags of run
    ctl arm >/dev/null
    wait_state ready 10
    ctl run "$@" >/dev/null
    wait_state running 5
}

stop_daemon() {
    [ -z "$daemon_pid" ] || { kill "$daemon_pid" 2>/dev/null && wait "$daemon_pid" 2>/dev/null; } || true
    daemon_pid=
}

stop_sim() {
    [ -z "$sim_pid" ] || { kill "$sim_pid" 2>/dev/null && wait "$sim_pid" 2>/dev/null; } || true
    sim_pid=
}

way_m() { sed -n 's/.*"q": *\[\([^]]*\)\].*/\1/p' "$work/truth.jsonl" | tail -n 1 | awk -F', *' '{ print $3 * 0.02 }'; }

clean_up() {
    stop_daemon
    stop_sim
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
