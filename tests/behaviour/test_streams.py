"""No byte lost, changed, reordered or doubled in a stream that ends cleanly, and no cut that looks clean.

Streams of any length go both ways at once, each with its digest and its length at the end, through a
line that delays and hands out pieces of random size, while keys are changed each MiB. Then the same
with cuts, flipped bytes and stalls: each end sees all and a clean end, or an error.

ADIT_STREAMS: how many whole streams in all ("make soak"); ADIT_SEED: to have a failure again.
"""

import hashlib
import itertools
import os
import random
import re
import socket
import struct
import threading

import pytest

import bed as b
from bed import connect, free_port, seeded_bytes, until, wait_listen

pytestmark = pytest.mark.short

STREAMS = int(os.environ.get("ADIT_STREAMS", 1200))
SEED = int(os.environ.get("ADIT_SEED", random.SystemRandom().randrange(1 << 32)))
LONGEST = 8 << 20
AT_ONCE = 6
TRAILER = struct.Struct(">32sQ")
PAIRS = [("adit", "aditd"), ("adit", "sshd"), ("ssh", "aditd")]
CELLS = [(client, server, kind) for client, server in PAIRS for kind in ("L", "R")]
BLOCK = seeded_bytes(3, LONGEST + 65536)  # a stream is a part of it, from a place of its own
RELAY = str(b.BUILD / "bench" / "relay")


class Short(AssertionError):
    """The stream ended as if it were whole, and was not."""


def send(s, dice):
    """A stream of log-uniform length, 0 included, its trailer and its end."""
    length = int(2 ** dice.uniform(0, 23)) - 1
    start = dice.randrange(65536)
    body = memoryview(BLOCK)[start:start + length]
    with_pieces = dice.random() < 0.5
    at = 0
    while at < length:
        size = int(2 ** dice.uniform(0, 20)) if with_pieces else length
        s.sendall(body[at:at + size])
        at += size
    s.sendall(TRAILER.pack(hashlib.sha256(body).digest(), length))
    s.shutdown(socket.SHUT_WR)


def receive(s):
    """The length of a whole stream. Short: it ended cleanly and was not whole."""
    digest, tail, length = hashlib.sha256(), b"", 0
    while True:
        piece = s.recv(1 << 18)
        if not piece:
            break
        tail += piece
        body, tail = tail[:-TRAILER.size], tail[-TRAILER.size:]
        digest.update(body)
        length += len(body)
    if len(tail) != TRAILER.size or TRAILER.unpack(tail) != (digest.digest(), length):
        raise Short("a clean end after %d bytes that are no whole stream" % (length + len(tail)))
    return length


def both_ways(s, dice):
    """Sends and receives at once: the length of what came, or the error that ended it.

    The kernel tells a reset once, to whoever asks first: what sending met counts for receiving, too.
    """
    box = {}

    def read():
        try:
            box["got"] = receive(s)
        except (OSError, Short) as e:
            box["got"] = e

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    failure = None
    try:
        send(s, dice)
    except OSError as e:
        failure = e
    reader.join(120)
    got = box.get("got", b.Timeout("a stream neither ended nor failed"))
    return failure if failure and isinstance(got, Short) else got


