#!/bin/bash
# basalctl scan and doctor on emulated motors on CAN, behind an emulated slcan adapter: who is there, of which kind; and faults
# planted one by one.
set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/doctor_lib.sh"

# a body of two driven joints and a wheel, on motors of this kind
robot_on() { # driver, more of each driven joint
    cat >"$work/motors.yaml" <<EOF
schema: 1
name: motors
bus:
  - name: can
    driver: $1
    device: $work/servo
    bitrate: 1000000
    reply_deadline_us: 4000
    accept_no_device_watchdog: true
joints:
  - {name: arm, bus: can, id: 1, q_min_rad: -0.5236, q_max_rad: 0.5236, qd_max_rad_s: 5, qdd_max_rad_s2: 100, tau_max_nm: 1.4, tau_stall_nm: 1.4, temp_max_c: 70${2:-}}
  - {name: hand, bus: can, id: 2, q_min_rad: -2.618, q_max_rad: 0, qd_max_rad_s: 5, qdd_max_rad_s2: 100, tau_max_nm: 1.4, tau_stall_nm: 1.4, temp_max_c: 70${2:-}}
  - {name: odometer, bus: can, id: 3, actuated: false, temp_max_c: 70}
control: {rate_hz: 100}
policy: {kind: hold, rate_hz: 20}
task: {observation: [{kind: last_action}]}
safety: {position_margin_rad: 0.15}
estop: {hardware: none, drop_accepted: true}
sim: {kind: crawler}
EOF
    printf 'include: motors.yaml\n' >"$work/robot.yaml"
    robot=$work/motors.yaml
}
scan() { "$bin/basalctl" scan "$@" >"$work/said" 2>&1; }
found() { # line
    grep -qE "^$1\$" "$work/said" || fail "not found: $1"
}

robot_on damiao
with
tries scan --device "$work/servo" --bitrate 1000000 || fail "scan"
for id in 1 2 3; do found "id   $id  1000000 bit/s  damiao  model 1  firmware 5015  serial 100$id"; done
[ "$(wc -l <"$work/said")" = 3 ] || fail "more than three motors"
tries scan --config "$work/robot.yaml" --json || fail "scan of a robot file"
found '\{"id": 2, "bitrate": 1000000, "driver": "damiao", "model": 1, "firmware": 5015, "serial": 1002, "torque": false, "error": ""\}'
well "^ok     bus can: 3 of 3 devices answer at 1000000 bit/s as configured"
printf 'joints:\n  - {name: arm, firmware_min: 6000}\n' >>"$work/robot.yaml"
sick "joint arm: firmware 5015, at least 6000 is wanted"
printf 'include: motors.yaml\nbus:\n  - {name: can, bitrate: 500000}\n' >"$work/robot.yaml"
sick "bus can: its 3 devices answer at 1000000 bit/s, the robot file says 500000: correct its bitrate" 2
grep -q "^fault  bus can: [0-9]* error frames: .* nobody acknowledges" "$work/said" || fail "no word of error frames"
robot_on damiao
with --set joints.hand.device.id=1
sick "joint arm: 12 answers to 6 questions: two devices have id 1" 2
tries scan --device "$work/servo" --bitrate 1000000 --driver damiao || fail "scan"
grep -q "^id   1 .*answers more than once: two of one id$" "$work/said" || fail "two of one id were not seen"
with --set joints.hand.device.id=9
sick "joint hand: nobody answers to id 2, but id 9 at 1000000 bit/s belongs to no joint: .* with the maker's tool"
with --set faults.stranger_hz=50
sick "bus can: [0-9]* frames came in 300 ms in which nothing was asked"
if scan --device "$work/servo" --bitrate 1000000; then fail "asked while another host speaks"; fi
grep -q "another host speaks on this bus" "$work/said" || fail "the other host was not heard"
with --set joints.hand.device.status_at_s=0.001 --set joints.hand.device.status=11
sick "joint hand: error 0x0b is latched (MOSFET too hot)"
fixes "joint hand: fixed: its error (MOSFET too hot) was cleared"

robot_on robstride
with
tries scan --device "$work/servo" --bitrate 1000000 || fail "scan of RobStride"
found "id   1  1000000 bit/s  robstride  model 0  serial [0-9]+"
[ "$(wc -l <"$work/said")" = 3 ] || fail "more than three motors"
well "^ok "

robot_on odrive ', nm_per_a: 0.1'
with
tries scan --device "$work/servo" --bitrate 1000000 || fail "scan of ODrives"
found "id   1  1000000 bit/s  odrive  model [0-9]+  firmware [0-9]+  serial [0-9]+"
[ "$(wc -l <"$work/said")" = 3 ] || fail "more than three axes"
well "^ok "
with --set joints.arm.device.error_at_s=0.001
sick "joint arm: error 0x400 is latched"

robot_on cheetah ', t_max_nm: 12, motor: mini_cheetah'
with
well "^note   bus can: cheetah devices answer nothing but commands: none was asked"
if scan --device "$work/servo" --driver cheetah; then fail "cheetahs were looked for"; fi
grep -q "cheetah motors answer nothing but commands: they cannot be looked for" "$work/said" || fail "no word of it"
