"""Feetech's protocol as this test reads it: packets out of a log of bus_tee.py, and what they ask. It shares no code with the
driver, with the emulator or with the maker's SDK, so that it can judge between them."""
import math
from collections import namedtuple

from dxl2 import read_log

PING, READ, WRITE, SYNC_READ, SYNC_WRITE = 0x01, 0x02, 0x03, 0x82, 0x83
BROADCAST = 0xFE
NAMES = {PING: "ping", READ: "read", WRITE: "write", SYNC_READ: "sync_read", SYNC_WRITE: "sync_write"}

COUNT_RAD = 2.0 * math.pi / 4096  # the position sensor's quantum
MIDDLE = 2048  # counts where the joint's angle is 0

Packet = namedtuple("Packet", "time id instruction params raw")


def word(data, at=0):
    return data[at] | data[at + 1] << 8


def signed(raw, bit):
    return -(raw & ~(1 << bit)) if raw >> bit & 1 else raw


def packets(path, direction):
    """All whole packets with a good sum; returns them and the bytes that belong to none."""
    found, lost, buffer, when = [], 0, b"", 0.0
    for when, data in read_log(path, direction):
        buffer += data
        while len(buffer) >= 6:
            n = buffer[3] + 4
            if buffer[:2] != b"\xff\xff" or buffer[2] == 0xFF or not 6 <= n <= 254:
                buffer, lost = buffer[1:], lost + 1
                continue
            if len(buffer) < n:
                break
            raw = buffer[:n]
            if sum(raw[2:]) & 0xFF != 0xFF:
                buffer, lost = buffer[1:], lost + 1
                continue
            buffer = buffer[n:]
            found.append(Packet(when, raw[2], raw[4], raw[5:-1], raw))
    return found, lost + len(buffer)