class Ends:
    """What both ends of every connection saw."""

    def __init__(self, seed):
        self.seed = seed
        self.number = itertools.count()
        self.at_target, self.at_visitor = [], []

    def serve(self, s):
        s.settimeout(60)
        self.at_target.append(both_ways(s, random.Random("%d target %d" % (self.seed, next(self.number)))))

    def visit(self, port, number):
        try:
            with connect(port) as s:
                s.settimeout(60)
                self.at_visitor.append(both_ways(s, random.Random("%d visitor %d" % (self.seed, number))))
        except OSError as e:  # turned away: the connection under it is gone
            self.at_visitor.append(e)

    def visit_many(self, port, count):
        left = iter(range(count))
        lock = threading.Lock()

        def work():
            while True:
                with lock:
                    number = next(left, None)
                if number is None:
                    return
                self.visit(port, number)

        workers = [threading.Thread(target=work, daemon=True) for _ in range(min(AT_ONCE, count))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(600)
            assert not worker.is_alive(), "a visitor hangs (ADIT_SEED=%d)" % self.seed


def lay(bed, to_port, *faults):
    """bench/relay in front of to_port; its process and its port."""
    port = free_port()
    process = bed.run([RELAY, "127.0.0.1:%d" % port, "127.0.0.1:%d" % to_port] + list(faults), name="relay")
    wait_listen(process, port)
    return process, port


def start(bed, client, up, kind, target_port):
    run = bed.adit if client == "adit" else bed.ssh
    forward = bed.local if kind == "L" else bed.remote
    return forward(up, target_port, "-o", "RekeyLimit=1M", "-o", "ExitOnForwardFailure=yes", client=run)


@pytest.mark.parametrize("client,server,kind", CELLS)
def test_every_stream_comes_whole(bed, client, server, kind):
    ends = Ends(SEED)
    target = bed.target(ends.serve)
    up = bed.server(server, RekeyLimit="1M")
    _, up.port = lay(bed, up.port, "delay=2", "pieces=65536", "seed=%d" % SEED)
    _, port = start(bed, client, up, kind, target.port)
    count = max(STREAMS // (2 * len(CELLS)), AT_ONCE)  # each visit is two streams
    ends.visit_many(port, count)
    until(lambda: len(ends.at_target) == count, "the targets to have their ends")
    bad = [end for end in ends.at_target + ends.at_visitor if not isinstance(end, int)]
    assert not bad, "%d of %d ends (ADIT_SEED=%d): %s" % (len(bad), 2 * count, SEED, bad[:5])


FAULTS = {
    "cut": ["cut=any:%d"],
    "flip": ["flip=any:%d"],
    "stall": ["stall=any:%d:1500"],
}


def check_ends(ends, count, may_be_short, seed, faults):
    """Ends that are ours say what happened; a stock program's may end as it likes when it is cut."""
    for name, got in (("target", ends.at_target), ("visitor", ends.at_visitor)):
        wrong = [end for end in got if isinstance(end, b.Timeout)]
        if name not in may_be_short:
            wrong += [end for end in got if isinstance(end, Short)]
        assert not wrong, "at the %s (ADIT_SEED=%d, %s): %s" % (name, seed, faults, wrong)
    assert len(ends.at_visitor) == count


def stock_ends(client, server, kind):
    """Which ends of the streams are a stock program's sockets."""
    at_client, at_server = ("visitor", "target") if kind == "L" else ("target", "visitor")
    return {"adit": set(), "ssh": {at_client}}[client] | {"aditd": set(), "sshd": {at_server}}[server]


HAPPENED = {"cut": "reset (up|down)", "flip": "flipped (up|down)", "stall": "stalled (up|down)"}


def meet_fault(bed, client, server, kind, fault, up, true_port, seed):
    """One SSH connection with one fault drawn for it; whether it happened before all was through."""
    dice = random.Random("%d %s" % (seed, fault))
    words = [word % int(2 ** dice.uniform(13, 23)) for word in FAULTS[fault]]
    words += ["pieces=65536", "seed=%d" % seed]
    ends = Ends(seed)
    target = bed.target(ends.serve)
    relay, up.port = lay(bed, true_port, *words)

    def happened():
        return re.search(HAPPENED[fault], relay.err) is not None

    try:
        process, port = start(bed, client, up, kind, target.port)
    except b.Timeout:
        raise
    except AssertionError:  # it met the login, and who logs in ended with a status that says so
        assert happened() and fault != "stall", "the login failed (ADIT_SEED=%d, %s)" % (seed, words)
        return True
    ends.visit_many(port, AT_ONCE)
    until(lambda: len(ends.at_target) == len(target.visits), "the targets to have their ends")
    hit = happened()
    all_ends = ends.at_target + ends.at_visitor
    if hit and fault != "stall":
        assert process.wait() != 0, "the client says that all is well (ADIT_SEED=%d, %s)" % (seed, words)
        check_ends(ends, AT_ONCE, stock_ends(client, server, kind), seed, words)
    else:
        bad = [end for end in all_ends if not isinstance(end, int)]
        assert not bad, "without a fault (ADIT_SEED=%d, %s): %s" % (seed, words, bad)
        assert len(all_ends) == 2 * AT_ONCE
    process.stop()
    relay.stop()
    return hit


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("client,server,kind", CELLS)
def test_a_fault_on_the_line_never_looks_like_an_end(bed, client, server, kind, fault):
    """The fault's byte is drawn anew each time: in the login sometimes, mostly in the streams."""
    up = bed.server(server, RekeyLimit="1M")
    true_port, wanted, hits = up.port, max(2, STREAMS // 600), 0
    for number in range(8 * wanted):  # some are drawn behind the last byte that passes
        hits += meet_fault(bed, client, server, kind, fault, up, true_port, SEED + number)
        if hits == wanted:
            return
    raise AssertionError("%d faults happened in %d tries (ADIT_SEED=%d)" % (hits, 8 * wanted, SEED))
