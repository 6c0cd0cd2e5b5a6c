"""Feetech's own SDK against basalsim, and its request bytes against the driver's.

    partner_feetech.py DEVICE DRIVER_LOG TRUTH

DEVICE leads through bus_tee.py to basalsim; DRIVER_LOG is what the driver and basalctl sent through such a line before. The
robot is limp and at rest, its servos without noise. Prints one JSON object.
"""
import json
import os
import sys
import time
from importlib.metadata import version

import scservo_sdk as scs

import sts

IDS = (1, 2, 3, 4, 5, 6)
MODEL, POSITION, VOLTAGE, TEMPERATURE = 777, 56, 62, 63
STATE_FROM, STATE_BYTES = 56, 15
GOAL, SPEED, ACCELERATION = 42, 46, 41
REPEAT = 200

wrong = []


def expect(name, got, wanted):
    if got != wanted:
        wrong.append(f"{name}: {got}, wanted {wanted}")
    return got == wanted


def last_truth(path):
    with open(path) as f:
        return json.loads(f.read().splitlines()[-1])["q"]


def talk(port, ph, truth):
    """Everything that the SDK does with servos that this test wants to see, over the wire."""
    figures = {"pinged": 0, "reads": 0}
    worst_rad = 0.0
    for i in IDS:
        model, result, error = ph.ping(i)
        figures["pinged"] += expect(f"ping {i}", (model, result, error), (MODEL, 0, 0))
        counts, speed, result, error = ph.ReadPosSpeed(i)
        figures["reads"] += expect(f"read {i}", (result, error), (0, 0))
        worst_rad = max(worst_rad, abs((counts - sts.MIDDLE) * sts.COUNT_RAD - truth[i - 1]))
        expect(f"speed of {i} at rest", speed, 0)
    expect("positions are right to half a quantum", worst_rad <= 0.5 * sts.COUNT_RAD + 1e-9, True)
    figures["worst_error_quanta"] = round(worst_rad / sts.COUNT_RAD, 4)
    expect("nobody answers to 7", ph.ping(7)[1], scs.COMM_RX_TIMEOUT)
    # a goal for a servo without torque is only kept; -100 as the SDK writes it, and as it reads it back
    expect("write goal, speed, acceleration", ph.WritePosEx(6, 1500, 1200, 50), (0, 0))
    expect("goal", ph.read2ByteTxRx(6, GOAL), (1500, 0, 0))
    expect("speed", ph.read2ByteTxRx(6, SPEED), (1200, 0, 0))
    expect("acceleration", ph.read1ByteTxRx(6, ACCELERATION), (50, 0, 0))
    expect("negative speed", ph.WriteSpec(6, -500, 0), (0, 0))
    expect("negative speed, raw", ph.read2ByteTxRx(6, SPEED), (0x81F4, 0, 0))
    for i in IDS:
        expect(f"goal of {i} into the list", ph.SyncWritePosEx(i, 2000 + i, 100 * i, i), True)
    expect("sync write", ph.groupSyncWrite.txPacket(), 0)
    ph.groupSyncWrite.clearParam()
    for i in IDS:
        expect(f"goal of {i} by list", ph.read2ByteTxRx(i, GOAL), (2000 + i, 0, 0))
    group = scs.GroupSyncRead(ph, STATE_FROM, STATE_BYTES)
    for i in IDS:
        group.addParam(i)
    start, good = time.monotonic(), 0
    for _ in range(REPEAT):
        good += group.txRxPacket() == 0 and all(group.isAvailable(i, POSITION, 2)[0] for i in IDS)
    figures["sync_reads"] = good
    figures["sync_reads_per_s"] = round(REPEAT / (time.monotonic() - start))
    expect("sync reads", good, REPEAT)
    for i in IDS:
        expect(f"sync read of {i}: same as read", group.getData(i, POSITION, 2), ph.read2ByteTxRx(i, POSITION)[0])
        expect(f"volts of {i}", group.getData(i, VOLTAGE, 1), 120)
        expect(f"degrees of {i}", 20 <= group.getData(i, TEMPERATURE, 1) <= 70, True)
    return figures


class Recorder(scs.PortHandler):
    """A port on which nobody answers; it keeps what is written."""

    def __init__(self):
        super().__init__("nowhere")
        self.sent = b""

    def clearPort(self):
        pass

    def readPort(self, length):
        return b""

    def writePort(self, packet):
        self.sent = bytes(packet)
        return len(packet)

    def setPacketTimeout(self, packet_length):
        pass

    def isPacketTimeout(self):
        return True


def remake(ph, port, p):
    """The packet that the SDK makes for what p asks; None: it cannot ask that."""
    port.sent, port.is_using = None, False
    if p.instruction == sts.READ:
        ph.readTx(p.id, p.params[0], p.params[1])
    elif p.instruction == sts.WRITE:
        ph.writeTxOnly(p.id, p.params[0], len(p.params) - 1, list(p.params[1:]))
    elif p.instruction == sts.SYNC_READ:
        ph.syncReadTx(p.params[0], p.params[1], list(p.params[2:]), len(p.params) - 2)
    elif p.instruction == sts.SYNC_WRITE:
        ph.syncWriteTxOnly(p.params[0], p.params[1], list(p.params[2:]), len(p.params) - 2)
    return port.sent


def compare(driver_log):
    """Every different request that the driver sent, made anew by the SDK."""
    sent, lost = sts.packets(driver_log, ">")
    expect("bytes of the driver that are no packet", lost, 0)
    kinds, equal = {}, 0
    different = {p.raw: p for p in sent}
    port = Recorder()
    ph = scs.sms_sts(port)
    for p in different.values():
        name = sts.NAMES.get(p.instruction, hex(p.instruction))
        kinds[name] = kinds.get(name, 0) + 1
        made = remake(ph, port, p)
        equal += expect(f"{name} {p.params.hex()} to {p.id}", made and made.hex(), p.raw.hex())
    for name in ("read", "write", "sync_read", "sync_write"):
        expect(f"the driver sent a {name}", kinds.get(name, 0) > 0, True)
    return {"driver_requests": len(sent), "different": len(different), "equal": equal, "kinds": kinds}


def main():
    device, driver_log, truth = sys.argv[1:]
    port = scs.PortHandler(device)
    if not port.openPort() or not port.setBaudRate(1000000):
        print(f"partner_feetech: the SDK cannot open {device}", file=sys.stderr)
        return 1
    figures = {"sdk": "ftservo-python-sdk " + version("ftservo-python-sdk")}
    figures.update(talk(port, scs.sms_sts(port), last_truth(truth)))
    port.closePort()
    figures.update(compare(driver_log))
    figures["wrong"] = wrong[:5]
    print(json.dumps(figures))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main())
