"""
A hundred busy tunnels while their supervisor goes and another comes: none is cut, and each makes
new keys through the new one.
"""

import os
import signal
import threading

import pytest

from bed import ask, children_of, connect, name_of, serving, state_of, until

TUNNELS = 100
PIECE = bytes(range(256)) * 64  # 16 KiB


class Busy(threading.Thread):
    """Sends pieces through a tunnel to an echo and compares what comes back, until it is told to stop."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.stop, self.bytes, self.error = port, threading.Event(), 0, None
        self.start()

    def run(self):
        try:
            with connect(self.port) as s:
                s.settimeout(60)
                while not self.stop.is_set():
                    s.sendall(PIECE)
                    left = len(PIECE)
                    got = b""
                    while left:
                        piece = s.recv(left)
                        if not piece:
                            raise EOFError("the stream ended")
                        got += piece
                        left -= len(piece)
                    assert got == PIECE, "other bytes came back"
                    self.bytes += len(PIECE)
        except Exception as e:  # noqa: BLE001 - whatever it is, it is the finding
            self.error = e


def keys_made(adit):
    return adit.err.count("NEWKEYS received")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_hundred_busy_tunnels_do_not_notice(bed, number):
    server = bed.aditd(RekeyLimit="1M", MaxStartups="200", LogLevel="VERBOSE")
    echo = bed.echo()
    tunnels = [bed.local(server, echo.port, "-v") for _ in range(TUNNELS)]
    for adit, port in tunnels:
        assert adit.is_alive(), (adit.err, server.log[-2000:])
        assert ask(port) == b"hello"
    workers = [pid for pid in serving(server.pid) if name_of(pid) == "aditd-work"]
    signer = [pid for pid in children_of(server.pid) if name_of(pid) == "aditd-sign"]
    bed.at_end(lambda: [os.kill(pid, signal.SIGKILL) for pid in workers + signer if state_of(pid) not in (None, "Z")])
    busy = [Busy(port) for _, port in tunnels]
    until(lambda: min(b.bytes for b in busy) > len(PIECE), "all to be busy", within_s=60)
    server.process.signal(number)
    server.process.popen.wait(10)
    again = bed.run(server.process.argv)
    until(lambda: again.err.count(" goes on\n") >= TUNNELS, lambda: "all tunnels: " + again.err[-500:], within_s=60)
    before = [keys_made(adit) for adit, _ in tunnels]
    until(
        lambda: all(keys_made(adit) > n for (adit, _), n in zip(tunnels, before)) or any(b.error for b in busy),
        lambda: "new keys in each: %d have them" % sum(keys_made(a) > n for (a, _), n in zip(tunnels, before)),
        within_s=120,
    )
    for b in busy:
        b.stop.set()
    for b in busy:
        b.join(60)
    assert [str(b.error) for b in busy if b.error] == []
    assert all(adit.is_alive() for adit, _ in tunnels)
