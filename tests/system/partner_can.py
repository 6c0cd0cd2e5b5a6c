"""python-can's slcan interface against basalsim's emulated adapter and Damiao motors, and its lines against the driver's.

    partner_can.py DEVICE DRIVER_LOG TRUTH

DEVICE is the adapter's pseudo-terminal; DRIVER_LOG is what the driver wrote to it before, through bus_tee.py. Motor 1 is a
DM4310. Frames are those of the makers' documents and of openarm_can. Prints one JSON object.
"""
import json
import os
import select
import struct
import sys
import time
import tty
from importlib.metadata import version

import can

from dxl2 import read_log

REGISTERS, MASTER_MORE = 0x7FF, 0x10
P_MAX, V_MAX, T_MAX = 12.5, 30.0, 10.0
QUANTUM_RAD = 2 * P_MAX / 65535
DISABLED, ENABLED, LOST = 0, 1, 0xD
ENABLE, DISABLE, ZERO, CLEAR = ("FFFFFFFFFFFFFF" + x for x in ("FC", "FD", "FE", "FB"))
FRICTION_NM = 0.4  # of the waist
PATIENCE_S = 10.0
SILENCE_S = 0.5

wrong = []


def expect(name, got, wanted):
    if got != wanted:
        wrong.append(f"{name}: {got}, wanted {wanted}")
    return got == wanted


def near(name, got, wanted, within):
    if not abs(got - wanted) <= within:
        wrong.append(f"{name}: {got}, wanted {wanted} to {within}")


def open_bus(device):
    return can.Bus(interface="slcan", channel=device, bitrate=1000000, sleep_after_open=0)


def message(can_id, data):
    return can.Message(arbitration_id=can_id, data=bytes.fromhex(data), is_extended_id=False)


class Motor:
    """What python-can sends to a motor and hears of it."""

    def __init__(self, bus, motor):
        self.bus, self.id = bus, motor
        self.status = self.p = self.v = self.t = None

    def ask(self, can_id, data, patience_s=PATIENCE_S):
        """The next frame on the motor's answering id, in hexadecimal; None: nothing came."""
        while self.bus.recv(0) is not None:
            pass
        self.bus.send(message(can_id, data))
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            heard = self.bus.recv(0.1)
            if heard is not None and heard.arbitration_id == self.id + MASTER_MORE:
                return bytes(heard.data).hex().upper()
        return None

    def state(self, can_id, data):
        """The answer, taken apart."""
        answer = self.ask(can_id, data)
        if answer is None:
            wrong.append(f"motor {self.id} does not answer {data}")
            raise SystemExit
        self.read(bytes.fromhex(answer))
        return self.status

    def read(self, d):
        expect("id in a state", d[0] & 0xF, self.id)
        self.status = d[0] >> 4
        self.p = (d[1] << 8 | d[2]) * 2 * P_MAX / 65535 - P_MAX
        self.v = (d[3] << 4 | d[4] >> 4) * 2 * V_MAX / 4095 - V_MAX
        self.t = ((d[4] & 0xF) << 8 | d[5]) * 2 * T_MAX / 4095 - T_MAX

    def look(self):
        return self.state(REGISTERS, f"{self.id:02X}00CC0000000000")

    def settle(self, can_id, data, wanted, within):
        """The same command again and again until the joint stands there."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            self.state(can_id, data)
            if abs(self.p - wanted) <= within and abs(self.v) < 0.02:
                return True
            time.sleep(0.02)
        wrong.append(f"{can_id:03X}#{data}: at {self.p:.4f} rad, wanted {wanted:.4f} to {within:.4f}")
        return False


def documents():
    """Frames that others have printed or captured, as this test reads them."""
    m = Motor(None, 2)
    m.read(bytes.fromhex("0292557FF7FE1C1B"))  # captured from a motor
    near("position in a capture", m.p, 1.790, 0.0005)
    m = Motor(None, 1)
    m.read(bytes.fromhex("118A3C7778652320"))
    near("position", m.p, 1.0, QUANTUM_RAD)
    near("velocity", m.v, -2.0, 2 * V_MAX / 4095)
    near("torque", m.t, 0.5, 2 * T_MAX / 4095)


def registers(m):
    expect("PMAX", m.ask(REGISTERS, "0100331500000000"), "0100331500004841")
    for rid, wanted in ((22, V_MAX), (23, T_MAX)):
        answer = m.ask(REGISTERS, f"010033{rid:02X}00000000")
        expect(f"register {rid}", struct.unpack("<f", bytes.fromhex(answer)[4:])[0], wanted)
    for name, data in (("CTRL_MODE", "0100550A01000000"), ("TIMEOUT", "01005509D0070000")):
        expect(name, m.ask(REGISTERS, data), data)


def timeout(m):
    """Register 9 is 100 ms now: what hears nothing for longer switches itself off, and says so."""
    expect("enabled", m.state(1, ENABLE), ENABLED)
    time.sleep(SILENCE_S)
    expect("communication lost", m.look(), LOST)
    expect("cleared", m.state(1, CLEAR), DISABLED)
    expect("TIMEOUT off", m.ask(REGISTERS, "0100550900000000"), "0100550900000000")


def motions(m):
    """Where a spring of kp about p, pushed by kd v + t, comes to rest; dry friction stops it a little before."""
    settled = 0
    expect("limp", m.state(1, "7FFF7FF0000007FF"), DISABLED)
    expect("enabled", m.state(1, ENABLE), ENABLED)
    for data, kp, p in (("8A3C7FF1993337FF", 50, 1.0),
                        ("70A38887ADFFF566", 240, -1.5 + (5 * 2 - 3.25) / 240),
                        ("851E555333333999", 100, 0.5 + (1 * -10 + 2) / 100)):
        settled += m.settle(1, data, p, 1.2 * FRICTION_NM / kp + 0.002)
    expect("disabled", m.state(1, DISABLE), DISABLED)
    return settled


def other_modes(m):
    expect("mode 2", m.ask(REGISTERS, "0100550A02000000"), "0100550A02000000")
    expect("enabled", m.state(1, ENABLE), ENABLED)
    settled = m.settle(0x101, "0000C03F0000A040", 1.5, 0.012)
    expect("mode 4", m.ask(REGISTERS, "0100550A04000000"), "0100550A04000000")
    settled += m.settle(0x301, "0000003FE803E803", 0.5, 0.012)
    expect("mode 3", m.ask(REGISTERS, "0100550A03000000"), "0100550A03000000")
    m.state(0x201, "000040C0")
    before = m.p
    for _ in range(10):
        time.sleep(0.02)
        m.state(0x201, "000040C0")
    expect("it turns backwards", m.p < before - 0.1, True)
    expect("a command of another mode is not answered", m.ask(0x101, "0000C03F0000A040", 0.3), None)
    expect("disabled", m.state(1, DISABLE), DISABLED)
    expect("saved", m.state(REGISTERS, "0100AA0100000000"), DISABLED)
    expect("mode 1", m.ask(REGISTERS, "0100550A01000000"), "0100550A01000000")
    return settled


def last_truth(path):
    with open(path) as f:
        return json.loads(f.read().splitlines()[-1])["q"]


def poses(bus, truth_path):
    """All six, limp and at rest, against the body's truth."""
    worst = 0.0
    motors = [Motor(bus, i) for i in range(1, 7)]
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        before = last_truth(truth_path)
        for m in motors:
            m.look()
        time.sleep(0.3)
        after = last_truth(truth_path)
        if max(abs(a - b) for a, b in zip(before, after)) < 1e-6:
            worst = max(abs(m.p - q) for m, q in zip(motors, after))
            break
    else:
        wrong.append("the arm does not come to rest")
    near("positions are right to a quantum", worst, 0.0, QUANTUM_RAD)
    return round(worst / QUANTUM_RAD, 3)


