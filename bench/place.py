"""Where the measured processes live: groups that know their CPU time and memory, ports, waiting.

As root a group is a control group (cpuacct of version 1, or version 2), which counts exactly and also
what has ended. Without root it is a session, whose living processes are asked.
"""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

WAIT_S = 15.0
IS_ROOT = os.geteuid() == 0
_V1 = pathlib.Path("/sys/fs/cgroup/cpuacct")
_V2 = pathlib.Path("/sys/fs/cgroup")


said = tempfile.TemporaryFile()  # what all the programs say, for when one of them fails


class Trouble(Exception):
    """This run cannot be done, in words, and with the last ones that a program said."""

    def __init__(self, words):
        said.seek(0, os.SEEK_END)
        said.seek(max(said.tell() - 300, 0))
        last = said.read().decode(errors="replace").strip().splitlines()[-1:]
        super().__init__(words + "".join(" (the last words: %s)" % line for line in last))


def until(question, what, within_s=WAIT_S):
    end = time.monotonic() + within_s
    while not question():
        if time.monotonic() > end:
            raise Trouble("waited %.0f s for %s" % (within_s, what))
        time.sleep(0.003)


def _control_groups():
    """The folder in which control groups that count CPU time can be made, or None."""
    for folder, counter in ((_V1, "cpuacct.usage"), (_V2, "cgroup.controllers")):
        if IS_ROOT and (folder / counter).exists() and os.access(folder, os.W_OK):
            return folder
    return None


CONTROL = _control_groups()


class Group:
    """Processes that are counted together, and ended together."""

    _number = 0

    def __init__(self, name):
        Group._number += 1
        self.name = name
        self._started = []
        self._folder = None
        if CONTROL:
            self._folder = CONTROL / ("adit-bench-%d-%d-%s" % (os.getpid(), Group._number, name))
            self._folder.mkdir()

    def _enter(self):
        if self._folder:
            (self._folder / "cgroup.procs").write_text("0")

    def start(self, argv, **popen):
        popen.setdefault("stdin", subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.DEVNULL)
        popen.setdefault("stderr", said)
        process = subprocess.Popen([str(a) for a in argv], start_new_session=True, preexec_fn=self._enter, **popen)
        self._started.append(process)
        return process

    def run(self, argv, within_s=120):
        """What it wrote to standard output; it has ended."""
        process = self.start(argv, stdout=subprocess.PIPE)
        try:
            return process.communicate(timeout=within_s)[0].decode()
        except subprocess.TimeoutExpired:
            raise Trouble("%s did not end within %d s" % (argv[0], within_s))

    def pids(self):
        if self._folder:
            return [int(line) for line in (self._folder / "cgroup.procs").read_text().split()]
        sessions = {process.pid for process in self._started}
        return [pid for pid, session in _sessions() if session in sessions]

    def cpu_s(self):
        """User and system time of all, exact; without control groups: of those that live."""
        if self._folder and CONTROL == _V1:
            return int((self._folder / "cpuacct.usage").read_text()) / 1e9
        if self._folder:
            return int(re.search(r"usage_usec (\d+)", (self._folder / "cpu.stat").read_text()).group(1)) / 1e6
        return sum(_ran_ns(pid) for pid in self.pids()) / 1e9

    def memory_kib(self):
        """PSS of all: what is shared is shared out."""
        total = 0
        for pid in self.pids():
            try:
                text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
            except (OSError, AttributeError):
                continue
        return total

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + 3
            while self._signal_all(number) and time.monotonic() < end:
                time.sleep(0.02)
        for process in self._started:
            process.wait(5)
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()
        if self._folder:
            until(self._remove, "the control group %s to be empty" % self._folder)

    def _signal_all(self, number):
        for process in self._started:
            process.poll()
        pids = self.pids()
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        return pids

    def _remove(self):
        try:
            self._folder.rmdir()
            return True
        except OSError:
            return False


def _sessions():
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if words[0] != "Z":
                yield int(folder.name), int(words[3])


def _ran_ns(pid):
    total = 0
    try:
        for task in pathlib.Path("/proc/%d/task" % pid).iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    except OSError:
        pass
    return total


# ---- ports ----

# Below those that the kernel gives to clients: theirs are taken for a minute after each connection.
_next_port = int(os.environ.get("BENCH_PORT", 20000))


def is_listening(port):
    found = ":%04X" % port
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net/" + name).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[1].endswith(found):
                return True
    return False


def free_port():
    global _next_port
    _next_port += 1
    while is_listening(_next_port):
        _next_port += 1
    if _next_port > 32000:
        _next_port = 20000
    return _next_port


def wait_listening(port, process, what):
    def look():
        if is_listening(port):
            return True
        if process.poll() is not None:
            raise Trouble("%s ended with %d before it listened" % (what, process.returncode))
        return False

    until(look, "%s to listen at %d" % (what, port))
