#!/usr/bin/env bash
# Every fuzz target for some seconds, from an empty corpus kept between runs. One line a target.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-15}
found=0
for target in build/analyze/fuzz/fuzz_*; do
    [ -x "$target" ] || continue
    name=$(basename "$target")
    mkdir -p "build/corpus/$name"
    if "$target" -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=4096 -print_final_stats=1 "build/corpus/$name" \
        >"build/corpus/$name.log" 2>&1; then
        echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/corpus/$name.log") runs, nothing found"
    else
        tail -n 30 "build/corpus/$name.log"
        echo "$name: FOUND something, see build/corpus/$name.log"
        found=1
    fi
done
exit $found
