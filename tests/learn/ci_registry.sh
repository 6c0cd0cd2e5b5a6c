#!/bin/bash
# Everything that basald --list names trains: each algorithm for 200 steps on a robot file whose actions fit it, each world for
# 200 steps with the algorithm of a robot file of its own. Nothing is listed here by hand: what is new is tried too.
set -eu
bin=${BASAL_BIN:?}/basald
[ -x "$bin" ] || exit 77
command -v python3 >/dev/null || { echo "no python3 here, which reads the lists"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0 skipped=0
say() { echo "FAILED: $*"; bad=1; }

"$bin" --list algorithms --json >"$work/algorithms"
"$bin" --list worlds --json >"$work/worlds"
"$bin" --list algorithms | grep -q '^  sac:' || say "--list without --json does not name sac"
"$bin" --list nothing 2>/dev/null && say "--list nothing was taken for a list"

# Lines: algorithm NAME FILE, or - where no robot file fits; world NAME FILE, or -. A robot file for an algorithm keeps nothing of
# its own but rates: keys of policy and learner belong to the algorithm that it was written for.
cat >"$work/plan.py" <<'PLAN'
import json, re, sys
work = sys.argv[1]
algorithms = json.load(open(work + "/algorithms"))["algorithms"]
worlds = json.load(open(work + "/worlds"))["worlds"]

def bare(path, kind, name):
    out, section = [], None
    for line in open(path):
        top = re.match(r"([a-z_]+):", line)
        section = top.group(1) if top else section
        if section == "learner" or (section == "policy" and not top and "rate_hz" not in line):
            continue
        out.append(line)
        if top and section == "policy":
            out.append("  kind: %s\n" % kind)
    file = "%s/%s.yaml" % (work, name)
    open(file, "w").write("".join(out))
    return file

def plain(actions): # an algorithm that decides them and asks for nothing, or the first that decides them
    kinds = [k for k, a in algorithms.items() if actions in a["actions"] and a["switches"]]
    return next((k for k in kinds if not algorithms[k]["needs"]), kinds[0])

for kind, a in algorithms.items():
    if not a["source"]:
        print("unsaid", kind, "-", "-")
    fit = [f for w in worlds.values() for f, r in sorted(w["robots"].items())
           if r["actions"] in a["actions"] and ("model" not in a["needs"] or w["model"])]
    small = sorted(fit, key=lambda f: "pendulum" not in f and "cartpole" not in f) # the quickest, if there
    own = [f for w in worlds.values() for f, r in sorted(w["robots"].items()) if r["policy"] == kind]
    if kind == "excite": # its task is its own too: poses, planned in every tick
        print("algorithm", kind, own[0], ",".join(a["actions"]))
        continue
    print("algorithm", kind, bare(small[0], kind, kind) if small else "-", ",".join(a["actions"]))
for name, w in worlds.items():
    if not w["source"]:
        print("unsaid", name, "-", "-")
    file = next(iter(sorted(w["robots"], key=lambda f: (w["robots"][f]["policy"] == "hold", f))), "-")
    robot = w["robots"].get(file)
    if robot and robot["policy"] == "hold": # which learns nothing
        file = bare(file, plain(robot["actions"]), "world-" + name)
    print("world", name, file, "-")
PLAN
python3 "$work/plan.py" "$work" >"$work/plan"
[ "$(grep -c '^algorithm ' "$work/plan")" -ge 4 ] && [ "$(grep -c '^world ' "$work/plan")" -ge 2 ] || say "the lists are too short to be true"

# 60 rows a batch hold whole runs of 2 to 6; who learns from the newest steps gets 60 at once
short=(--steps 200 --seed 1 --eval-s 1 --set task.eval_episodes=0 --set learner.batch_size=60 --set learner.train_freq=60
    --set learner.enabled=true --set learner.learning_starts=20 --set learner.gradient_steps=1 --set learner.publish_every=1
    --set replay.capacity=1000)
while read -r what name file actions; do
    [ "$what" != unsaid ] || { say "$name does not say its source"; continue; }
    if [ "$file" = - ]; then
        [ "$what" = algorithm ] || say "$what $name: no robot file with it"
        [ "$what" = world ] || { echo "skipped: $name: no robot file of this tree has actions that it decides ($actions)"; skipped=1; }
        continue
    fi
    if ! "$bin" --lockstep --config "$file" "${short[@]}" --json >"$work/out" 2>"$work/err"; then
        say "$what $name on ${file##*/}: $(cat "$work/err")"
        continue
    fi
    steps=$(sed -nE 's/.*"steps": ([0-9]+).*/\1/p' "$work/out")
    updates=$(sed -nE 's/.*"updates": ([0-9]+).*/\1/p' "$work/out")
    algo=$(sed -nE 's/.*"algo": "([^"]*)".*/\1/p' "$work/out")
    echo "$what $name: $algo, $steps steps, $updates updates"
    [ "$steps" = 200 ] && [ "$updates" -ge 1 ] || say "$what $name did not train"
    [ "$what" = world ] || [ "$algo" = "$name" ] || say "$name was asked, $algo trained"
done <"$work/plan"
[ $skipped = 0 ] || echo "what was skipped waits for a robot file that fits it"
exit $bad
