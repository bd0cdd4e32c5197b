"""Tun devices between stock `ssh -w` and aditd, across two network namespaces. Root only.

    left (ssh -w) 10.83.N.1 ---- veth ---- 10.83.N.2 right (aditd)
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


def ssh_w(bed, place, server, *options):
    argv = ["/usr/bin/ssh", "-v", "-N"] + list(options) + bed.client_options(server) + [bed.login(server)]
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
def test_packets_go_both_ways_through_a_device(bed, place, mode, units, names):
    server = start_server(bed, place, "aditd", PermitTunnel="yes")
    ssh = ssh_w(bed, place, server, "-o", "Tunnel=" + mode, "-w", units)
    bring_up(place, *names)
    with place.inside(place.right):
        both = b.BothWays(2 * MIB)
        target = bed.target(both, address=RIGHT)
    with place.inside(place.left):
        sent = b.exchange((RIGHT, target.port), 2 * MIB)
    until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, 2 * MIB)]
    ssh.stop()
    until(lambda: not has_device(place, place.right, names[1]), "the server's device to go with the connection")


@pytest.mark.parametrize("permit, mode", [("no", "point-to-point"), ("ethernet", "point-to-point"), ("point-to-point", "ethernet")])
def test_a_mode_that_is_not_permitted_is_refused(bed, place, permit, mode):
    server = start_server(bed, place, "aditd", PermitTunnel=permit)
    ssh = ssh_w(bed, place, server, "-o", "Tunnel=" + mode, "-w", "5:5", "-o", "ExitOnForwardFailure=yes")
    ssh.wait_line("administratively prohibited")
    assert not has_device(place, place.right, "tun5") and not has_device(place, place.right, "tap5")
    ssh.stop()
