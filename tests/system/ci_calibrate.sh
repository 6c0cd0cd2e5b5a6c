#!/bin/bash
# A robot whose horns were put on otherwise than its file says: calibrate and find-limits, with a hand that moves the limp
# joints, find zeros, signs and ranges; basald takes them at its next start, and refuses a file that was changed or is of
# other devices.
set -eu
. "$(dirname "$0")/lib.sh"
fail() { echo "$1"; cat "$work/said"; exit 1; }
printf 'include: %s\nbus:\n  - {name: servo, device: %s}\n' "$PWD/$robot" "$work/servo" >"$work/robot.yaml"
file=$work/robot.calibration.yaml

# the robot that is there: its arm is 0.2 rad off, its hand turned over; ids, models and ranges as in the file
start_sim --set joints.arm.zero_rad=0.2 --set joints.hand.sign=-1 --set sim.noise=0
mkfifo "$work/keys"

wait_for() { # text
    for _ in $(seq 400); do grep -q "$1" "$work/said" && return 0; sleep 0.05; done
    fail "not said: $1"
}
truth() { # column, how many; one a line, a tenth of a second apart
    sed -n 's/.*"q": *\[\([^]]*\)\].*/\1/p' "$work/truth.jsonl" | tail -n "${2:-1}" | cut -d, -f"$1"
}
lead() { # joint column rad; until it is there and stays: a hand swings in
    tell_sim "guide $1 $3"
    for _ in $(seq 200); do
        truth "$2" 6 | awk -v to="$3" '{ n += $1 - to < 0.02 && to - $1 < 0.02 } END { exit n < 6 }' && return 0
        sleep 0.1
    done
    fail "the hand does not bring $1 to $3: $(truth "$2")"
}
begin() { # verb and words
    : >"$work/said"
    "$bin/basalctl" "$@" --config "$work/robot.yaml" <"$work/keys" 2>"$work/said" &
    ctl_pid=$!
    exec 7>"$work/keys"
}
enter() { echo >&7; }
end() { # its exit status
    local status=0
    exec 7>&-
    wait "$ctl_pid" || status=$?
    [ "$status" = "$1" ] || fail "ended with status $status, not $1"
}

lead hand 2 -1
begin calibrate
wait_for "Hold joint arm where it is to read 0"
lead arm 1 0
enter
wait_for "Move joint arm in its positive direction"
lead arm 1 0.3
enter
wait_for "Hold joint hand where"
lead hand 2 -1.5
enter
wait_for "Move joint hand"
enter # without moving it
end 1
grep -q "joint hand moved 0.0.* at least 0.1 tell its direction" "$work/said" || fail "a joint that did not move"
[ ! -e "$file" ] || fail "half a calibration was written"

# one turn of a servo must hold the range
begin calibrate hand
wait_for "Hold joint hand where"
lead hand 2 -1.5
enter
wait_for "Move joint hand"
lead hand 2 -0.5
enter
end 1
grep -q "joint hand: with this zero its range -2.618 to 0.000 rad is .* counts of the servo, one turn has 0 to 4095" "$work/said" ||
    fail "a range of more than a turn"
[ ! -e "$file" ] || fail "a range of more than a turn was written"

# whole: the arm is 0.2 off, the hand's zero is its upper end, to which it also comes from below
begin calibrate
wait_for "Hold joint arm"
lead arm 1 0
enter
wait_for "Move joint arm"
lead arm 1 0.3
enter
wait_for "Hold joint hand"
lead hand 2 0
enter
wait_for "Move joint hand"
lead hand 2 -0.8
lead hand 2 -0.1
enter
end 0
grep -qE "name: 'arm', model: 1060, firmware: 45, serial: 0, sign: 1, zero_rad: 0\.(19|20)" "$file" || fail "$(cat "$file")"
grep -qE "name: 'hand', model: 1060, firmware: 45, serial: 0, sign: -1, zero_rad: -?0\.0" "$file" || fail "$(cat "$file")"

# ranges, from those zeros on
begin find-limits arm
wait_for "Move each joint slowly to both ends"
lead arm 1 -0.4
lead arm 1 0.35
enter
end 0
grep -qE "name: 'arm', .* q_min_rad: -0\.3[678][0-9]*, q_max_rad: 0\.3[123]" "$file" || fail "$(cat "$file")"
cp "$file" "$work/good"

