"""A person at a terminal: a program with a pseudo-terminal of its own, typed to and read by the test."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

from bed import until


class Terminal:
    """argv runs with the terminal as all three of its descriptors, and as the one it can open."""

    def __init__(self, bed, argv, size=(24, 80), env=None):
        self.leader, self.follower = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.follower)
        self.shown = b""
        self._lock = threading.Lock()
        self.popen = subprocess.Popen(
            [str(a) for a in argv],
            stdin=self.follower,
            stdout=self.follower,
            stderr=self.follower,
            env=env or bed.env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        bed.at_end(self.stop)
        threading.Thread(target=self._gather, daemon=True).start()

    def _gather(self):
        while True:
            try:
                piece = os.read(self.leader, 65536)
            except OSError:
                return
            with self._lock:
                self.shown += piece

    @property
    def text(self):
        with self._lock:
            return self.shown.decode("utf-8", "replace")

    def resize(self, rows, columns):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.leader, text.encode() if isinstance(text, str) else text)

    def wait_for(self, pattern, count=1):
        """Until the pattern was shown (count times); the match."""

        def look():
            found = list(re.finditer(pattern, self.text))
            return found[count - 1] if len(found) >= count else None

        return until(look, lambda: "%r on the terminal; it shows:\n%s" % (pattern, self.text))

    def type_after(self, pattern, text, count=1):
        self.wait_for(pattern, count)
        self.type(text)

    def is_raw(self):
        return not termios.tcgetattr(self.follower)[3] & termios.ICANON

    def is_as_before(self):
        return termios.tcgetattr(self.follower) == self.before

    def wait(self, within_s=20):
        status = self.popen.wait(within_s)
        return status

    def stop(self):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(5)
        for fd in (self.leader, self.follower):
            try:
                os.close(fd)
            except OSError:
                pass
