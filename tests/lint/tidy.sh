#!/bin/bash
# clang-tidy over all product code, as many files at once as there are processors; .clang-tidy says which checks. One file
# a run: given several, clang-tidy 14 forgets va_start. Prints what it found and how long it took.
set -euo pipefail
cd "$(dirname "$0")/../.."
start=$SECONDS
cmake --preset analyze >/dev/null
cmake --build build/analyze --target basal_proto -j "$(nproc)" -- -s >/dev/null # the generated headers
grep -q BASAL_MUJOCO build/analyze/compile_commands.json || { echo "skipped: sim/mujoco*.c, without MuJoCo's headers"; without=/mujoco; }
mapfile -t files < <(find daemon drivers policies sim -name '*.c' | grep -v "${without:-^$}" | sort)
good=yes
printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -n 1 clang-tidy -p build/analyze --quiet 2>build/analyze/tidy.err || good=no
[ $good = yes ] || grep -v 'warnings generated' build/analyze/tidy.err || true
echo "clang-tidy: ${#files[@]} files in $((SECONDS - start)) s: $([ $good = yes ] && echo clean || echo FOUND something)"
[ $good = yes ]
