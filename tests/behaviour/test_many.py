"""Many connections at once, and one that stands still: nobody waits for another."""

import hashlib
import re
import socket
import threading
import time

import pytest

from bed import BothWays, connect, exchange, receive_all, receive_exactly, seeded_bytes, stream_digest, until


@pytest.mark.short
@pytest.mark.parametrize("server", ["aditd", "sshd"])
@pytest.mark.parametrize("kind", ["local", "remote"])
def test_200_connections_at_once(bed, server, kind):
    echo = bed.echo()
    start = bed.local if kind == "local" else bed.remote
    _, port = start(bed.server(server), echo.port)
    visitors = [connect(port) for _ in range(200)]
    try:
        for i, s in enumerate(visitors):
            s.sendall(b"%04d" % i)
        for i, s in enumerate(visitors):
            assert receive_exactly(s, 4) == b"%04d" % i
        assert len(echo.visits) == 200  # all of them stand at once
        for s in visitors:
            s.shutdown(socket.SHUT_WR)
        for s in visitors:
            assert receive_all(s) == b""
    finally:
        for s in visitors:
            s.close()


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_a_stalled_connection_stops_nobody(bed, kind):
    """One visitor never reads; the others get everything, and memory stays bounded."""
    stalled_sent = [0]

    def serve(s):
        if s.recv(1) == b"s":
            block = b"x" * 65536
            while True:
                s.sendall(block)
                stalled_sent[0] += len(block)
        BothWays(8 << 20)(s)

    start = bed.local if kind == "local" else bed.remote
    adit, port = start(bed.aditd(), bed.target(serve).port)
    with connect(port) as stalled:
        stalled.sendall(b"s")
        last = [-1]

        def stands_still():
            was, last[0] = last[0], stalled_sent[0]
            time.sleep(0.2)
            return was == last[0] > 0

        until(stands_still, "the stalled connection to fill up")
        assert stalled_sent[0] < 64 << 20
        with connect(port) as other:
            other.sendall(b"g")
            results = {}
            reader = threading.Thread(target=lambda: results.update(got=receive_all(other)))
            reader.start()
            other.sendall(seeded_bytes(1, 1 << 20))
            other.shutdown(socket.SHUT_WR)
            reader.join(60)
            assert hashlib.sha256(results["got"]).hexdigest() == stream_digest(7, 8 << 20)
        text = open("/proc/%d/status" % adit.pid).read()
        assert int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) < 64 * 1024


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_20_bulk_streams_share_a_connection(bed, kind):
    both = BothWays(2 << 20)
    start = bed.local if kind == "local" else bed.remote
    _, port = start(bed.aditd(), bed.target(both).port)
    failed = []

    def one(number):
        try:
            exchange(port, 2 << 20, up_seed=number)
        except AssertionError as e:
            failed.append(e)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failed
    until(lambda: len(both.results) == 20, "every target to end")
    assert sorted(r[0] for r in both.results) == sorted(stream_digest(n, 2 << 20) for n in range(20))
