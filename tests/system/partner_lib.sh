# shellcheck shell=bash disable=SC2154
# Others' programs: a virtual environment that holds what tests/partners.txt says. Wants $work, a folder for logs.
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
