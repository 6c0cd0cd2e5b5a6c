# shellcheck shell=bash disable=SC2154
# What the tests of basalctl doctor share: sourced after lib.sh. $work/robot.yaml is the robot file at hand, $work/said the words.
fail() { echo "$1"; cat "$work/said"; exit 1; }
with() { # flags of basalsim
    stop_sim
    start_sim "$@"
}
doctor() { "$bin/basalctl" doctor --config "$work/robot.yaml" "$@" >"$work/said"; }
# a starved emulator answers late, which is a finding too: what is wrong is so every time
tries() {
    for _ in 1 2 3 4 5; do
        if "$@"; then return; fi
    done
    return 1
}
finds() { # what must be said, how many faults, what else must be said
    ! doctor && grep -q "^fault  $1" "$work/said" && [ "$(grep -c '^fault' "$work/said")" = "${2:-1}" ] &&
        grep -q "^fault  ${3:-$1}" "$work/said"
}
is_well() { # what must be said, flags
    doctor "${@:2}" && grep -q "$1" "$work/said"
}
sick() { tries finds "$@" || fail "not said, or other faults too: $1"; }
well() { tries is_well "$@" || fail "no fault was expected, but: $1"; }
fixes() { # what must be said to be fixed; looked at afterwards, nothing is wrong
    doctor --fix || true
    grep -q "^ok     $1" "$work/said" || fail "not fixed: $1"
    well "^ok "
}
