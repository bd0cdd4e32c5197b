"""-f: the parent goes only when the forwards are up, and the child keeps them; letters bundled,
options behind the destination."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

from bed import ADIT, ask, free_port, listening, state_of, until

pytestmark = pytest.mark.short


def background_pid(bed):
    """The one process of this test's adit that has gone to the background."""
    marks = str(bed.folder).encode()
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if words.startswith(ADIT.encode() + b"\0") and marks in words:
                return int(entry.name)
    return None


def start(bed, server, *args, behind=()):
    argv = [ADIT] + bed.client_options(server) + list(args) + [bed.login(server)] + list(behind)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=bed.env)
    pid = background_pid(bed)
    if pid:
        bed.adopt(pid)
    return done, pid


@pytest.mark.parametrize("server", ["aditd", "sshd"])
def test_when_the_parent_returns_the_forwards_are_up(bed, server):
    echo, local, remote = bed.echo(), free_port(), free_port()
    done, pid = start(
        bed, bed.server(server), "-f", "-N", "-o", "ExitOnForwardFailure=yes",
        "-L", "%d:127.0.0.1:%d" % (local, echo.port), "-R", "%d:127.0.0.1:%d" % (remote, echo.port),
    )
    assert done.returncode == 0, done.stderr
    assert listening(local) and listening(remote)
    assert ask(local) == b"hello" and ask(remote) == b"hello"
    assert pid, "nobody went to the background"
    os.kill(pid, signal.SIGTERM)
    until(lambda: not listening(local) and not listening(remote), "the forwards to go with the process")
    until(lambda: state_of(pid) in (None, "Z"), "the process to end")


def test_the_child_lets_go_of_terminal_and_pipes(bed):
    """subprocess.run waits for the end of the output: a child that held it would time out above."""
    done, pid = start(bed, bed.aditd(), "-f", "-N", "-L", "%d:127.0.0.1:1" % free_port())
    assert done.returncode == 0
    assert os.readlink("/proc/%d/cwd" % pid) == os.getcwd()  # as with ssh: relative paths hold
    for fd in (0, 1, 2):
        assert os.readlink("/proc/%d/fd/%d" % (pid, fd)) == "/dev/null"
    assert os.getsid(pid) != os.getsid(0)


def test_bundled_letters_and_options_behind_the_destination(bed):
    echo, port = bed.echo(), free_port()
    done, pid = start(
        bed, bed.aditd(), "-fNgL", "%d:127.0.0.1:%d" % (port, echo.port), behind=["-o", "ServerAliveInterval=30"]
    )
    assert done.returncode == 0, done.stderr
    assert listening(port) in ({"0.0.0.0", "::"}, {"*"})
    assert ask(port) == b"hello"


def test_a_refused_forward_reaches_the_parents_exit_status(bed):
    taken = bed.echo()
    done, _ = start(bed, bed.aditd(), "-f", "-N", "-o", "ExitOnForwardFailure=yes", "-R", "%d:127.0.0.1:1" % taken.port)
    assert done.returncode == 255
    assert "remote port forwarding failed" in done.stderr
    until(lambda: not background_pid(bed), "the child to be gone")


def test_a_refused_login_reaches_the_parents_exit_status(bed):
    server = bed.aditd(AuthorizedKeysFile="/nowhere")
    done, pid = start(bed, server, "-f", "-N", "-L", "%d:127.0.0.1:1" % free_port())
    assert done.returncode == 255 and not pid
    assert re.search("Permission denied", done.stderr)
