#!/bin/bash
# basalctl doctor on emulated servos, each time with another fault planted: it names the joint and what to do, moves nothing,
# and ends with status 1; without a fault with 0.
set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/doctor_lib.sh"

# the robot file at hand, on the emulator's terminal; what follows differs from the robot that is there
robot_file() { # further lines
    { printf 'include: %s\nbus:\n  - {name: servo, device: %s}\n' "$PWD/$robot" "$work/servo"; printf '%s\n' "$@"; } >"$work/robot.yaml"
}

robot_file
with
well "^ok     bus servo: 3 of 3 devices answer at 1000000 bit/s as configured"
well '{"level": "ok", "where": "bus servo", "text": "3 of 3' --json
# what the file expects, and the robot is not
robot_file 'joints:' '  - {name: arm, firmware_min: 99}'
sick "joint arm: firmware 45, at least 99 is wanted"
robot_file 'joints:' '  - {name: hand, model: 1190}'
sick "joint hand: id 2 is model 1060 (XL430-W250), the robot file says model 1190"
robot_file 'joints:' '  - {name: hand, return_delay_us: 100}'
well "^note   joint hand: it waits 0 us before each answer, the robot file says 100"
# another program has the terminal, with the lock and without
robot_file
exec 8<>"$work/servo"
sick "bus servo: bash (pid $$) has its device open too"
flock 8
sick "bus servo: its device is held by bash (pid $$)"
exec 8>&-

with --set joints.hand.device.model=1190 --set joints.arm.device.model=1060
robot_file 'joints:' '  - {name: arm, model: 1190}'
sick "joint arm: it and joint hand are swapped: id 1 is model 1060 (XL430-W250), id 2 is model 1190"
robot_file
with --set joints.hand.device.id=1
sick "joint arm: [0-9]* answers to 6 questions: two devices have id 1" 2 "joint hand: nobody answers to id 2"
with --set joints.hand.device.id=7
sick "joint hand: nobody answers to id 2, but id 7 at 1000000 bit/s belongs to no joint"
with --set joints.hand.device.factory_new=true
sick "joint hand: nobody answers to id 2, but id 1 at 57600 bit/s belongs to no joint"
with --set faults.stranger_hz=50
sick "bus servo: [0-9]* bytes came in 300 ms in which nothing was asked"
with --set joints.hand.device.overload_at_s=0.001
sick "joint hand: error 0x20 is latched (overload)"
fixes "joint hand: fixed: its error (overload) was cleared"

# servos of another maker, whose errors only a switch ends
robot=deploy/robots/so101.yaml
robot_file
with --set joints.elbow_flex.device.overheat_at_s=0.001
sick "joint elbow_flex: error 0x04 is latched (overheating): remove the cause, then cycle its power"
with --set joints.elbow_flex.device.bad_sum_from_s=0.001
sick "joint elbow_flex: id 3 answers what cannot be read: two devices of one id"
with
well "^note   joint gripper: its range was not found on this robot, so it is not armed"
robot_file 'safety: {ranges: file}'
well "^ok "

# nothing is there
stop_sim
sick "bus servo: there is no $work/servo"
if "$bin/basalctl" doctor --config "$work/none.yaml" 2>"$work/said"; then fail "no file, and no fault"; fi
