"""A subscriber as any viewer is one: telemetry over TCP against the bytes on the servos' wire and the body's truth.

    partner_telemetry.py ENDPOINT SECONDS WIRE_LOG TRUTH

Listens for SECONDS, while the robot arms, moves and stops; at the end it is limp and at rest. Prints one JSON object.
"""
import json
import os
import sys
import time

import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "deploy", "examples")]
import dxl2
import telemetry

FRESH_S = 0.25  # a record tells of a reply that is no older: six ticks of coasting at 40 Hz and the reading itself

wrong = []


def expect(name, good):
    if not good and name not in wrong:
        wrong.append(name)
    return good


def check_type(t):
    """What plot viewers want of a message type that they know from its .proto alone."""
    d = t.DESCRIPTOR
    stamp = d.fields_by_name["timestamp"]
    expect("timestamp is a double", stamp.type == stamp.TYPE_DOUBLE and stamp.label != stamp.LABEL_REPEATED)
    expect("top-level", d.containing_type is None)
    expect("no imports", not d.file.dependencies)
    expect("flat", all(f.type != f.TYPE_MESSAGE for f in d.fields))
    expect("no oneof, no optional", not d.oneofs)


def listen(endpoint, seconds, t):
    """All that comes from the endpoint, whatever its topic."""
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.setsockopt(zmq.RCVHWM, 100000)
    socket.connect(endpoint)
    until, got = time.monotonic() + seconds, []
    while time.monotonic() < until:
        if socket.poll(100) == 0:
            continue
        frames = socket.recv_multipart()
        expect("two frames", len(frames) == 2)
        expect("no frame is empty", all(frames))
        expect("one topic", frames[0] == telemetry.TOPIC)
        got.append((time.time(), t.FromString(frames[-1])))
    socket.close(0)
    return got


def on_the_wire(records, log):
    """Of how many positions stands the very value in a reply just before? Returns that and how many moved."""
    replies = {}
    for when, i, data in dxl2.states(log):
        replies.setdefault(i - 1, []).append((when, dxl2.signed(data, 12)))
    matched = moved = worst = 0
    at, before = [0] * 3, None
    for _, r in records:
        counts = [round(q / dxl2.COUNT_RAD) + dxl2.MIDDLE for q in r.position_rad]
        for j, c in enumerate(counts):
            worst = max(worst, abs(r.position_rad[j] / dxl2.COUNT_RAD + dxl2.MIDDLE - c))
            seen = replies[j]
            while at[j] < len(seen) and seen[at[j]][0] < r.timestamp - FRESH_S:
                at[j] += 1
            near = seen[at[j]:at[j] + 60]
            matched += any(c == value for when, value in near if when < r.timestamp + FRESH_S)
        moved += counts != before
        before = counts
    return matched, moved, worst


def main():
    endpoint, seconds, log, truth_path = sys.argv[1:]
    t = telemetry.load_messages().Telemetry
    check_type(t)
    records = listen(endpoint, float(seconds), t)
    if not expect("records come", len(records) > 10):
        print(json.dumps({"records": len(records), "wrong": wrong}))
        return 1
    ticks = [r.tick for _, r in records]
    lag = [now - r.timestamp for now, r in records]
    expect("ticks in order", all(b > a for a, b in zip(ticks, ticks[1:])))
    expect("timestamps in order", all(b.timestamp > a.timestamp for (_, a), (_, b) in zip(records, records[1:])))
    expect("unix time", -0.1 < min(lag) and min(lag) < 1.0)
    matched, moved, worst = on_the_wire(records, log)
    positions = 3 * len(records)
    expect("it moved", moved > len(records) // 4)
    expect("every position stood in a reply on the wire", matched == positions)
    expect("positions are whole counts", worst < 0.01)
    with open(truth_path) as f:
        truth = json.loads(f.read().splitlines()[-1])["q"]
    last = records[-1][1]
    rest = max(abs(q - true) for q, true in zip(last.position_rad, truth)) / dxl2.COUNT_RAD
    expect("at rest right to the quantum", last.state == "limp" and rest <= 0.5 + 1e-3)
    print(json.dumps({"records": len(records), "missed": ticks[-1] - ticks[0] + 1 - len(ticks), "moved": moved,
                      "positions_on_the_wire": matched, "positions": positions,
                      "at_rest_error_quanta": round(rest, 4), "newest_lag_ms": round(1e3 * min(lag), 2),
                      "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
