"""Rekeying under load: new keys each MiB, from either side, while bytes run both ways."""

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
    # A side may pass on a window's worth before it answers a KEXINIT: not every MiB has its own.
    adit.wait_line("rekeyed", count=4)
    if server == "sshd":
        up.wait_log("SSH2_MSG_NEWKEYS received", count=5)


def test_rekey_by_time_on_an_idle_connection(bed):
    adit, port = bed.local(bed.aditd(), bed.echo().port, "-v", "-v", "-o", "RekeyLimit=default 1")
    adit.wait_line("rekeyed", count=2)
    assert port
