#!/bin/bash
# basalctl as people and scripts use it: every verb against a daemon that drives basalsim over a pseudo-terminal, what is
# refused and how that is said, every exit status, and that all --json parses.
set -u
[ -x "${BASAL_BIN:?}/basalctl" ] || exit 77
python=/usr/bin/python3
[ -x $python ] || exit 77
. "$(dirname "$0")/lib.sh"
chmod 755 "$work"
wrong=0
complain() { echo "$*"; wrong=$((wrong + 1)); }

# expect STATUS TEXT ARGUMENTS: the exit status, and that the answer, or the sentence on stderr, holds TEXT
expect() {
    local status=$1 text=$2 said got=0
    shift 2
    said=$(ctl "$@" 2>&1) || got=$?
    [ $got -eq "$status" ] || complain "basalctl $*: status $got, wanted $status: $said"
    case "$said" in *"$text"*) ;; *) complain "basalctl $*: \"$said\" does not say \"$text\"" ;; esac
    # one sentence, not two lines of it
    [ $got -eq 0 ] || [ $got -eq 2 ] || [ "$(echo "$said" | wc -l)" -eq 1 ] || complain "basalctl $*: more than a line: $said"
}

# json STATUS EXPRESSION ARGUMENTS: what --json prints is one object a line, of which EXPRESSION (Python, o) is true
json() {
    local status=$1 expression=$2 got=0
    shift 2
    ctl --json "$@" >"$work/json" 2>"$work/json.err" || got=$?
    [ $got -eq "$status" ] || complain "basalctl --json $*: status $got, wanted $status: $(cat "$work/json" "$work/json.err")"
    $python - "$work/json" "$expression" <<'PY' || complain "basalctl --json $*: not so: $expression: $(head -c 300 "$work/json")"
import json, sys
lines = open(sys.argv[1]).read().splitlines()
objects = [json.loads(line, parse_constant=lambda x: 1 / 0) for line in lines]
sys.exit(not (objects and all(eval(sys.argv[2]) for o in objects)))
PY
}

# --- nobody is there ---
for verb in status health monitor arm run hold stop estop clear eval "episode end" "episode begin" "learner pause" "policy show" \
    "replay info" "config show" "record /dev/null"; do
    expect 3 "basald is not running at $work/sockets: start it" $verb
done
expect 0 "basalctl " version
json 0 'o["installed"] and o["running"] == ""' version
expect 1 "cannot reach" --runtime-dir "/$(printf 'x%.0s' $(seq 200))" status

# --- said wrongly ---
expect 2 "a verb is wanted"
expect 2 "no such verb" dance
expect 2 "takes no word now" stop now
expect 2 "run knows no flag --seconds" run --seconds 3
expect 2 "stop knows no flag --no-explore" stop --no-explore
expect 2 "no such flag" --loud status
expect 2 "its value is missing" eval --seconds
for bad in "eval --seconds 0" "eval --seconds -1" "eval --seconds nan" "eval --seconds 1e9" "monitor --hz 0" "monitor --hz 1000" \
    "episode end --reward inf" "episode end --reward 1x" "setup-motor --id -3"; do
    expect 2 "the value does not fit" $bad
done
expect 2 "it is: learner pause | resume" learner
expect 2 "it is: policy show | save FILE" policy save
expect 2 "it is: replay info | verify" replay forget
expect 2 "it is: record FILE" record
expect 2 "it is: scan --config FILE | --device DEVICE" scan
expect 2 "it is: scan --config FILE | --device DEVICE" scan --device /dev/null --baud 12345
expect 2 "it is: setup-motor" setup-motor
expect 69 "there is no $work/nothing" scan --device "$work/nothing"
expect 78 "cannot read" setup-motor --config "$work/nothing" arm
expect 0 "verbs" --help

