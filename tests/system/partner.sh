#!/bin/bash
# The servo maker's own SDK speaks with basalsim over the pseudo-terminal, and asks with the bytes that the driver asks with;
# a subscriber in Python reads telemetry over TCP, and it is what the servos said, to the quantum. One JSON line.
# The bytes of both are written down on the wire, between host and basalsim. 77: no SDK, no subscriber, or no network.
set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/partner_lib.sh"
here=$(dirname "$0")
"$python" -c 'import zmq, google.protobuf' 2>/dev/null || skip "python3-zmq and python3-protobuf are not installed: deploy/install-deps.sh --dev"

partners

subscriber=
trap '[ -z "$subscriber" ] || kill "$subscriber" 2>/dev/null || true; stop_tee; clean_up' EXIT

# 9872 where it is free: that is where viewers look
endpoint=$("$python" - <<'PY'
import socket
for port in (9872, 0):
    try:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            print("tcp://127.0.0.1:%d" % s.getsockname()[1])
            break
    except OSError:
        pass
PY
)

quiet=(--set joints.arm.device.noise=0 --set joints.hand.device.noise=0 --set joints.odometer.device.noise=0)
start_sim "${quiet[@]}"
start_tee "$work/driver.log"
start_daemon --set bus.servo.device="$work/tee" --set comms.telemetry="$endpoint" "${patient[@]}"
"$python" "$here/partner_telemetry.py" "$endpoint" 8 "$work/driver.log" "$work/truth.jsonl" >"$work/telemetry.json" &
subscriber=$!
deploy/examples/telemetry.py "$endpoint" 1 >"$work/example.txt"
go --random
sleep 2
ctl stop >/dev/null
wait_state limp 5
telemetry_good=true
wait $subscriber || telemetry_good=false
subscriber=
stop_daemon
ctl scan --device "$work/tee" >"$work/scan.txt"
stop_tee
example_lines=$(grep -c 'arm .*hand .*odometer .* rad$' "$work/example.txt" || true)

start_tee "$work/sdk.log"
sdk_good=true
"$venv/bin/python" "$here/partner_sdk.py" "$work/tee" "$work/driver.log" "$work/sdk.log" "$work/truth.jsonl" >"$work/sdk.json" ||
    sdk_good=false
stop_tee

good=false
[ $telemetry_good = true ] && [ $sdk_good = true ] && [ "$example_lines" -ge 10 ] && [ "$(wc -l <"$work/scan.txt")" -eq 3 ] && good=true
echo "{\"test\": \"partner\", \"good\": $good, \"endpoint\": \"$endpoint\", \"example_lines\": $example_lines, \"scanned\": $(wc -l <"$work/scan.txt"), \"telemetry\": $(cat "$work/telemetry.json"), \"servos\": $(cat "$work/sdk.json")}"
[ $good = true ]
