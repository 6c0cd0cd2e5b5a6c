"""The servo maker's own SDK against basalsim, and its request bytes against the driver's.

    partner_sdk.py DEVICE DRIVER_LOG SDK_LOG TRUTH

DEVICE leads through bus_tee.py, which writes SDK_LOG, to basalsim; DRIVER_LOG is what the driver and basalctl sent through
such a line before. The robot is limp and at rest, its servos without noise. Prints one JSON object.
"""
import json
import os
import sys
import time
from importlib.metadata import version

import dynamixel_sdk as dxl

import dxl2

IDS = (1, 2, 3)
MODEL, POSITION, STATE_FROM, STATE_BYTES = 1060, 132, 120, 16
GOAL_POSITION = 116
STUFFED = -131073 & 0xFFFFFFFF  # FF FF FD FF on the wire: must be stuffed
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
    for i in IDS:
        model, result, error = ph.ping(port, i)
        figures["pinged"] += expect(f"ping {i}", (model, result, error), (MODEL, 0, 0))
    found, result = ph.broadcastPing(port)
    expect("broadcast ping", (sorted(found), result), (list(IDS), 0))
    figures["broadcast_pinged"] = len(found)
    worst_rad = 0.0
    for i in IDS:
        value, result, error = ph.read4ByteTxRx(port, i, POSITION)
        figures["reads"] += expect(f"read {i}", (result, error), (0, 0))
        value = value - (1 << 32) if value >> 31 else value
        worst_rad = max(worst_rad, abs((value - dxl2.MIDDLE) * dxl2.COUNT_RAD - truth[i - 1]))
    expect("positions are right to half a quantum", worst_rad <= 0.5 * dxl2.COUNT_RAD + 1e-9, True)
    figures["worst_error_quanta"] = round(worst_rad / dxl2.COUNT_RAD, 4)
    # the odometer has no torque: it takes any goal of its range, and gives it back
    expect("write that is stuffed", ph.write4ByteTxRx(port, 3, GOAL_POSITION, STUFFED), (0, 0))
    expect("read that is stuffed", ph.read4ByteTxRx(port, 3, GOAL_POSITION), (STUFFED, 0, 0))
    for name in ("sync_reads", "fast_sync_reads"):
        group = dxl.GroupSyncRead(port, ph, STATE_FROM, STATE_BYTES)
        read = group.txRxPacket if name == "sync_reads" else group.fastSyncRead
        for i in IDS:
            group.addParam(i)
        start, good = time.monotonic(), 0
        for _ in range(REPEAT):
            good += read() == 0 and all(group.isAvailable(i, POSITION, 4) for i in IDS)
        figures[name] = good
        figures[name + "_per_s"] = round(REPEAT / (time.monotonic() - start))
        expect(name, good, REPEAT)
        got = [group.getData(i, POSITION, 4) for i in IDS]
        expect(f"{name}: same as read", got, [ph.read4ByteTxRx(port, i, POSITION)[0] for i in IDS])
    return figures


class Recorder(dxl.PortHandler):
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

    def isPacketTimeout(self):
        return True


def remake(ph, port, p):
    """The packet that the SDK makes for what p asks; None: it cannot ask that."""
    at, n = (dxl2.word(p.params), len(p.params)) if len(p.params) >= 2 else (0, 0)
    port.sent, port.is_using = None, False
    if p.instruction == dxl2.PING and p.id == dxl2.BROADCAST:
        ph.broadcastPing(port)
    elif p.instruction == dxl2.PING:
        ph.ping(port, p.id)
    elif p.instruction == dxl2.READ:
        ph.readTx(port, p.id, at, dxl2.word(p.params, 2))
    elif p.instruction == dxl2.WRITE:
        ph.writeTxOnly(port, p.id, at, n - 2, list(p.params[2:]))
    elif p.instruction == dxl2.REBOOT:
        ph.reboot(port, p.id)
    elif p.instruction in (dxl2.SYNC_READ, dxl2.FAST_SYNC_READ):
        ph.syncReadTx(port, at, dxl2.word(p.params, 2), list(p.params[4:]), n - 4,
                      p.instruction == dxl2.FAST_SYNC_READ)
    elif p.instruction == dxl2.SYNC_WRITE:
        ph.syncWriteTxOnly(port, at, dxl2.word(p.params, 2), list(p.params[4:]), n - 4)
    return port.sent


def compare(ph, driver_log):
    """Every different request that the driver sent, made anew by the SDK."""
    sent, lost = dxl2.packets(driver_log, ">")
    expect("bytes of the driver that are no packet", lost, 0)
    kinds, equal = {}, 0
    different = {p.raw: p for p in sent}
    port = Recorder()
    for p in different.values():
        name = dxl2.NAMES.get(p.instruction, hex(p.instruction))
        kinds[name] = kinds.get(name, 0) + 1
        made = remake(ph, port, p)
        equal += expect(f"{name} {p.params.hex()} to {p.id}", made and made.hex(), p.raw.hex())
    for name in ("ping", "read", "write", "fast_sync_read", "sync_write"):
        expect(f"the driver sent a {name}", kinds.get(name, 0) > 0, True)
    figures = {"driver_requests": len(sent), "different": len(different), "equal": equal, "kinds": kinds}
    return figures, {p.raw for p in different.values() if p.instruction in (dxl2.PING, dxl2.FAST_SYNC_READ)}


def main():
    device, driver_log, sdk_log, truth = sys.argv[1:]
    port, ph = dxl.PortHandler(device), dxl.PacketHandler(2.0)
    if not port.openPort() or not port.setBaudRate(1000000):
        print(f"partner_sdk: the SDK cannot open {device}", file=sys.stderr)
        return 1
    figures = {"sdk": "dynamixel-sdk " + version("dynamixel-sdk"), **talk(port, ph, last_truth(truth))}
    port.closePort()
    compared, asked = compare(ph, driver_log)
    figures.update(compared)
    time.sleep(0.2)  # the line writes down the last bytes
    on_wire = {p.raw for p in dxl2.packets(sdk_log, ">")[0]}
    figures["same_on_the_wire"] = len(asked & on_wire)
    expect("pings and state reads of the driver that the SDK sent over the wire too", len(asked & on_wire), len(asked))
    figures["wrong"] = wrong[:5]
    print(json.dumps(figures))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main())
