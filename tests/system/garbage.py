"""Garbage on every socket of a running daemon, while a listener counts that not one record of telemetry is missing.

    garbage.py RUNTIME_DIR TCP_PORT SECONDS [SEED]

Prints one JSON object.
"""
import json
import os
import random
import socket
import sys
import threading
import time

import zmq

TOPIC = b"basald/telemetry"


def tick_of(payload):
    """Field 2, a varint, behind field 1, a double: proto/basald.proto."""
    assert payload[0] == 0x09 and payload[9] == 0x10
    value, shift, at = 0, 0, 10
    while True:
        value |= (payload[at] & 0x7F) << shift
        if payload[at] < 0x80:
            return value
        shift, at = shift + 7, at + 1


def listen(context, folder, over, ticks):
    s = context.socket(zmq.SUB)
    s.setsockopt(zmq.SUBSCRIBE, TOPIC)
    s.setsockopt(zmq.RCVHWM, 100000)
    s.connect(f"ipc://{folder}/telemetry")
    while not over.is_set():
        if s.poll(100):
            ticks.append(tick_of(s.recv_multipart()[1]))
    s.close(0)


def raw(r, folder, port):
    """A connection that speaks no ZeroMQ, or only the beginning of it."""
    door = r.choice(["telemetry", "events", "weights", "command", "replay.sock", "tcp"])
    s = socket.socket(socket.AF_INET if door == "tcp" else socket.AF_UNIX)
    s.settimeout(1.0)
    try:
        s.connect(("127.0.0.1", port) if door == "tcp" else f"{folder}/{door}")
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL".ljust(54, b"\0")
        s.sendall(r.choice([b"", greeting, greeting[:11]]) + r.randbytes(r.randrange(2000)))
    except OSError:
        pass  # cut off: so it should be
    return s


def message(r, context, folder):
    """One message of random frames to the command socket, some with what a command begins with, some far too large."""
    s = context.socket(r.choice([zmq.DEALER, zmq.REQ]))
    s.setsockopt(zmq.LINGER, 200)
    s.setsockopt(zmq.ROUTING_ID, b"x" + r.randbytes(r.randrange(20)))
    s.connect(f"ipc://{folder}/command")
    size = r.choice([0, 1, 30, 3000, 8 << 20])
    frames = [r.choice([b"", b"\x12\x06status", b"\x12\x03arm\x19"]) + r.randbytes(size)]
    if s.type == zmq.DEALER:
        frames = [r.randbytes(r.randrange(40)) for _ in range(r.randrange(3))] + frames
    s.send_multipart(frames)
    return s


def main():
    folder, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    r = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    context, over, ticks = zmq.Context(), threading.Event(), []
    listener = threading.Thread(target=listen, args=(context, folder, over, ticks))
    listener.start()
    time.sleep(0.3)
    open_ones, n = [], 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        open_ones.append(raw(r, folder, port) if r.random() < 0.7 else message(r, context, folder))
        n += 1
        if len(open_ones) > 200:  # many stay open for a while
            open_ones.pop(r.randrange(len(open_ones))).close()
        time.sleep(0.002)
    for s in open_ones:
        s.close()
    time.sleep(0.5)
    over.set()
    listener.join()
    missing = ticks[-1] - ticks[0] + 1 - len(ticks) if ticks else -1
    print(json.dumps({"attacks": n, "records": len(ticks), "missing": missing}))
    context.term()
    return 0 if ticks and missing == 0 and n > 100 else 1


if __name__ == "__main__":
    sys.exit(main())
