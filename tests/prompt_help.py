"""Somebody who answers: an askpass that follows a script, and a person at a terminal of its own."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import termios

from bed import until


class Askpass:
    """SSH_ASKPASS that gives one answer after the other, and remembers what it was asked."""

    def __init__(self, bed, *answers, name="askpass"):
        self.asked_path = bed.path(name + ".asked")
        answers_path = bed.write(name + ".answers", "".join(a + "\n" for a in answers))
        script = "#!/bin/sh\nprintf '%%s\\0' \"$1\" >>%s\nn=$(tr -cd '\\000' <%s | wc -c)\nsed -n \"${n}p\" %s\n"
        program = bed.write(name, script % (self.asked_path, self.asked_path, answers_path), 0o700)
        self.env = dict(bed.env, SSH_ASKPASS=program, SSH_ASKPASS_REQUIRE="force", DISPLAY=":9")

    @property
    def asked(self):
        if not self.asked_path.exists():
            return []
        return self.asked_path.read_text(errors="surrogateescape").split("\0")[:-1]


class Terminal:
    """A program with a terminal of its own, and the person before it."""

    def __init__(self, bed, argv, env=None):
        self.shown = b""
        self.master, slave = pty.openpty()
        bed.at_end(lambda: os.close(self.master))
        self.slave = slave
        self.before = termios.tcgetattr(slave)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.popen = subprocess.Popen(
            [str(a) for a in argv], stdin=slave, stdout=slave, stderr=slave, env=env or bed.env, preexec_fn=own_terminal)
        bed.at_end(self.stop)
        os.set_blocking(self.master, False)

    def stop(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGCONT)
            self.popen.kill()
            self.popen.wait(5)
        os.close(self.slave)

    def _gather(self):
        try:
            self.shown += os.read(self.master, 65536)
        except (BlockingIOError, OSError):
            pass

    @property
    def text(self):
        self._gather()
        return self.shown.decode("utf-8", "replace")

    def wait_text(self, pattern, count=1):
        until(lambda: len(re.findall(pattern, self.text)) >= count,
              lambda: "the terminal to show %r; it showed:\n%s" % (pattern, self.text))

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def wait_silent(self):
        until(lambda: not self.echoes(), "the echo to go off")

    def type(self, text):
        os.write(self.master, text.encode())

    def wait(self):
        until(lambda: (self._gather(), self.popen.poll())[1] is not None,
              lambda: "the program to end; it showed:\n" + self.text)
        return self.popen.returncode