# --- a robot that is limp ---
start_sim
start_daemon "${patient[@]}" --seed 1
expect 0 "healthy: limp" health
json 0 'o["healthy"] and o["state"] == "limp" and o["realtime"]' health
expect 0 "limp" status
expect 0 "m/s over the last second" status
json 0 'o["state"] == "limp" and o["devices"] and set(o["joints"]) == {"arm", "hand", "odometer"}' status
json 0 'all(j["torque"] == "off" for j in o["joints"].values())' status
expect 0 "runs at $work/sockets" version
json 0 'o["installed"] == o["running"] != ""' version
expect 1 "run is refused: torque is off: basalctl arm first (the robot is limp)" run
expect 1 "eval is refused: torque is off: basalctl arm first" eval
expect 1 "hold is refused: nothing drives it" hold
expect 1 "clear is refused: there is no fault and no estop to leave" clear
expect 1 "episode end is refused: no episode is open" episode end
expect 1 "episode begin is refused: no episode waits to begin" episode begin
json 1 'not o["ok"] and o["state"] == "limp" and "arm first" in o["why"]' run
expect 1 "policy is refused: there are no weights yet" policy show
expect 1 "policy is refused: there are no weights yet" policy save "$work/none"
[ ! -e "$work/none" ] || complain "policy save without weights leaves a file"
expect 0 "0 rows, all good" replay verify
json 0 'o["rows"] == 0 and o["capacity"] > 1000 and len(o["slots"]) == 9' replay info
expect 69 "is used by another program" scan --device "$work/servo"
ctl config show >"$work/shown.yaml"
"$bin/basald" --check-config "$work/shown.yaml" >/dev/null || complain "config show prints what basald would not read"
json 0 '"rate_hz: 40" in o["yaml"]' config show
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    cp "$bin/basalctl" "$work/basalctl"
    for verb in status "replay info"; do
        status=0
        setpriv --reuid 65534 --regid 65534 --clear-groups "$work/basalctl" --runtime-dir "$work/sockets" $verb >"$work/nobody" 2>&1 || status=$?
        [ $status -eq 77 ] && grep -q "join the group basald" "$work/nobody" || complain "$verb as nobody: status $status: $(cat "$work/nobody")"
    done
fi

# --- armed, without anything learned ---
expect 0 "ready: torque is on" arm
expect 1 "arm is refused: it is armed already (the robot is ready)" arm
json 0 'o["joints"]["arm"]["torque"] in ("on", "off") and o["joints"]["odometer"]["torque"] == "off"' status
expect 1 "run is refused: there is no policy to run yet" run --no-learn
expect 1 "eval is refused: there is no policy to run yet" eval --seconds 1
head -c 5000 /dev/urandom >"$work/garbage"
: >"$work/empty"
head -c 6000000 /dev/zero >"$work/large"
expect 1 "$work/garbage: weights: this is no weights block" run --policy "$work/garbage"
expect 1 "$work/large: weights: this is no weights block" run --policy "$work/large"
expect 1 "it is empty" run --policy "$work/empty"
expect 1 "No such file" run --policy "$work/nothing"
expect 1 "Is a directory" run --policy "$work"
expect 0 "ready" status

# --- running and learning ---
expect 0 "running" run
for _ in $(seq 300); do ctl policy show >/dev/null 2>&1 && break; sleep 0.1; done
expect 0 "version" policy show
json 0 'o["algo"] == "sac" and o["n_obs"] == 7 and o["n_act"] == 2 and o["version"] > 0' policy show
expect 0 "holds version" policy save "$work/policy"
json 0 'o["file"].endswith("policy2") and o["bytes"] > 1000' policy save "$work/policy2"
expect 1 "cannot write /proc/nothing/policy" policy save /proc/nothing/policy
json 0 'o["ok"]' episode end --reward 5 --success
json 0 'o["successes"] == 1' status
expect 0 "m/s over 1 s, without exploring" eval --seconds 1
json 0 'o["state"] == "running"' status
expect 0 "ready" hold
json 0 'isinstance(o["speed_m_s"], float) and o["seconds"] == 1' eval --seconds 1
sleep 0.2
json 0 'o["state"] == "ready"' status # it held still before: it does so again

# attended: as long as somebody is there, and no longer
"$bin/basalctl" --runtime-dir "$work/sockets" run --attended >"$work/attended" 2>&1 &
attendant=$!
for _ in $(seq 100); do grep -q running "$work/attended" && break; sleep 0.1; done
json 0 'o["state"] == "running"' status
kill -9 $attendant
wait $attendant || true
for _ in $(seq 100); do ctl status | grep -q holding && break; sleep 0.1; done
json 0 'o["state"] == "holding" and o["cause"] == "operator_lost" and o["latch"] == ""' status
expect 0 "operator_lost" status
expect 0 "running" run
expect 0 "rows, all good" replay verify
json 0 'o["bad_rows"] == 0 and o["rows"] > 50' replay verify
json 0 'o["rows"] > 50 and o["episodes"] >= 1' replay info
expect 0 "the learner pauses" learner pause
json 0 'o["learner_paused"]' status
expect 0 "the learner goes on" learner resume
json 0 'not o["learner_paused"]' status

