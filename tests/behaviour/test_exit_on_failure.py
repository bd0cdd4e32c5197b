"""ExitOnForwardFailure: yes ends adit with 255 if any forward cannot be; no goes on without it."""

import pytest

from bed import ask, free_port, listening, until

pytestmark = pytest.mark.short


@pytest.mark.parametrize("server", ["aditd", "sshd"])
def test_a_refused_remote_forward_ends_adit(bed, server):
    taken = bed.echo(address="::")
    adit = bed.adit(bed.server(server), "-o", "ExitOnForwardFailure=yes", "-R", "%d:127.0.0.1:1" % taken.port)
    assert adit.wait() == 255
    assert "remote port forwarding failed for listen port %d" % taken.port in adit.err


def test_a_taken_local_port_ends_adit(bed):
    taken = bed.echo()
    adit = bed.adit(bed.aditd(), "-o", "ExitOnForwardFailure=yes", "-L", "127.0.0.1:%d:127.0.0.1:1" % taken.port)
    assert adit.wait() == 255
    assert "cannot listen to port: %d" % taken.port in adit.err


def test_a_good_forward_goes_with_a_bad_one(bed):
    taken, port = bed.echo(), free_port()
    adit = bed.adit(
        bed.aditd(), "-o", "ExitOnForwardFailure=yes",
        "-R", "%d:127.0.0.1:%d" % (port, taken.port), "-R", "%d:127.0.0.1:1" % taken.port,
    )
    assert adit.wait() == 255
    until(lambda: not listening(port), "the other forward to be gone")


def test_forwards_that_work_keep_adit_running(bed):
    echo = bed.echo()
    adit, port = bed.remote(bed.aditd(), echo.port, "-o", "ExitOnForwardFailure=yes")
    assert ask(port) == b"hello"
    assert adit.is_alive()


def test_a_target_that_refuses_later_is_no_reason_to_end(bed):
    adit, port = bed.local(bed.aditd(), free_port(), "-o", "ExitOnForwardFailure=yes")
    try:
        ask(port)
    except ConnectionResetError:
        pass
    adit.wait_line("failed on the server's side")
    assert adit.is_alive()