# nobody moves anything: nothing is written; a word that is no joint; the end of standard input
begin find-limits hand
wait_for "Move each joint"
enter
end 1
grep -q "no joint was moved: nothing is written" "$work/said" || fail "no word of it"
if "$bin/basalctl" calibrate --config "$work/robot.yaml" leg </dev/null 2>"$work/said"; then fail "there is no leg"; fi
grep -q "has no driven joint leg" "$work/said" || fail "no word of the leg"
mkdir "$work/shut"
cp "$work/robot.yaml" "$work/shut"
chmod 555 "$work/shut"
if [ "$(id -u)" != 0 ]; then # who may do everything is not refused
    if "$bin/basalctl" calibrate --config "$work/shut/robot.yaml" </dev/null 2>"$work/said"; then fail "not writable"; fi
    grep -q "cannot write $work/shut/robot.calibration.yaml" "$work/said" || fail "no word of the folder"
fi
if "$bin/basalctl" find-limits --config "$work/robot.yaml" </dev/null 2>"$work/said"; then fail "no person, and yet limits"; fi
grep -q "standard input has ended: nothing is written" "$work/said" || fail "no word of it"
cmp "$file" "$work/good" || fail "the file was touched"

# the daemon reads it: its angles are now the body's
lead arm 1 0.1
robot=$work/robot.yaml
start_daemon "${patient[@]}" --set safety.ranges=found
wait_state limp 20
sleep 1
if ctl arm 2>"$work/said"; then fail "armed with a range that nobody found"; fi
grep -q "joint hand: its range -2.618 to 0.000 rad was not found on this robot" "$work/said" || fail "not the hand alone"
grep -q "zeros, signs and ranges of 20.*Z, from $file" "$work/daemon.log" || fail "$(cat "$work/daemon.log")"
ctl status --json >"$work/said"
awk -v q="$(number position_rad)" 'BEGIN { exit !(q > 0.07 && q < 0.13) }' || # of the first joint, the arm
    fail "the arm is at 0.1"
stop_daemon

# on a terminal the table is drawn over itself, once more below Enter's echo, and stands once at the end. With the hand's range
# found too the robot is armed; a task that includes its file has the calibration
: >"$work/said"
script -qfec "'$bin/basalctl' find-limits hand --config '$work/robot.yaml'" "$work/said" <"$work/keys" >"$work/screen" &
ctl_pid=$!
exec 7>"$work/keys"
wait_for "^hand "
lead hand 2 -2
lead hand 2 -0.1
enter
end 0
up=$'\033'
[ "$(grep -c "$up\[3A" "$work/said")" = 1 ] && [ "$(grep -c "$up\[2A" "$work/said")" -ge 3 ] || fail "the table"
[ "$(grep -c "^joint  \|A""joint  " "$work/said")" = "$(grep -c "^hand " "$work/said")" ] || fail "a heading without its rows"
printf 'include: robot.yaml\nname: task\n' >"$work/task.yaml"
lead hand 2 -1
robot=$work/task.yaml
start_daemon "${patient[@]}" --set safety.ranges=found
wait_state limp 20
sleep 1
grep -q "zeros, signs and ranges of 20.*Z, from $file" "$work/daemon.log" || fail "the task has no calibration"
ctl arm 2>"$work/said" >/dev/null || fail "with every range found it is not armed"
wait_state ready 10
stop_daemon
robot=$work/robot.yaml

# changed by hand, or of another servo: refused with one sentence, but --make-safe works on
sed 's/sign: 1/sign: -1/' "$work/good" >"$file"
if "$bin/basald" --check-config "$robot" 2>"$work/said"; then fail "a changed calibration was taken"; fi
grep -q "its checksum is not that of its contents: it was changed or damaged; calibrate again" "$work/said" || fail "why?"
"$bin/basald" --make-safe --config "$robot" 2>"$work/said" || fail "a damaged calibration keeps torque on"
cp "$work/good" "$file"
printf 'joints:\n  - {name: arm, model: 1190}\n' >>"$robot"
if "$bin/basald" --check-config "$robot" 2>"$work/said"; then fail "a calibration of another model was taken"; fi
grep -q "joint arm was model 1060 then, the robot file says 1190" "$work/said" || fail "why?"

# the turn of a servo ends within its joint's range: no range is made of an angle that jumps
stop_sim
rm "$file"
robot=deploy/robots/so101.yaml
printf 'include: %s\nbus:\n  - {name: servo, device: %s}\n' "$PWD/$robot" "$work/servo" >"$work/robot.yaml"
start_sim --set joints.shoulder_pan.zero_rad=1.8 --set sim.noise=0
lead shoulder_pan 1 -1.5
begin find-limits shoulder_pan
wait_for "Move each joint"
lead shoulder_pan 1 1.7
enter
end 1
grep -q "joint shoulder_pan went over the end of its servo's turn, where its angle jumps: nothing is written" "$work/said" || fail "why?"
[ ! -e "$file" ] || fail "a range of a whole turn was written"
