"""What adit says of the key exchange: OpenSSH's words where the server lacks a post-quantum one."""

import pytest

from bed import ask

WARNING = [
    "** WARNING: connection is not using a post-quantum key exchange algorithm.",
    '** This session may be vulnerable to "store now, decrypt later" attacks.',
    "** The server may need to be upgraded. See https://openssh.com/pq.html",
]
OWN = "the server has a post-quantum key exchange, but this adit has none"
OLD = {"KexAlgorithms": "curve25519-sha256"}


def said(bed, server, *args):
    adit, port = bed.local(server, bed.echo().port, *args)
    assert ask(port) == b"hello"  # so it has logged in
    return adit.err.splitlines()


def test_a_server_without_one_is_named(bed):
    assert [line for line in said(bed, bed.sshd(**OLD)) if line.startswith("**")] == WARNING


def test_a_server_that_has_one_is_not_to_blame(bed):
    sshd = bed.sshd()
    assert not [line for line in said(bed, sshd) if line.startswith("**") or OWN in line]
    verbose = said(bed, sshd, "-v")
    assert [line for line in verbose if OWN in line] and not [line for line in verbose if line.startswith("**")]


@pytest.mark.parametrize("word", ["no", "no-pq-kex"])
def test_it_can_be_switched_off(bed, word):
    assert not [line for line in said(bed, bed.sshd(**OLD), "-o", "WarnWeakCrypto=" + word) if "**" in line]


def test_who_is_quiet_or_chose_hears_nothing(bed):
    sshd = bed.sshd(**OLD)
    assert said(bed, sshd, "-q") == []
    assert not [line for line in said(bed, sshd, "-o", "KexAlgorithms=curve25519-sha256") if "**" in line]
