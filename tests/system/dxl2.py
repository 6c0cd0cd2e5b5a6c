"""Dynamixel Protocol 2.0 as this test reads it: packets out of a log of bus_tee.py, and what they ask. It shares no code
with the driver, with the emulator or with the maker's SDK, so that it can judge between them."""
import math
from collections import namedtuple

PING, READ, WRITE, REBOOT, CLEAR, STATUS, SYNC_READ, SYNC_WRITE, FAST_SYNC_READ = \
    0x01, 0x02, 0x03, 0x08, 0x10, 0x55, 0x82, 0x83, 0x8A
BROADCAST = 0xFE
NAMES = {PING: "ping", READ: "read", WRITE: "write", REBOOT: "reboot", CLEAR: "clear", SYNC_READ: "sync_read",
         SYNC_WRITE: "sync_write", FAST_SYNC_READ: "fast_sync_read"}

COUNT_RAD = 2.0 * math.pi / 4096  # the position sensor's quantum
MIDDLE = 2048  # counts where the joint's angle is 0

Packet = namedtuple("Packet", "time id instruction params raw")


def crc16(data):
    """Polynomial 0x8005, start 0, most significant bit first."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def word(data, at=0):
    return data[at] | data[at + 1] << 8


def signed(data, at=0, size=4):
    return int.from_bytes(data[at:at + size], "little", signed=True)


def read_log(path, direction):
    """[(time, bytes)] of one direction."""
    with open(path) as log:
        for line in log:
            time, way, data = line.split()
            if way == direction:
                yield float(time), bytes.fromhex(data)


def packets(path, direction):
    """All whole packets with a good checksum; returns them and the bytes that belong to none."""
    found, lost, buffer, when = [], 0, b"", 0.0
    for when, data in read_log(path, direction):
        buffer += data
        while len(buffer) >= 10:
            n = word(buffer, 5) + 7
            if buffer[:4] != b"\xff\xff\xfd\x00" or not 10 <= n <= 1024:
                buffer, lost = buffer[1:], lost + 1
                continue
            if len(buffer) < n:
                break
            raw = buffer[:n]
            if crc16(raw[:-2]) != word(raw, n - 2):
                buffer, lost = buffer[1:], lost + 1
                continue
            buffer = buffer[n:]
            params = raw[8:-2]
            if not (raw[7] == STATUS and raw[4] == BROADCAST):  # fast replies are not stuffed
                params = params.replace(b"\xff\xff\xfd\xfd", b"\xff\xff\xfd")
            found.append(Packet(when, raw[4], raw[7], params, raw))
    return found, lost + len(buffer)


def states(path, length=16):
    """(time, id, data) of every state reply, of a sync read or a fast one."""
    for p in packets(path, "<")[0]:
        if p.instruction != STATUS:
            continue
        if p.id != BROADCAST:
            if len(p.params) == 1 + length:
                yield p.time, p.id, p.params[1:]
            continue
        body, step = p.raw[8:], length + 4  # ERR ID data CRC, one after the other
        for at in range(0, len(body) - step + 1, step):
            yield p.time, body[at + 1], body[at + 2:at + 2 + length]
