# shellcheck shell=bash
# One command beside others, for who sources this: in a session of its own, so that all of it ends with the script.
beside_pid='' beside_log=''
trap beside_leave EXIT

beside_leave() {
    # its group, or itself, if it has none yet
    [ -z "$beside_pid" ] || kill -- "-$beside_pid" 2>/dev/null || kill "$beside_pid" 2>/dev/null || true
    rm -f "$beside_log"
}
beside_begins() { # COMMAND...
    beside_log=$(mktemp)
    setsid "$@" >"$beside_log" 2>&1 &
    beside_pid=$!
}
beside_ends() { # waits for it, shows what it said; its status
    local status=0
    wait "$beside_pid" || status=$?
    beside_pid=
    cat "$beside_log"
    rm -f "$beside_log"
    return $status
}