def lines(path):
    """What the driver wrote, line by line."""
    text = b"".join(data for _, data in read_log(path, ">")).decode("ascii")
    return text.split("\r")[:-1]


def compare(driver_log):
    """Every different frame that the driver wrote, written anew by python-can."""
    sent = [line for line in lines(driver_log) if line[:1] == "t"]
    different = sorted(set(sent))
    master, slave = os.openpty()
    tty.setraw(slave)
    bus = open_bus(os.ttyname(slave))
    opening = b""
    while select.select([master], [], [], 0.2)[0]:
        opening += os.read(master, 4096)
    expect("how it opens", opening, b"C\rS8\r\rO\rO\r")
    equal = 0
    for line in different:
        length = int(line[4])
        bus.send(message(int(line[1:4], 16), line[5:5 + 2 * length]))
        made = b""
        while not made.endswith(b"\r") and select.select([master], [], [], 5)[0]:
            made += os.read(master, 4096)
        equal += expect("a line", made.decode("ascii"), line + "\r")
    bus.shutdown()
    os.close(slave)
    os.close(master)
    for name, start in (("register frame", "t7FF8"), ("command of motor 1", "t0018"), ("command of motor 6", "t0068"),
                        ("enabling of motor 1", "t0018FFFFFFFFFFFFFFFC")):
        expect(f"the driver sent a {name}", any(line.startswith(start) for line in different), True)
    expect("the driver opens its adapter", {"S8", "O"} <= set(lines(driver_log)), True)
    return {"driver_frames": len(sent), "different": len(different), "equal": equal}


def main():
    device, driver_log, truth = sys.argv[1:]
    figures = {"python_can": version("python-can")}
    documents()
    bus = open_bus(device)
    try:
        expect("version of the adapter", bus.get_version(5), (10, 13))
        m = Motor(bus, 1)
        m.look()
        registers(m)
        timeout(m)
        figures["settled"] = motions(m) + other_modes(m)
        expect("commands that the arm obeyed", figures["settled"], 5)
        figures["worst_error_quanta"] = poses(bus, truth)
        expect("zeroed", m.state(1, ZERO), DISABLED)
        m.look()
        near("a new zero", m.p, 0.0, QUANTUM_RAD)
    except SystemExit:
        pass
    finally:
        bus.shutdown()
    figures.update(compare(driver_log))
    figures["wrong"] = wrong[:5]
    print(json.dumps(figures))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main())
