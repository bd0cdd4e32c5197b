"""Compression: zlib@openssh.com from the login on, with stock peers, across new keys."""

import pytest

from bed import IS_ROOT, BothWays, Server, connect, exchange, free_port, receive_exactly, until, wait_listen
from peers import CLIENTS, Place, start_dropbear

MIB = 1 << 20
AGREED = r"compression: zlib@openssh.com"


def zeros_through(bed, server, client, *args):
    """A MiB of zeros to an echo and back: bytes that passed the wire in both directions."""
    relay = bed.relay(server.port)
    process, port = bed.local(server, bed.echo().port, "-v", *args, client=client, port=relay.port)
    s = connect(port)
    s.sendall(b"x")
    receive_exactly(s, 1)
    before = relay.passed
    s.sendall(bytes(MIB))
    assert receive_exactly(s, MIB) == bytes(MIB)
    return process, relay.passed - before


def both_ways(bed, server, client, *args, total=8 * MIB):
    both = BothWays(total)
    target = bed.target(both)
    process, port = bed.local(server, target.port, "-v", *args, client=client)
    sent = exchange(port, total)
    until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, total)]
    return process


PAIRS = [("ssh", "aditd"), ("adit", "aditd"), ("adit", "sshd")]


@pytest.mark.parametrize("client, server", PAIRS)
def test_zeros_shrink(bed, client, server):
    process, passed = zeros_through(bed, bed.server(server), getattr(bed, client), "-C")
    process.wait_line(AGREED, count=2)
    assert passed < MIB // 10


def test_nothing_is_compressed_unasked(bed):
    process, passed = zeros_through(bed, bed.sshd(), bed.adit)
    process.wait_line("compression: none", count=2)
    assert passed > 2 * MIB


@pytest.mark.parametrize("server", ["aditd", "sshd"])
def test_adits_compressed_streams_survive_new_keys(bed, server):
    process = both_ways(bed, bed.server(server), bed.adit, "-o", "Compression=yes", "-o", "RekeyLimit=1M")
    process.wait_line(AGREED, count=6)


@pytest.mark.skipif(not IS_ROOT, reason="dropbear needs a home of its own, which needs root")
def test_dropbear_and_adit_compress(bed):
    server = start_dropbear(bed, Place())
    process = both_ways(bed, server, bed.adit, "-C", "-o", "RekeyLimit=1M", total=4 * MIB)
    process.wait_line(AGREED, count=4)


@pytest.mark.parametrize("said", ["yes", "delayed"])
def test_compressed_streams_survive_new_keys(bed, said):
    server = bed.aditd(Compression=said, RekeyLimit="1M")
    process = both_ways(bed, server, bed.ssh, "-C", "-o", "RekeyLimit=1M")
    process.wait_line(AGREED, count=6)


def test_a_server_that_says_no_compresses_nothing(bed):
    process, passed = zeros_through(bed, bed.aditd(Compression="no"), bed.ssh, "-C")
    process.wait_line("compression: none")
    assert "zlib" not in "".join(line for line in process.err.splitlines() if "compression:" in line)
    assert passed > 2 * MIB


@pytest.mark.parametrize("client, args", [("plink", ["-C"]), ("dbclient", [])])
def test_clients_of_other_people_compress_with_aditd(bed, client, args):
    """What goes each way fits into far fewer bytes on the wire; dbclient does so unasked."""
    server = bed.aditd()
    relay = bed.relay(server.port)
    relayed = Server(server.process, relay.port, server.host_kind, "aditd")
    port = free_port()
    forward = ["-L", "%s%d:127.0.0.1:%d" % ("" if client == "dbclient" else "127.0.0.1:", port, bed.echo().port)]
    process = CLIENTS[client](bed, Place(), relayed, forward, args)
    wait_listen(process, port)
    s = connect(port)
    s.sendall(b"x")
    receive_exactly(s, 1)
    before = relay.passed
    s.sendall(bytes(MIB))
    assert receive_exactly(s, MIB) == bytes(MIB)
    assert relay.passed - before < MIB // 4
