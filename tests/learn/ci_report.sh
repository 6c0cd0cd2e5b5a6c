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
grep -q "^0 runs are there, 9 to do" "$work/said" || fail "nine runs were to do"
grep -q "9/9 " "$work/said" || fail "it does not say how far it is"
report --pages cartpole,pendulum || fail "the same again"
grep -q "^9 runs are there, 0 to do" "$work/said" || fail "what has been run was run again"
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
# --- what is claimed: pages with numbers, which a small report does not judge ---
report --pages chain,multigoal,pendulum || fail "pages with claims"
for what in "Prioritised replay" "Worst seeds of SAC and DDPG" "SAC, TD3, DDPG, PPO, soft Q-learning: pendulum"; do
    grep -q "^$what: .* Not judged.$" "$work/said" || fail "it does not say $what"
    grep -q "<h2>$what</h2>" "$work/report/index.html" || fail "there is no page on $what"
done
for picture in worst_seeds pendulum-lecture; do
    grep -q "</svg>" "$work/report/$picture.svg" || fail "there is no picture $picture"
done

# --- and another does; bounds are each seed's ---
judge() { bash tests/learn/report.sh --bin "$bin" --out "$work/judged" --table "$work/table" >"$work/said" 2>&1; }
walk="learner.learning_starts=20000 policy.exploration_initial_eps=0 policy.exploration_final_eps=0"
{
    for kind in uniform rank proportional; do
        by=$kind
        [ $kind != uniform ] || by=none
        printf 'cliff-walk\t%s\tcliff-walk\t26000\t1\t-\t%s learner.prioritized_replay=%s\n' $kind "$walk" $by
    done
    for kind in "DQN false" "Double DQN true"; do
        printf 'cartpole\t%s\tcartpole\t1500\t1,2\t-\tpolicy.double_q=%s\n' "${kind% *}" "${kind##* }"
    done
    printf 'ref\tcliff-walk\tsolved\t1\n'
    printf 'crawler-grid\tQ-learning\tcrawler-grid\t20000\t1,2\tper_step>=3.36\t-\n'
} >"$work/table"
judge || fail "a table that holds"
grep -q "per_step 3.368, 3.368, held" "$work/said" || fail "it does not say what was judged"
grep -q "rank  [0-9,]*  [0-9,]*$" "$work/said" || fail "it does not count updates until a world is solved"
for what in "Prioritised replay" "Overestimation: cartpole"; do
    grep -Eq "^$what: .* (Held|Did not hold)\.$" "$work/said" || fail "it does not judge $what"
done
for picture in prioritised cartpole-values; do
    grep -q "</svg>" "$work/judged/$picture.svg" || fail "there is no picture $picture"
done
sed -i 's/per_step>=3.36/per_step<=3.36/' "$work/table"
! judge || fail "a bound that is broken is no failure"
grep -q "MISSED per_step<=3.36" "$work/said" || fail "it does not say which bound was missed"
sed -i 's/per_step/speed/' "$work/table"
! judge || fail "an unknown quantity is accepted"
grep -q "table:7: speed is none of return, per_step" "$work/said" || fail "it does not say which quantities there are"

printf 'cartpole\tnone\tcartpole\t100\t1\t-\tpolicy.kind=nothing\n' >"$work/table"
! report --table "$work/table" || fail "a run that cannot be is no failure"
grep -q "cartpole, none, seed 1 failed" "$work/said" || fail "it does not say which run failed"
printf 'cartpole\tDQN\tcartpole\n' >"$work/table"
! report --table "$work/table" || fail "a table with three columns is accepted"
grep -q "table:1: 7 columns are wanted" "$work/said" || fail "it does not say what is wrong with the table"
echo "the report runs, goes on, and says what failed"
