"""Tun devices between `-w` of ssh and adit and sshd and aditd, across two network namespaces. Root only.

    left (client) 10.83.N.1 ---- veth ---- 10.83.N.2 right (server)
    left 10.84.7.1 ---- tun or tap, through the connection ---- 10.84.7.2 right
"""

import subprocess

import pytest

import bed as b
from bed import until
from peers import Place, start_server

LEFT, RIGHT = "10.84.7.1", "10.84.7.2"
MIB = 1 << 20


@pytest.fixture
def place(two_hosts):
    p = Place(two_hosts)
    p.hosts = two_hosts
    return p


def client_w(bed, place, server, *options, program="/usr/bin/ssh"):
    argv = [program, "-v", "-N"] + list(options) + bed.client_options(server) + [bed.login(server)]
    return bed.run(argv, netns=place.left)


def has_device(place, netns, name):
    done = subprocess.run(["ip", "-n", netns, "link", "show", "dev", name], capture_output=True)
    return done.returncode == 0


def bring_up(place, name, other):
    for netns, device, own in ((place.left, name, LEFT), (place.right, other, RIGHT)):
        until(lambda: has_device(place, netns, device), "the device %s in %s" % (device, netns))
        place.hosts.ip(netns, "addr", "add", own + "/30", "dev", device)
        place.hosts.ip(netns, "link", "set", device, "up")


@pytest.mark.parametrize("mode, units, names", [
    ("point-to-point", "3:4", ("tun3", "tun4")),
    ("ethernet", "3:4", ("tap3", "tap4")),
    ("point-to-point", "any:any", ("tun0", "tun0")),
])
@pytest.mark.parametrize("client, name", [("/usr/bin/ssh", "aditd"), (b.ADIT, "aditd"), (b.ADIT, "sshd")])
def test_packets_go_both_ways_through_a_device(bed, place, client, name, mode, units, names):
    server = start_server(bed, place, name, PermitTunnel="yes")
    process = client_w(bed, place, server, "-o", "Tunnel=" + mode, "-w", units, program=client)
    bring_up(place, *names)
    with place.inside(place.right):
        both = b.BothWays(2 * MIB)
        target = bed.target(both, address=RIGHT)
    with place.inside(place.left):
        sent = b.exchange((RIGHT, target.port), 2 * MIB)
    until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, 2 * MIB)]
    process.stop()
    for netns, device in ((place.left, names[0]), (place.right, names[1])):
        until(lambda: not has_device(place, netns, device), "the device %s to go with the connection" % device)


@pytest.mark.parametrize("name", ["aditd", "sshd"])
def test_adit_says_that_the_server_refused_and_ends_if_asked_to(bed, place, name):
    server = start_server(bed, place, name, PermitTunnel="no")
    adit = client_w(bed, place, server, "-w", "5:5", "-o", "ExitOnForwardFailure=yes", program=b.ADIT)
    assert adit.wait() == 255
    assert "Tunnel forwarding failed" in adit.err and "PermitTunnel" in adit.err
    assert not has_device(place, place.left, "tun5")


def test_a_device_that_is_taken_is_said_and_the_connection_stays(bed, place):
    server = start_server(bed, place, "aditd", PermitTunnel="yes")
    first = client_w(bed, place, server, "-w", "6:6", program=b.ADIT)
    first.wait_line("tunnel forward established: tun6")
    second = client_w(bed, place, server, "-w", "6:7", program=b.ADIT)
    second.wait_line("Tunnel device open failed: Device or resource busy")
    second.wait_line("Could not request tunnel forwarding.")
    assert second.is_alive()
    third = client_w(bed, place, server, "-w", "6:7", "-o", "ExitOnForwardFailure=yes", program=b.ADIT)
    assert third.wait() == 255


@pytest.mark.parametrize("permit, mode", [("no", "point-to-point"), ("ethernet", "point-to-point"), ("point-to-point", "ethernet")])
def test_a_mode_that_is_not_permitted_is_refused(bed, place, permit, mode):
    server = start_server(bed, place, "aditd", PermitTunnel=permit)
    ssh = client_w(bed, place, server, "-o", "Tunnel=" + mode, "-w", "5:5", "-o", "ExitOnForwardFailure=yes")
    ssh.wait_line("administratively prohibited")
    assert not has_device(place, place.right, "tun5") and not has_device(place, place.right, "tap5")
    ssh.stop()
