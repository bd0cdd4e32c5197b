"""One direction ends, the other goes on: a shutdown is carried, and only a shutdown."""

import socket

import pytest

from bed import connect, receive_all, seeded_bytes, until

pytestmark = pytest.mark.short
CELLS = [(server, kind) for server in ("aditd", "sshd") for kind in ("local", "remote")]


def start(bed, server, kind, serve):
    target = bed.target(serve)
    forward = bed.local if kind == "local" else bed.remote
    return forward(bed.server(server), target.port)[1]


@pytest.mark.parametrize("server,kind", CELLS)
def test_the_visitor_ends_first_and_still_gets_the_answer(bed, server, kind):
    answer = seeded_bytes(5, 1 << 20)

    def serve(s):
        assert receive_all(s) == b"question"  # comes back only when the visitor's side has ended
        s.sendall(answer)

    with connect(start(bed, server, kind, serve)) as s:
        s.sendall(b"question")
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == answer


@pytest.mark.parametrize("server,kind", CELLS)
def test_the_target_ends_first_and_still_gets_the_rest(bed, server, kind):
    rest, got = seeded_bytes(6, 1 << 20), []

    def serve(s):
        s.sendall(b"bye")
        s.shutdown(socket.SHUT_WR)
        got.append(receive_all(s))

    with connect(start(bed, server, kind, serve)) as s:
        assert receive_all(s) == b"bye"
        s.sendall(rest)
        s.shutdown(socket.SHUT_WR)
        until(lambda: got, "the target to get the rest")
    assert got == [rest]


def test_an_empty_connection_is_carried_too(bed):
    seen = []
    port = start(bed, "aditd", "local", lambda s: seen.append(receive_all(s)))
    with connect(port) as s:
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == b""
    until(lambda: seen == [b""], "the target to see the end")
