#!/bin/bash
# --eval-trace says what the evaluation did: the rewards add up to the returns that are printed, every episode has its end, the
# policy acts as often as it is asked to; and the run is the same run. What cannot be written is said.
set -eu
bin=${BASAL_BIN:?}/basald
[ -x "$bin" ] || exit 77
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAILED: $*"
    exit 1
}
run() { # ROBOT STEPS FLAGS
    local robot=$1 steps=$2
    shift 2
    "$bin" --lockstep --config "deploy/robots/$robot.yaml" --seed 1 --steps "$steps" --json --set learner.learning_starts=50 "$@"
}
what() { sed -nE 's/.*("eval_mean_reward": [^,]*).*("weights_hash": "[^"]*").*/\1 \2/p' "$1"; }

# what the file must say, by the printed result: CHECKS are expressions of python
check() { # TRACE RESULT CHECK...
    python3 - "$@" <<'PYTHON' || fail "$1"
import json, sys

lines = [json.loads(x) for x in open(sys.argv[1], encoding="utf-8")]
result = json.load(open(sys.argv[2], encoding="utf-8"))
names, lines = lines[0], lines[1:]
steps, ends = [x for x in lines if "action" in x], [x for x in lines if "end" in x]
returns = {}
for x in steps:
    returns[x["episode"]] = returns.get(x["episode"], 0) + x["reward"]
mean = sum(returns.values()) / len(returns)
always = [
    "len(steps) + len(ends) == len(lines)",
    "all(len(x['observation']) == len(names['observation']) == len(names['unit']) for x in lines)",
    "all(len(x['action']) == len(names['action']) for x in steps)",
    "all(x['step'] == 0 or (y['episode'], y['step'] + 1) == (x['episode'], x['step']) for y, x in zip(lines, lines[1:]))",
    "all('end' in y for y, x in zip(lines, lines[1:]) if x['step'] == 0)",
]
for check in always + sys.argv[3:]:
    if not eval(check):
        sys.exit(f"{sys.argv[1]}: not true: {check}")
PYTHON
}
returns="abs(mean - result['eval_mean_reward']) <= 1e-6 * abs(mean) and len(ends) == len(returns) == result['eval_episodes']"
lengths="len(steps) == result['eval_episodes'] * result['eval_mean_ep_length']"

run pendulum 100 --set task.eval_episodes=3 >"$work/without"
run pendulum 100 --set task.eval_episodes=3 --eval-trace "$work/pendulum.jsonl" >"$work/pendulum"
[ -n "$(what "$work/pendulum")" ] && [ "$(what "$work/without")" = "$(what "$work/pendulum")" ] || fail "with a trace it is another run"
check "$work/pendulum.jsonl" "$work/pendulum" "$returns" "$lengths" "names['action'] == ['action.pole']" \
    "all(x['end'] == 'truncated' and x['step'] == 200 for x in ends)" \
    "all(abs(x['observation'][0] ** 2 + x['observation'][1] ** 2 - 1) < 1e-5 for x in lines)"

# choices, episodes that end by themselves, a success
run chain 300 --eval-trace "$work/chain.jsonl" >"$work/chain"
check "$work/chain.jsonl" "$work/chain" "$returns" "$lengths" "names['action'] == ['action.choice']" \
    "all(x['action'][0] in (0, 1) for x in steps)" \
    "sum(x['success'] for x in ends) == result['success_rate'] * len(ends)"
run cartpole 200 --eval-trace "$work/cartpole.jsonl" >"$work/cartpole"
check "$work/cartpole.jsonl" "$work/cartpole" "$returns" "$lengths" "all(x['end'] == 'terminal' for x in ends)" \
    "all(abs(x['observation'][0]) > 2.4 or abs(x['observation'][2]) > 0.2094 for x in ends)"

# two seconds of a robot with servos, whose policy is asked 20 times a second; the cut at the end closes a period
run crawler 120 --set learner.batch_size=32 --eval-s 2 --eval-trace "$work/crawler.jsonl" >"$work/crawler"
check "$work/crawler.jsonl" "$work/crawler" "len(steps) in (40, 41)" "len(ends) >= 1" \
    "names['observation'][:2] == ['in_range.arm', 'in_range.hand']"

# what cannot be written is said: before anything is learned, and at the end
status=0
run chain 300 --eval-trace "$work/no/where" >/dev/null 2>"$work/why" || status=$?
[ $status -eq 78 ] && grep -q "cannot write .*/no/where: No such file" "$work/why" || fail "status $status: $(cat "$work/why")"
status=0
run chain 300 --eval-trace /dev/full >/dev/null 2>"$work/why" || status=$?
[ $status -eq 1 ] && grep -q "cannot write all of /dev/full: .*; it is cut short" "$work/why" || fail "status $status: $(cat "$work/why")"
echo "the trace adds up to what is printed"
