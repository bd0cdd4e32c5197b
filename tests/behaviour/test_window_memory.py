"""
What consumers that stall cost the process that holds their bytes: their windows, measured in memory.
Builds with sanitizers have other sizes and are not asked.
"""

import contextlib
import socket
import threading

from bed import connect, receive_digest, stream_digest, until
from line_help import over_a_long_line, serve_stream, sizes
from memory_help import data_kib, settled

MIB = 1 << 20
SLACK_KIB = 512
PROCESS_KIB = 5 * 1024  # batches in and out, and what the C library keeps (io/loop.c), however many stall


class Flood:
    """A target that sends without end, or so many bytes, and counts what was taken from it."""

    def __init__(self, most=1 << 50):
        self.most = most
        self.sent = 0
        self.lock = threading.Lock()

    def __call__(self, s):
        left = self.most
        piece = bytes(1 << 16)
        while left > 0:
            n = s.send(piece[:left])
            left -= n
            with self.lock:
                self.sent += n
        s.recv(1)  # it stays open


def stalled(flood):
    """For several round trips of the long line, as until() comes to ask every 50 ms."""
    return settled(lambda: flood.sent, 0, looks=16)


def cost_kib(process, before):
    settle = settled(lambda: data_kib(process.pid), 16, looks=16)
    return until(settle, "the memory to settle") - before


def test_a_consumer_that_stalls_costs_a_window_and_half_a_mebibyte(bed):
    count, flood = 16, Flood()
    adit, port = bed.local(bed.aditd(), bed.target(flood).port, "-o", "AditWindow=2M")
    before = data_kib(adit.pid)
    with contextlib.ExitStack() as visitors:
        for _ in range(count):
            visitors.enter_context(connect(port))
        until(stalled(flood), "the streams to stall")
        cost = cost_kib(adit, before)
    assert count * 1024 <= cost <= count * (2048 + SLACK_KIB) + PROCESS_KIB, "%d KiB" % cost


def test_a_window_that_grew_costs_what_it_grew_to(bed):
    flood = Flood()
    target = bed.target(flood)
    adit, port = over_a_long_line(bed, bed.aditd(), bed.adit, target.port, "-v", "-v", "-o", "AditWindow=12M")
    before = data_kib(adit.pid)
    with connect(port) as s:
        while sizes(adit.err)[-1:] != [12 * MIB]:
            assert s.recv(MIB)
        until(stalled(flood), "the stream to stall")
        cost = cost_kib(adit, before)
    assert 4 * 1024 <= cost <= 12 * 1024 + SLACK_KIB + PROCESS_KIB, "%d KiB" % cost


def test_a_thousand_stalled_channels_hold_the_budget_while_another_flows(bed):
    count, each, budget = 1000, 320 * 1024, 64 * MIB  # a socket's buffers take some of it
    flood = Flood(each)
    place = str(bed.folder / "stalled")
    target = bed.target(flood, backlog=count)
    stall = "%s:127.0.0.1:%d" % (place, target.port)
    flow = bed.target(serve_stream(16 * MIB))
    adit, port = bed.local(bed.aditd(), flow.port, "-L", stall, "-o", "AditWindow=64M 64M")
    before = data_kib(adit.pid)
    with contextlib.ExitStack() as visitors:
        for _ in range(count):
            s = visitors.enter_context(socket.socket(socket.AF_UNIX))
            s.connect(place)
        until(lambda: len(target.visits) == count, "all visitors to reach the target")
        until(stalled(flood), "the streams to stall")
        cost = cost_kib(adit, before)
        with connect(port) as s:
            s.settimeout(60)
            assert receive_digest(s) == (stream_digest(7, 16 * MIB), 16 * MIB)
        after = cost_kib(adit, before)
    most = budget // 1024 + count + SLACK_KIB + PROCESS_KIB
    assert 16 * 1024 <= cost <= most and after <= most, "%d and %d KiB" % (cost, after)
