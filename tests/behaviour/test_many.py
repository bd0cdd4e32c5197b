"""Many connections at once, and one that stands still: nobody waits for another."""

import contextlib
import hashlib
import os
import pathlib
import re
import resource
import socket
import threading
import time

import pytest

from bed import ROOT, BothWays, connect, descendants_of, exchange, free_port, name_of, receive_all
from bed import receive_exactly, seeded_bytes, stream_digest, until, wait_listen
from memory_help import settled


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


# ---- thousands ----

SPARE = 200  # descriptors beside those of the channels


@contextlib.contextmanager
def descriptors(count):
    """As many for this process and those that it starts; skips where they cannot be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + SPARE:
        pytest.skip("at most %d descriptors may be open here" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + SPARE), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def private_kib(pid):
    text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
    return sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.M))


def busy_ns(pids):
    """How long they were on a processor."""
    return sum(int(pathlib.Path("/proc/%d/schedstat" % pid).read_text().split()[0]) for pid in pids)


def open_fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def open_fds_at_rest(pid):
    """The last visitor's may still be there when he has read his end."""
    return until(settled(lambda: open_fds(pid), 0, looks=16), "the descriptors of %d to stay" % pid)


def crowd(bed):
    port = free_port()
    process = bed.run(["/usr/bin/python3", ROOT / "tests" / "crowd_help.py", port], name="crowd")
    wait_listen(process, port)
    return port


def tunnel(bed):
    """adit -L to a crowd's port: (its pid, the worker's, the port that listens)."""
    server = bed.aditd()
    adit, port = bed.local(server, crowd(bed))
    cycle(port)
    [worker] = [pid for pid in descendants_of(server.pid) if name_of(pid) == "aditd-work" and has_sockets(pid)]
    return adit.pid, worker, port


def has_sockets(pid):
    """Zygotes have only the two ends of their messages."""
    return sum("socket:" in os.readlink(f) for f in pathlib.Path("/proc/%d/fd" % pid).iterdir()) > 2


def cycle(port):
    with connect(port) as s:
        s.sendall(b"hello")
        assert receive_exactly(s, 5) == b"hello"
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == b""


def cost_of_a_round_trip(s, pids, rounds=500):
    before = busy_ns(pids)
    for _ in range(rounds):
        s.sendall(b"x")
        assert s.recv(1) == b"x"
    return (busy_ns(pids) - before) / rounds


def at_rest(pid):
    return until(settled(lambda: private_kib(pid), 4), "the memory of %d to settle" % pid)


@pytest.mark.parametrize("count", [1000, pytest.param(10000, marks=pytest.mark.full)])
def test_idle_channels_cost_a_kilobyte_each_and_no_time(bed, count):
    with descriptors(count), contextlib.ExitStack() as visitors:
        adit, worker, port = tunnel(bed)
        active = visitors.enter_context(connect(port))
        alone = min(cost_of_a_round_trip(active, [adit, worker]) for _ in range(5))
        fds = [open_fds_at_rest(pid) for pid in (adit, worker)]
        idle = []

        def up_to(n):
            while len(idle) < n:
                idle.append(visitors.enter_context(connect(port)))
                idle[-1].sendall(b"i")
                assert receive_exactly(idle[-1], 1) == b"i"
            return [at_rest(pid) for pid in (adit, worker)]

        before = up_to(count // 10)  # the heap has its first steps behind it
        after = up_to(count)
        assert [open_fds(pid) for pid in (adit, worker)] == [n + count for n in fds]
        each = [(b - a) / (count - count // 10) for a, b in zip(before, after)]
        assert max(each) <= 1, "KiB a channel: %.2f of adit, %.2f of aditd-work" % tuple(each)
        quiet, began = busy_ns([adit, worker]), time.monotonic()
        time.sleep(2)  # what is looked at is that nothing happens meanwhile
        assert busy_ns([adit, worker]) - quiet <= 0.01e9 * (time.monotonic() - began)
        among_many = min(cost_of_a_round_trip(active, [adit, worker]) for _ in range(5))
        # Caches and neighbours change it by half; a walk over the channels would be many times that.
        assert among_many <= 2.5 * alone, "%.1f us alone, %.1f us among many" % (alone / 1e3, among_many / 1e3)
        for s in idle:
            s.close()
        for pid, n in zip((adit, worker), fds):
            until(lambda: open_fds(pid) == n, lambda: "%s to close what it opened: %d" % (name_of(pid), open_fds(pid)))


@pytest.mark.parametrize("cycles", [3000, pytest.param(100000, marks=pytest.mark.full)])
def test_channels_that_come_and_go_leave_nothing(bed, cycles):
    adit, worker, port = tunnel(bed)
    fds = [open_fds_at_rest(pid) for pid in (adit, worker)]
    for _ in range(cycles // 10):
        cycle(port)
    before = [at_rest(pid) for pid in (adit, worker)]
    for _ in range(cycles - cycles // 10):
        cycle(port)
    for pid, n, kib in zip((adit, worker), fds, before):
        until(lambda: open_fds(pid) == n, lambda: "%s to close what it opened: %d" % (name_of(pid), open_fds(pid)))
        assert at_rest(pid) - kib <= 1024, name_of(pid)


@pytest.mark.full
def test_a_thousand_idle_clients(bed):
    """On workers that they share, each probing every 15 s."""
    count = 1000
    with descriptors(4 * count):
        server = bed.aditd(Isolation="user", MaxStartups="100", ClientAliveInterval="15")
        processes = lambda: [server.pid] + descendants_of(server.pid)
        for n in range(0, count, 5):
            batch = [bed.adit(server, "-v", "-o", "ServerAliveInterval=15") for _ in range(5)]
            for process in batch:
                process.wait_line("Authenticated to ")
        look = lambda: sum(private_kib(pid) for pid in processes())
        assert until(settled(look, 64), "the processes' memory to settle") <= 128 * 1024
        busy, began = busy_ns(processes()), time.monotonic()
        time.sleep(30)  # two probes of each
        assert busy_ns(processes()) - busy <= 0.05e9 * (time.monotonic() - began)
