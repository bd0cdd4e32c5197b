"""
What an idle connection costs the server: PSS of all its processes, so that pages count where they
are used and shared ones in parts. Builds with sanitizers have other sizes and are not asked.
"""

import paramiko
import pytest

import login_help
from bed import connect, descendants_of, name_of, until
from memory_help import pss_kib, settled

FIRST, LAST = 10, 200  # as the promise says: over fewer, a heap's last step weighs as much as some connections
KIB_USER, KIB_OWN_PROCESS, KIB_PRE_AUTH = 64, 512, 8 * 1024


def processes(server):
    return [server.pid] + descendants_of(server.pid)


def pss_at_rest(server):
    """Of the processes that someone who is logged in needs, once two looks agree."""

    def look():
        needed = [pid for pid in processes(server) if name_of(pid) not in ("aditd-pre", "aditd-authz")]
        return sum(pss_kib(pid) for pid in needed)

    return until(settled(look, 16), "the processes' memory to settle")


class Clients:
    """Idle connections, each with a key of its own where there is more than one key."""

    def __init__(self, bed, server, keys):
        self.bed, self.keys, self.count = bed, keys, 0
        self.options = bed.client_options(server)
        self.options = [word for word in self.options if word != bed.keys.user()]
        self.options.remove("-i")
        self.login = bed.login(server)

    def up_to(self, count):
        started = []
        while self.count < count:
            argv = ["/usr/bin/ssh"] + self.options + ["-v", "-N", "-i", str(self.keys[self.count % len(self.keys)])]
            started.append(self.bed.run(argv + [self.login]))
            self.count += 1
            if len(started) == 5:
                self.wait(started)
        self.wait(started)

    def wait(self, started):
        while started:
            started.pop().wait_line("Authenticated to ")


def restricted_keys(bed, count):
    """Keys that trust each other no further than restrict says, and a file that lets them in."""
    keys = [login_help.make_key(bed, "key%d" % i) for i in range(count)]
    lines = ["restrict,port-forwarding " + login_help.public(key) for key in keys]
    return keys, bed.write("restricted", "\n".join(lines) + "\n")


@pytest.mark.parametrize("isolation, most_kib", [("user", KIB_USER), ("key", KIB_OWN_PROCESS), ("connection", KIB_OWN_PROCESS)])
def test_an_idle_connection_costs_no_more_than_was_promised(bed, isolation, most_kib):
    keys, authorized = [bed.keys.user()], bed.keys.authorized
    if isolation == "key":
        keys, authorized = restricted_keys(bed, LAST)
    server = bed.aditd(Isolation=isolation, AuthorizedKeysFile=authorized)
    clients = Clients(bed, server, keys)
    clients.up_to(FIRST)
    before = pss_at_rest(server)
    clients.up_to(LAST)
    each = (pss_at_rest(server) - before) / (LAST - FIRST)
    workers = len([pid for pid in processes(server) if name_of(pid) == "aditd-work"])
    assert workers > LAST if isolation != "user" else workers < FIRST
    assert each <= most_kib, "%.1f KiB a connection" % each


def test_a_process_before_authentication_is_small(bed):
    server = bed.aditd()
    silent = connect(server.port)
    keyed = paramiko.Transport(connect(server.port))
    with silent, keyed:
        silent.recv(255)
        keyed.start_client(timeout=20)
        sizes = [pss_kib(pid) for pid in processes(server) if name_of(pid) == "aditd-pre"]
        assert len(sizes) >= 3  # their zygote is one of them
        assert max(sizes) <= KIB_PRE_AUTH, sizes
