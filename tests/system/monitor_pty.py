"""basalctl monitor in a terminal that this test holds: what it writes, whether it fits, whether it leaves all as it was.

    monitor_pty.py BASALCTL RUNTIME_DIR DAEMON_PID

The daemon is killed at the end. Prints what is wrong; exit status 1 if anything is.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
wrong = []


def expect(name, good):
    if not good:
        wrong.append(name)


class Terminal:
    """A pseudo-terminal and a program on it."""

    def __init__(self, words, rows, columns, term="xterm", locale="C.UTF-8"):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        env = {**os.environ, "TERM": term, "LC_ALL": locale}

        def own_terminal():
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

        self.program = subprocess.Popen(words, stdin=self.slave, stdout=self.slave, stderr=self.slave, env=env,
                                        preexec_fn=own_terminal, close_fds=False)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        """What comes within a time, or until the program has ended."""
        new, until = b"", time.monotonic() + seconds
        while time.monotonic() < until:
            ended = self.program.poll() is not None
            if select.select([self.master], [], [], 0.05)[0]:
                new += os.read(self.master, 65536)
            elif ended:
                break
        text = new.decode("utf-8", "replace")
        self.text += text
        return text

    def read_until(self, what, seconds=10.0):
        until = time.monotonic() + seconds
        while what not in self.text and time.monotonic() < until and self.program.poll() is None:
            self.read(0.2)
        return what in self.text

    def end(self, name, status):
        """It ends by itself with this status and leaves the terminal as it was."""
        until = time.monotonic() + 10.0
        while self.program.poll() is None and time.monotonic() < until:
            self.read(0.2)
        self.read(0.3)
        expect(f"{name}: ends with {status}, not {self.program.poll()}", self.program.poll() == status)
        expect(f"{name}: terminal as before", termios.tcgetattr(self.slave) == self.before)
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        os.close(self.master)
        os.close(self.slave)


def frames(text):
    """The pages drawn: each begins at the top left."""
    return [re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", f).replace("\r", "") for f in text.split("\x1b[H")[1:]]


def fits(name, text, rows, columns):
    pages = frames(text)
    expect(f"{name}: pages are drawn", len(pages) > 0)
    for page in pages:
        lines = page.split("\n")
        wide = max(sum(not unicodedata.combining(c) for c in line) for line in lines)
        expect(f"{name}: {len(lines)} lines on {rows}", len(lines) <= rows)
        expect(f"{name}: {wide} columns on {columns}", wide <= columns)


def main():
    basalctl, runtime_dir, daemon = sys.argv[1], sys.argv[2], int(sys.argv[3])
    words = [basalctl, "--runtime-dir", runtime_dir, "monitor"]

    t = Terminal(words, 24, 80)
    t.read_until("train/")
    fits("80 x 24", t.text, 24, 80)
    page = [p for p in frames(t.text) if "train/" in p][-1]
    for what in ("crawler", "running", "Hz", "late by p50", "arm ", "hand ", "odometer ", "return", "speed", "updates",
                 "a second", "CRC errors", "garbage"):
        expect(f"80 x 24 shows {what}", what in page)
    expect("sparklines are blocks", any(c in t.text for c in "▁▂▃▄▅▆▇█"))
    expect("enters the other page once", t.text.count(ENTER) == 1 and LEAVE not in t.text)
    for rows, columns in ((5, 30), (1, 1), (60, 200)):
        t.read(0.3)
        t.resize(rows, columns)
        t.read(0.15)  # what was on its way
        fits(f"{columns} x {rows}", t.read(0.8), rows, columns)
    os.kill(t.program.pid, signal.SIGTSTP)
    t.read(0.5)
    expect("Ctrl-Z leaves the page", t.text.endswith(LEAVE) and termios.tcgetattr(t.slave) == t.before)
    os.kill(t.program.pid, signal.SIGCONT)
    expect("and comes back", "\x1b[H" in t.read(1.0))
    os.write(t.master, b"\x03")
    t.end("Ctrl-C", 0)
    expect("Ctrl-C: leaves the page, the last state as a line", "running" in t.text.rsplit(LEAVE, 1)[-1])

    t = Terminal(words, 24, 80)
    t.read_until("train/")
    os.write(t.master, b"xq")  # x: not a key, not echoed
    t.end("q", 0)

    t = Terminal(words + ["--seconds", "1"], 24, 80, locale="C")
    t.end("--seconds", 0)
    expect("no blocks where the terminal has none", t.text.isascii() and "speed" in t.text)

    t = Terminal(words + ["--seconds", "1"], 24, 80, term="dumb")
    t.end("a dumb terminal", 0)
    expect("a dumb terminal gets plain lines", "\x1b" not in t.text and t.text.count("running") >= 1)

    t = Terminal(words, 24, 80)
    t.read_until("train/")
    os.kill(daemon, signal.SIGKILL)
    t.end("the daemon dies", 3)
    said = t.text.rsplit(LEAVE, 1)[-1]
    expect(f"the daemon dies: said where it can be read: {said}", "basald is not running" in said)

    t = Terminal(words, 24, 80)
    t.end("no daemon", 3)
    expect("no daemon: a sentence and no page", "basald is not running" in t.text and ENTER not in t.text)
    for w in wrong:
        print(w)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
