#!/usr/bin/python3
"""Print a robot's joint positions as they are, from basald's telemetry.

    deploy/examples/telemetry.py [ENDPOINT] [SECONDS]

Debian packages: python3-zmq, python3-protobuf, protobuf-compiler. ENDPOINT is the robot file's comms.telemetry (default
tcp://127.0.0.1:9872) or ipc:///run/basald/telemetry. A message is two frames: the topic basald/telemetry and one
basald.v1.Telemetry of proto/basald.proto.
"""
import os
import subprocess
import sys
import tempfile
import time

import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
PROTOS = [os.path.join(HERE, "..", "..", "proto", "basald.proto"), os.path.join(HERE, "..", "proto", "basald.proto")]
PROTO = next(filter(os.path.exists, PROTOS)) # in the clone, or installed
TOPIC = b"basald/telemetry"


def load_messages(proto=PROTO):
    """What protoc makes of the .proto, as a module. Made anew each time; a program of yours would keep the file."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", "--python_out", folder, "-I", os.path.dirname(proto), proto], check=True)
        sys.path.insert(0, folder)
        import basald_pb2

        sys.path.remove(folder)
    return basald_pb2


def records(endpoint, telemetry_type, patience_s=5.0):
    """Telemetry messages as they come; ends when none comes for patience_s."""
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.SUBSCRIBE, TOPIC)
    socket.setsockopt(zmq.RCVTIMEO, int(patience_s * 1000))
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    try:
        while True:
            topic, payload = socket.recv_multipart()
            yield telemetry_type.FromString(payload)
    except zmq.Again:
        print(f"telemetry.py: nothing comes from {endpoint}: does basald run, and is comms.telemetry that endpoint?",
              file=sys.stderr)
    finally:
        socket.close()


def main():
    endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:9872"
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else float("inf")
    n = 0
    for n, r in enumerate(records(endpoint, load_messages().Telemetry), 1):
        until = time.monotonic() + seconds if n == 1 else until
        joints = "  ".join(f"{name} {q:+.4f}" for name, q in zip(r.joint_name, r.position_rad))
        print(f"{r.timestamp:.3f}  {r.state:<8}  {joints} rad", flush=True)
        if time.monotonic() > until:
            break
    return 0 if n > 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        pass
