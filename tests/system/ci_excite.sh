#!/bin/bash
# From a motion to masses: the simulated arm on its CAN bus is excited and recorded in lockstep, the same twice, and basalctl
# identify finds what its robot file says. Then basalctl record against a daemon in real time: what it writes, and what it says of a
# file that is there, a full disk, telemetry that is thinned out and a daemon that leaves.
set -eu
[ -x "${BASAL_BIN:?}/basalctl" ] || exit 77
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
. "$(dirname "$0")/lib.sh"
fail() { echo "FAILED: $*"; exit 1; }
arm=deploy/robots/openarm6-excite.yaml
lockstep() { "$bin/basald" --lockstep --config $arm --steps 1 --json "$@"; }

# --- in lockstep ---
lockstep --eval-s 1 --record "$work/one.csv" >/dev/null
lockstep --eval-s 1 --record "$work/two.csv" >/dev/null
cmp "$work/one.csv" "$work/two.csv" || fail "the same recording is not the same twice"
[ "$(wc -l <"$work/one.csv")" -ge 1001 ] || fail "a second has $(wc -l <"$work/one.csv") lines"
[ ! -e "$work/one.csv.part" ] || fail "a part stayed"

lockstep --eval-s 20 --record "$work/swing.csv" >/dev/null
"$bin/basalctl" identify --json --config $arm "$work/swing.csv" >"$work/identified"
python3 - "$work/identified" <<'PYTHON' || fail "identify does not find the arm's links"
import json, sys
o = json.load(open(sys.argv[1]))
found = dict(zip(o["parameter"], zip(o["value"], o["robot_file"])))
bad = 0
def near(what, value, wanted, most):
    global bad
    good = abs(value - wanted) <= most
    print("%-60s %9.5f by the file %9.5f %s" % (what[:60], value, wanted, "" if good else "FAILED: off by more than %g" % most))
    bad += not good
for name, (value, wanted) in found.items():
    first = name.split(" ")[0]
    kind = first.split(".")[1]
    if kind == "friction":
        near(name, value, wanted, 0.02 * wanted)
    elif kind == "damping": # stairs of the goal: up to kp / (2 rate) = 0.03 of the large joints, 0.0075 of the small ones
        near(name, value, wanted, 0.1 * wanted + 0.002)
    elif kind in ("m_cx", "m_cy", "m_cz"):
        near(name, value, wanted, 0.003)
    elif first in ("waist.Izz", "shoulder.Iyy"):
        near(name, value, wanted, 0.04 * wanted)
elbow = [v for n, v in found.items() if n.split(" ")[0] in ("elbow.Iyy", "elbow.armature")]
near("elbow about its axis: Iyy + armature", sum(v for v, w in elbow), sum(w for v, w in elbow), 0.004)
assert len(elbow) == 2 and len(found) == 52 and o["condition"] < 100
sys.exit(bad > 0)
PYTHON

"$bin/basalctl" identify --json --constants --config $arm "$work/swing.csv" >"$work/identified"
python3 - "$work/identified" <<'PYTHON' || fail "its motors are what their drivers take them for: $(cat "$work/identified")"
import json, sys
o = json.load(open(sys.argv[1]))
print("constants", o["constant"], "+-", o["constant_error"], "against", o["right_by_definition"])
assert all(abs(c - 1) < (0.02 if j in (1, 2) else 0.08) for j, c in enumerate(o["constant"])) # the large joints carry weight
assert max(o["constant_error"]) < 0.05 and min(o["constant_error"]) == 0 and o["right_by_definition"] in ("shoulder", "elbow")
PYTHON

refused() { # STATUS SENTENCE COMMAND...
    local wanted=$1 sentence=$2 status=0
    shift 2
    "$@" >/dev/null 2>"$work/why" || status=$?
    [ $status = "$wanted" ] && grep -q "$sentence" "$work/why" || fail "$*: status $status: $(cat "$work/why")"
}
refused 1 "one.csv is there already" lockstep --eval-s 1 --record "$work/one.csv"
echo somebody else\'s >"$work/taken.csv.part"
refused 1 "taken.csv.part is there already: unless another recording is under way" lockstep --eval-s 1 --record "$work/taken.csv"
[ "$(cat "$work/taken.csv.part")" = "somebody else's" ] || fail "a part that was there is gone"
refused 78 "cannot write $work/no/such.csv" lockstep --eval-s 1 --record "$work/no/such.csv"
refused 78 "set task.action to position" "$bin/basald" --check-config deploy/robots/openarm6-can.yaml --set policy.kind=excite
refused 78 "set policy.rate_hz to control.rate_hz, 1000" "$bin/basald" --check-config $arm --set policy.rate_hz=20

