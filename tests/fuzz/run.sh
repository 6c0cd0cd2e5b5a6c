#!/usr/bin/env bash
# Every fuzz target for some seconds, as many at once as there are processors, from what earlier runs found (build/corpus) and
# the seeds in tests/fuzz/corpus. One line a target.
set -euo pipefail
cd "$(dirname "$0")/../.."
export seconds=${1:-15}

fuzz() { # target
    set -euo pipefail
    local target=$1 name covered runs seeds=()
    name=$(basename "$target")
    mkdir -p "build/corpus/$name"
    local flags=(-max_total_time="$seconds" -max_len=4096 -rss_limit_mb=4096 -print_final_stats=1)
    [ ! -d "tests/fuzz/corpus/${name#fuzz_}" ] || seeds+=("tests/fuzz/corpus/${name#fuzz_}")
    if [ "$name" = fuzz_config ]; then # every key that there is
        seeds+=(deploy/robots)
        build/analyze/bin/basald --manual | sed -n 's/^#* *\([a-z_0-9]\{2,\}\): .*/"\1: "/p' | sort -u >build/corpus/config.dict
        flags+=(-dict=build/corpus/config.dict)
    fi
    if "$target" "${flags[@]}" "build/corpus/$name" "${seeds[@]}" >"build/corpus/$name.log" 2>&1; then
        covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "build/corpus/$name.log" | tail -n 1)
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/corpus/$name.log")
        echo "$name: $runs runs, $covered edges, nothing found"
    else
        tail -n 30 "build/corpus/$name.log"
        echo "$name: FOUND something, see build/corpus/$name.log"
        return 1
    fi
}
export -f fuzz

printf '%s\0' build/analyze/fuzz/fuzz_* | xargs -0 -P "$(nproc)" -n 1 bash -c 'fuzz "$1"' fuzz
