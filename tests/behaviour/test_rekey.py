"""Rekeying under load: new keys each MiB, from either side, while bytes run both ways."""

import re

import pytest

from bed import BothWays, exchange, until

MIB = 1 << 20


@pytest.mark.parametrize("server", ["aditd", "sshd"])
@pytest.mark.parametrize("kind", ["local", "remote"])
@pytest.mark.parametrize("side", ["client", "server", "both"])
def test_rekey_each_mib_under_load(bed, server, kind, side):
    both = BothWays(8 * MIB)
    target = bed.target(both)
    up = bed.server(server, **({} if side == "client" else {"RekeyLimit": "1M"}))
    args = () if side == "server" else ("-o", "RekeyLimit=1M")
    start = bed.local if kind == "local" else bed.remote
    adit, port = start(up, target.port, "-v", "-v", *args)
    sent = exchange(port, 8 * MIB)
    until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, 8 * MIB)]
    assert len(re.findall("rekeyed", adit.err)) >= 7, adit.err[-1500:]
    if server == "sshd":
        assert len(re.findall("SSH2_MSG_NEWKEYS received", up.log)) >= 8


def test_rekey_by_time_on_an_idle_connection(bed):
    adit, port = bed.local(bed.aditd(), bed.echo().port, "-v", "-v", "-o", "RekeyLimit=default 1")
    adit.wait_line("rekeyed", count=2)
    assert port