# --- in real time, the crawler's joints ---
crawler=("${patient[@]}" --set policy.kind=excite --set policy.rate_hz=40 --set task.action=position --set policy.base_hz=0.5
    --set policy.harmonics=3 --set "policy.amplitude_rad=[0.2]")
start_sim
start_daemon "${crawler[@]}"
go --no-learn
ctl record --json --seconds 2 "$work/live.csv" >"$work/said" || fail "record: $(cat "$work/said")"
python3 - "$work/said" "$work/live.csv" <<'PYTHON' || fail "what was recorded is not even, or not what is said"
import json, sys
said = json.load(open(sys.argv[1]))
lines = [x.split(",") for x in open(sys.argv[2]).read().splitlines()]
joints = ["arm", "hand", "odometer"]
assert lines[0] == ["t_s"] + [q + "." + j for q in ("q_rad", "qd_rad_s", "tau_nm") for j in joints], lines[0]
rows = [[float(x) for x in line] for line in lines[1:]]
ticks = [r[0] * 40 for r in rows]
assert all(abs(t - round(t)) < 1e-3 for t in ticks) and ticks[0] == 0 # whole ticks, gaps too
gaps = sum(round(b - a) > 1 for a, b in zip(ticks, ticks[1:]))
assert said["ticks"] == len(rows) and said["gaps"] == gaps and said["lost"] == 0 and said["seconds"] >= 2, said
assert len({r[1] for r in rows}) > 5 # it moves
PYTHON
refused 1 "live.csv is there already: give another name" ctl record --seconds 1 "$work/live.csv"
"$bin/basalctl" --runtime-dir "$work/sockets" record --json "$work/stopped.csv" >"$work/said" 2>&1 &
recorder=$!
for _ in $(seq 300); do [ -s "$work/stopped.csv.part" ] && break; sleep 0.1; done # its first rows are on disk
ctl stop >/dev/null
wait_state limp 10
for _ in 1 2; do ctl record --seconds 1 "$work/limp.csv" 2>"$work/why" && fail "a limp robot was recorded"; done
grep -q "nothing was recorded: the robot was not driven" "$work/why" && [ ! -e "$work/limp.csv" ] || fail "limp: $(cat "$work/why")"
kill $recorder
wait $recorder || fail "record over a stop: $(cat "$work/said")"
python3 - "$work/said" "$work/stopped.csv" <<'PYTHON' || fail "ticks of a limp robot are recorded, or not said: $(cat "$work/said")"
import json, sys
said = json.load(open(sys.argv[1]))
rows = open(sys.argv[2]).read().splitlines()[1:]
assert said["ticks"] == len(rows) > 0 and said["undriven"] >= 78 # two seconds at 40 Hz, less what a record does not see
PYTHON
go --no-learn
full() ( trap '' XFSZ; ulimit -f 1; ctl "$@" ) # a disk that takes a kilobyte more
refused 1 "cannot write $work/full.csv: File too large" full record --seconds 60 "$work/full.csv"
[ ! -e "$work/full.csv" ] && [ ! -e "$work/full.csv.part" ] || fail "half a recording stayed"
ctl record "$work/cut.csv" >"$work/cut" 2>&1 &
recorder=$!
for _ in $(seq 300); do [ -s "$work/cut.csv.part" ] && break; sleep 0.1; done # its first rows are on disk
stop_daemon
status=0
wait $recorder || status=$?
[ $status = 1 ] && grep -q "it ended early: basald says nothing any more" "$work/cut" && [ -s "$work/cut.csv" ] ||
    fail "the daemon left: status $status: $(cat "$work/cut")"
start_daemon "${crawler[@]}" --set comms.telemetry_hz=8
refused 1 "set comms.telemetry_hz in the robot file to 0, every tick" ctl record --seconds 60 "$work/thin.csv"
[ ! -e "$work/thin.csv" ] || fail "thinned out telemetry was recorded"
