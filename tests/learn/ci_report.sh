#!/bin/bash
# The report's way, on a fiftieth of the steps: runs in parallel, each only once, a failed one said, pages with pictures.
set -eu
bin=${BASAL_BIN:?}
[ -x "$bin/basald" ] || exit 77
for tool in python3 gnuplot; do
    command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAILED: $*"
    cat "$work/said"
    exit 1
}
report() { bash tests/learn/report.sh --bin "$bin" --out "$work/report" --small "$@" >"$work/said" 2>&1; }

report --pages cartpole,pendulum || fail "a small report"
grep -q "^0 runs are there, 7 to do" "$work/said" || fail "seven runs were to do"
grep -q "7/7 " "$work/said" || fail "it does not say how far it is"
report --pages cartpole,pendulum || fail "the same again"
grep -q "^7 runs are there, 0 to do" "$work/said" || fail "what has been run was run again"
rm "$work/report/runs/cartpole/DQN-1/result.json"
report --pages cartpole || fail "going on after one that was stopped"
grep -q "^2 runs are there, 1 to do" "$work/said" || fail "one run was to do"
for what in "cartpole.svg" "<h2>cartpole</h2>" "policy.kind=ppo" "configuration [0-9a-f]\{16\}"; do
    grep -q "$what" "$work/report/index.html" || fail "the page lacks $what"
done
grep -q "</svg>" "$work/report/cartpole.svg" || fail "there is no picture"

report --pages multigoal,crawler-table,c51,svg-k,per || fail "the pages with figures of their own"
for figure in multigoal-landscape crawler-table-arrows c51-returns svg-k-learning per-draws; do
    grep -q "<img src='$figure.svg'" "$work/report/index.html" || fail "the page lacks $figure"
    tail -n 2 "$work/report/$figure.svg" | grep -q "</svg>" || fail "there is no picture $figure"
done
rm "$work/report/runs/c51/C51-1/trace.jsonl"
! report --pages c51,per || fail "a figure that cannot be drawn is no failure"
grep -q "the figure of c51 is not drawn: .*trace.jsonl" "$work/said" || fail "it does not say which figure is missing"
grep -q "per-draws.svg" "$work/report/index.html" || fail "with one figure missing the others are not drawn"

printf 'cartpole\tnone\tcartpole\t100\t1\t-\tpolicy.kind=nothing\n' >"$work/table"
! report --table "$work/table" || fail "a run that cannot be is no failure"
grep -q "cartpole, none, seed 1 failed" "$work/said" || fail "it does not say which run failed"
printf 'cartpole\tDQN\tcartpole\n' >"$work/table"
! report --table "$work/table" || fail "a table with three columns is accepted"
grep -q "table:1: 7 columns are wanted" "$work/said" || fail "it does not say what is wrong with the table"
echo "the report runs, goes on, and says what failed"
