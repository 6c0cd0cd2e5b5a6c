# shellcheck shell=bash disable=SC2154
# Others' programs: a virtual environment that holds what tests/partners.txt says. And a tee on
# the line, which writes down what passes. Wants $work, a folder for logs, and $here, that of the tests.
python=/usr/bin/python3
venv=${PARTNERS:-build/partners}

skip() { echo "partner: skipped: $1" >&2; exit 77; }

# what is there, or a fresh one
partners() {
    cmp -s tests/partners.txt "$venv/partners.txt" && return 0
    rm -rf "$venv"
    "$python" -m venv "$venv" >"$work/venv.log" 2>&1 || skip "no virtual environment: is python3-venv installed?"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/partners.txt >"$work/venv.log" 2>&1 ||
        skip "pip cannot fetch tests/partners.txt: $(tail -n 1 "$work/venv.log")"
    cp tests/partners.txt "$venv/partners.txt"
}

# between the emulator at $work/servo and who opens $work/tee
tee_pid=
start_tee() { # log
    "$python" "$here/bus_tee.py" "$work/servo" "$work/tee" "$1" &
    tee_pid=$!
    for _ in $(seq 100); do [ -e "$work/tee" ] && return 0; sleep 0.05; done
    return 1
}
stop_tee() {
    [ -z "$tee_pid" ] || { kill "$tee_pid" 2>/dev/null && wait "$tee_pid" 2>/dev/null; } || true
    tee_pid=
    rm -f "$work/tee"
}
