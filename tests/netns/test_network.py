"""A network between the two ends that fails as networks do. Root only.

    left (adit) 10.83.N.1 ---- veth ---- 10.83.N.2 right (aditd)

tc and the link's own switch make the faults.
"""

import re
import subprocess

import pytest

import bed as b
from bed import BothWays, listening, until
from peers import Place, forwarded, start_server

MIB = 1 << 20


@pytest.fixture
def place(two_hosts):
    p = Place(two_hosts)
    p.hosts = two_hosts
    return p


def test_a_link_that_is_cut_is_noticed_on_both_sides(bed, place):
    """No packet arrives any more, and nobody says goodbye."""
    server = start_server(bed, place, "aditd", ClientAliveInterval="1", ClientAliveCountMax="2")
    adit, _, _ = forwarded(
        bed, place, "adit", server, "R", b.serve_echo, ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2")
    )
    port = int(re.search(r"-R (\d+):", " ".join(adit.argv)).group(1))
    place.hosts.ip(place.left, "link", "set", "wire", "down")
    assert adit.wait(20) == 255
    assert "Timeout, server" in adit.err
    until(lambda: not listening(port, place.right), "the server's port to be free again", 20)


def test_a_link_that_comes_back_in_time_harms_nobody(bed, place):
    server = start_server(bed, place, "aditd")
    both = BothWays(4 * MIB)
    adit, _, visit = forwarded(bed, place, "adit", server, "L", both)
    place.hosts.ip(place.left, "link", "set", "wire", "down")
    place.hosts.ip(place.left, "link", "set", "wire", "up")
    sent = visit(4 * MIB)
    until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, 4 * MIB)] and adit.is_alive()


@pytest.mark.parametrize("mtu", ["576", "1280", "9000"])
def test_any_mtu_will_do(bed, place, mtu):
    for name in (place.left, place.right):
        place.hosts.ip(name, "link", "set", "wire", "mtu", mtu)
    server = start_server(bed, place, "aditd")
    both = BothWays(2 * MIB)
    _, _, visit = forwarded(bed, place, "adit", server, "R", both)
    sent = visit(2 * MIB)
    until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, 2 * MIB)]


@pytest.mark.parametrize("words", [("limit", "2000", "delay", "30ms"), ("loss", "2%"), ("delay", "5ms", "reorder", "25%")], ids=" ".join)
def test_delay_loss_and_disorder_change_no_byte(bed, place, words):
    done = subprocess.run(
        ["tc", "-n", place.left, "qdisc", "replace", "dev", "wire", "root", "netem"] + list(words), capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip("this kernel has no netem")
    server = start_server(bed, place, "aditd")
    both = BothWays(MIB)
    _, _, visit = forwarded(bed, place, "adit", server, "L", both)
    sent = visit(MIB)
    until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, MIB)]


def test_the_visitors_real_address_is_told_to_the_client(bed, place):
    """forwarded-tcpip carries who came: with GatewayPorts yes a visitor from the other host."""
    server = start_server(bed, place, "aditd", GatewayPorts="yes")
    adit, target, _ = forwarded(bed, place, "ssh", server, "R", b.serve_echo, ("-v",))
    port = int(re.search(r"-R (\d+):", " ".join(adit.argv)).group(1))
    with place.inside(place.left):
        assert b.ask((place.address, port)) == b"hello"
    adit.wait_line("originator %s port" % re.escape(place.hosts.left_address))
    assert target.visits