# what was learned, used: neither experience nor updates, and the file's weights drive
expect 0 "running" run --policy "$work/policy" --no-explore --no-learn
sleep 0.3
json 0 'o["learner_paused"] and o["driven_by"] == "policy"' status
rows=$(number replay_rows) updates=$(number updates)
sleep 1
sleep 1.2
json 0 'o["updates_per_s"] == 0' status
[ "$rows" = "$(number replay_rows)" ] && [ "$updates" = "$(number updates)" ] || complain "run --no-learn learns: $rows to $(number replay_rows) rows, $updates to $(number updates) updates"
printf 'x' | dd of="$work/policy2" bs=1 seek=3000 conv=notrunc status=none
expect 1 "checksum" run --policy "$work/policy2"
json 0 'o["state"] == "running" and o["driven_by"] == "policy"' status
expect 0 "running" run
json 0 'not o["learner_paused"]' status
expect 0 "running" run --random
sleep 0.2
json 0 'o["driven_by"] == "random"' status

# --- watched ---
lines=$(ctl monitor --lines --hz 10 --seconds 1 | grep -c 'running.*speed.*return.*updates')
[ "$lines" -ge 4 ] || complain "monitor --lines: $lines lines in a second"
json 0 'o["state"] == "running" and isinstance(o["tick"], int)' monitor --hz 10 --seconds 0.5

# --- stopped, and stopped for good ---
expect 0 "limp: torque is off" stop
json 0 'o["state"] == "limp" and all(j["torque"] == "off" for j in o["joints"].values())' status
json 0 'o["ok"] and o["state"] == "limp"' stop
json 0 'o["ok"] and o["state"] == "ready"' arm
expect 1 "hold is refused: nothing drives it" hold
expect 0 "estop: latched until basalctl clear" estop
expect 1 "it is latched" arm
expect 1 "run is refused: it is latched: see to what basalctl status says, then basalctl clear and arm" run
expect 1 "unhealthy: estop: a person asked for it" health
status=0
ctl monitor --until-fault --lines >"$work/lines" 2>"$work/said" || status=$?
[ $status -eq 1 ] && grep -q "the robot is in estop" "$work/said" || complain "monitor --until-fault: status $status: $(cat "$work/said")"
stop_daemon
launch_daemon "${patient[@]}" --seed 1
wait_state estop 5 || complain "an estop does not survive a restart"
expect 1 "unhealthy: estop: it was latched before this start" health
for _ in $(seq 100); do [ "$(ctl status --json | grep -c '"devices": true')" -eq 1 ] && break; sleep 0.05; done
expect 0 "limp" clear

# --- weights of another robot ---
stop_daemon
start_daemon "${patient[@]}" --set policy.rate_hz=10
expect 0 "ready" arm
expect 1 "refused" run --policy "$work/policy"
json 1 '"Hz" in o["why"] or "robot" in o["why"]' run --policy "$work/policy"
expect 0 "limp" stop

# --- a fault ---
expect 0 "ready" arm
stop_sim
wait_state fault 5 || complain "a robot whose bus is gone is not in fault"
expect 1 "unhealthy: fault" health
expect 1 "clear is refused" clear
expect 1 "arm is refused: it is latched" arm
json 0 'o["state"] == "fault" and o["why"] and o["joints"]["arm"]["torque"] == "unknown"' status
stop_daemon

# --- servos as they are delivered ---
start_sim --set joints.arm.device.factory_new=true --set joints.hand.device.factory_new=false
expect 0 "57600" scan --device "$work/servo" --baud 57600
json 0 'o["baud"] == 1000000 and o["id"] in (2, 3) and o["model"] == 1060' scan --device "$work/servo" --baud 1000000
expect 1 "no servo answers" scan --device "$work/servo" --baud 115200
expect 2 "has no joint leg; it has arm, hand, odometer" setup-motor --config "$robot" --device "$work/servo" leg
expect 1 "a servo with the joint's id 3 is on the bus already" setup-motor --config "$robot" --device "$work/servo" --id 2 --baud 1000000 odometer
expect 0 "1000000 baud  model 1060" setup-motor --config "$robot" --device "$work/servo" arm
[ "$(ctl scan --device "$work/servo" --baud 1000000 | wc -l)" -eq 3 ] || complain "setup-motor: the servo is not where it should be"

[ $wrong -eq 0 ] || { echo "$wrong wrong"; tail -n 20 "$work/daemon.log"; exit 1; }
