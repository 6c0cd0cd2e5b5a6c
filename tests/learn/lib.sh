# shellcheck shell=bash
# Shared by the tests of what a robot file learns in lockstep; they set config=FILE, or several in turn.
bin=${BASAL_BIN:?}/basald
[ -x "$bin" ] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() { "$bin" --lockstep --config "${config:?}" --json "$@"; }
get() { sed -nE "s/.*\"$1\": \"?([^,\"}]*).*/\1/p" "$2"; } # KEY FILE
fail() {
    echo "FAILED: $*"
    exit 1
}

# Seed 1 twice gives the same of each key, seed 2 other weights; with FLAG... The first result stays in $work/a.
same_twice() { # KEY,KEY... FLAG...
    local keys=$1 key
    shift
    run --seed 1 "$@" >"$work/a"
    run --seed 1 "$@" >"$work/b"
    run --seed 2 "$@" >"$work/c"
    for key in ${keys//,/ }; do
        [ "$(get "$key" "$work/a")" = "$(get "$key" "$work/b")" ] || fail "the same seed gave another $key"
    done
    [ "$(get weights_hash "$work/a")" != "$(get weights_hash "$work/c")" ] || fail "two seeds gave the same weights"
    echo "seed 1 twice: weights $(get weights_hash "$work/a"), seed 2: $(get weights_hash "$work/c")"
}

is_sanitized() { ldd "$bin" | grep -qE 'lib(asan|tsan|ubsan|clang_rt)'; }

# With sanitizers it is not learning that is looked at: the test ends here; with 77 where nothing else was looked at.
unless_sanitized() { # [STATUS]
    is_sanitized || return 0
    echo "a build with sanitizers: no learning is judged"
    exit "${1:-0}"
}
