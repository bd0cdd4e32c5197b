"""Several connections as one tunnel, with other people's servers: what goes over them arrives, and what
they cannot share stays on the first.
"""

import re

import pytest

import bed as b
from peers import start_adit, start_server

SIZE = 1 << 20
SERVERS = ["sshd", "dropbear", "paramiko"]


def up(adit):
    for number in (2, 3):
        adit.wait_line("Connection %d of 3 to .* is up" % number)


def socks(s, port):
    s.sendall(b"\x05\x01\x00")
    assert b.receive_exactly(s, 2) == b"\x05\x00"
    s.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + port.to_bytes(2, "big"))
    assert b.receive_exactly(s, 10)[:2] == b"\x05\x00"
    return s


@pytest.mark.parametrize("name", SERVERS)
def test_streams_of_l_and_d_over_three(bed, place, name):
    server = start_server(bed, place, name)
    with place.inside(place.right):
        target = bed.target(b.BothWays(SIZE))
    local, dynamic = b.free_port(), b.free_port()
    forward = ["-L", "127.0.0.1:%d:127.0.0.1:%d" % (local, target.port), "-D", "127.0.0.1:%d" % dynamic]
    adit = start_adit(bed, place, server, forward, ("-o", "AditConnections=3"))
    up(adit)
    with place.inside(place.left):
        for _ in range(3):
            assert b.exchange(local, SIZE)
            with b.connect(dynamic) as s:
                assert b.exchange_over(socks(s, target.port), SIZE)
    assert len(target.visits) == 6
    adit.signal(15)
    assert adit.wait() == 0


@pytest.mark.parametrize("name", SERVERS)
def test_r_stays_on_the_first_and_says_so(bed, place, name):
    server = start_server(bed, place, name)
    both = b.BothWays(SIZE)
    with place.inside(place.left):
        target = bed.target(both)
    port = b.free_port()
    forward = ["-R", "%d:127.0.0.1:%d" % (port, target.port)]
    adit = start_adit(bed, place, server, forward, ("-o", "AditConnections=3"))
    b.wait_listen(adit, port, place.right)
    adit.wait_line("remote port %d stays on the first connection: the server does not know" % port)
    with place.inside(place.right):
        sent = b.exchange(port, SIZE)
    b.until(lambda: both.results == [(sent, SIZE)], "the target to have all")
    assert not re.search("Connection [23] of 3", adit.err)  # it would carry nothing
