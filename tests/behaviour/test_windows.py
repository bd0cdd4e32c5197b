"""
Receive windows over a line that is long: they grow as it needs, to what was configured and no
further, whoever sends.
"""

import socket

import pytest

from bed import connect, receive_digest, send_stream, stream_digest, until
from line_help import GROWTH, WAY_S, over_a_long_line, serve_stream, sizes

MIB = 1 << 20
FIRST = 2 * MIB
HOARDS = "windows stay near the flow"


def fetch(port, total):
    with connect(port) as s:
        s.settimeout(120)
        assert receive_digest(s) == (stream_digest(7, total), total)


@pytest.mark.parametrize("sender", ["aditd", "sshd"])
def test_adits_window_grows_whoever_sends(bed, sender):
    server = bed.server(sender)
    adit, port = over_a_long_line(bed, server, bed.adit, bed.target(serve_stream(24 * MIB)).port, "-v", "-v")
    fetch(port, 24 * MIB)
    adit.wait_line(GROWTH.pattern)
    assert max(sizes(adit.err)) >= 2 * FIRST
    assert (HOARDS in adit.err) == (sender == "sshd")
    known = {int(us) for _, _, us in GROWTH.findall(adit.err)}
    assert min(known) >= 2 * WAY_S * 1000 * 1000  # of the whole way, not of the socket's


@pytest.mark.parametrize("sender", ["adit", "ssh"])
def test_aditds_window_grows_whoever_sends(bed, sender):
    server = bed.aditd(LogLevel="DEBUG2")
    got = []
    target = bed.target(lambda s: got.append(receive_digest(s)))
    _, port = over_a_long_line(bed, server, getattr(bed, sender), target.port)
    with connect(port) as s:
        s.settimeout(120)
        sent = send_stream(s, 7, 24 * MIB)
        s.shutdown(socket.SHUT_WR)
        until(lambda: got, "the target to see the end", 60)
    assert got == [(sent, 24 * MIB)]
    server.wait_log(GROWTH.pattern)
    assert max(sizes(server.log)) >= 2 * FIRST
    assert (HOARDS in server.log) == (sender == "ssh")


def test_aditwindow_says_what_a_window_may_grow_to(bed):
    most = 3 * MIB
    target = bed.target(serve_stream(24 * MIB))
    adit, port = over_a_long_line(bed, bed.aditd(), bed.adit, target.port, "-v", "-v", "-o", "AditWindow=3M")
    fetch(port, 24 * MIB)
    adit.wait_line(GROWTH.pattern)
    assert max(sizes(adit.err)) == most
