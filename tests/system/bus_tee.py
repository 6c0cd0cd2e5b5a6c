#!/usr/bin/python3
"""A pseudo-terminal between a host and a serial device that writes down every byte of both directions.

    bus_tee.py DEVICE LINK LOG

Whoever opens LINK talks to DEVICE. Each line of LOG: unix seconds, > (host to device) or <, hexadecimal. The host's
line settings, the baud rate among them, are made the device's before its bytes go on.
"""
import fcntl
import os
import select
import sys
import time
import tty

# asm-generic/termbits.h: struct termios2, which holds any baud rate
TCGETS2, TCSETS2, TERMIOS2_BYTES = 0x802C542A, 0x402C542B, 44


def settings(fd):
    return fcntl.ioctl(fd, TCGETS2, bytes(TERMIOS2_BYTES))


def main():
    device_path, link, log_path = sys.argv[1:]
    device = os.open(device_path, os.O_RDWR | os.O_NOCTTY)
    host, own = os.openpty()  # own: so that the line does not hang up between two hosts
    tty.setraw(own)
    if os.path.lexists(link):
        os.unlink(link)
    known = None
    with open(log_path, "w", buffering=1) as log:
        os.symlink(os.ttyname(own), link)
        while True:
            ready, _, _ = select.select([host, device], [], [])
            for fd in ready:
                data = os.read(fd, 4096)
                if not data:
                    return
                now = time.time()
                if fd == host:
                    wanted = settings(own)
                    if wanted != known:
                        fcntl.ioctl(device, TCSETS2, wanted)
                        known = wanted
                    os.write(device, data)
                else:
                    os.write(host, data)
                log.write(f"{now:.6f} {'>' if fd == host else '<'} {data.hex()}\n")


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, OSError):
        pass  # the device is gone: so is the line
