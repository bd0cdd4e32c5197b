"""Every client with every server it can meet here: bytes both ways at once, every algorithm both
know, keys of every kind, rekeys. The peers' own logs are the witnesses; they stay in evidence/.
"""

import re
import socket

import pytest

import bed as b
from peers import forwarded, start_dropbear, start_server

CELLS = [
    ("adit", "aditd"),
    ("adit", "sshd"),
    ("adit", "dropbear"),
    ("ssh", "aditd"),
    ("dbclient", "aditd"),
    ("plink", "aditd"),
    ("paramiko", "aditd"),
]
MIB = 1 << 20
KEX = "curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521".split()
CTR = "aes128-ctr aes192-ctr aes256-ctr".split()
AEAD = "chacha20-poly1305@openssh.com aes128-gcm@openssh.com aes256-gcm@openssh.com".split()
MACS = "hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com hmac-sha2-256 hmac-sha2-512".split()
# Known to OpenSSH and to us, in whatever else they have in common; not in every combination.
MORE_KEX = ["diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha256"]
MORE_MACS = ["umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha1-etm@openssh.com",
             "umac-64@openssh.com", "umac-128@openssh.com", "hmac-sha1"]
LIMITS = {  # what a peer knows of ours; the rest of them knows it all
    "dbclient": {"Ciphers": ["chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr"], "MACs": ["hmac-sha2-256"]},
    "dropbear": {"Ciphers": ["chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr"], "MACs": ["hmac-sha2-256"]},
    "plink": {"MACs": [m for m in MACS if "256" in m]},
    "paramiko": {"Ciphers": CTR, "KexAlgorithms": [k for k in KEX if k != "curve25519-sha256"]},
}


def algorithms(peer):
    known = LIMITS.get(peer, {})
    more_kex, more_macs = (MORE_KEX, MORE_MACS) if not known else ([], [])
    table = [("KexAlgorithms", KEX, more_kex, {}), ("Ciphers", CTR + AEAD, [], {}),
             ("MACs", MACS, more_macs, {"Ciphers": "aes128-ctr"})]
    for keyword, names, more, besides in table:
        for name in known.get(keyword, names) + more:
            yield dict(besides, **{keyword: name})


def witness(process, server, name):
    """The stock peer's own log; ours where both are ours."""
    text = process.err if process.name not in ("adit",) else server.log
    b.keep_evidence(name + ".log", "$ %s\n%s" % (" ".join(process.argv), text))
    return text


def transfer(bed, place, client, server, kind, total, args=(), within_s=120):
    both = b.BothWays(total)
    process, _, visit = forwarded(bed, place, client, server, kind, both, args)
    sent = visit(total, within_s=within_s)
    b.until(lambda: both.results, "the target to see the end", within_s)
    assert both.results == [(sent, total)]
    return process


def cell(bed, place, client, name, kind, total, within_s=120):
    server = start_server(bed, place, name)
    process = transfer(bed, place, client, server, kind, total, within_s=within_s)
    log = witness(process, server, "%s-%s-%s-%dMiB" % (client, name, kind, total // MIB))
    if client in ("ssh", "plink", "paramiko"):
        assert re.search(r"(?i)remote (protocol )?(software )?version.*adit", log), log[:2000]
    if name == "sshd":
        assert re.search(r"remote software version \S*adit", log), log[:2000]
        assert "kex: algorithm: " in log
    if client == "ssh" or name == "sshd":
        assert len(re.findall("SSH2_MSG_NEWKEYS received", log)) >= 1


@pytest.mark.parametrize("kind", ["L", "R"])
@pytest.mark.parametrize("client,server", CELLS)
def test_8_mib_each_way_at_once(bed, place, client, server, kind):
    cell(bed, place, client, server, kind, 8 * MIB)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["L", "R"])
@pytest.mark.parametrize("client,server", CELLS)
def test_1_gib_each_way_at_once(bed, place, client, server, kind):
    cell(bed, place, client, server, kind, 1024 * MIB, within_s=800)


def one_algorithm(bed, place, client, name, wanted, total=300000, rekey=False):
    """The side that is ours is told to know just this one; where both are, both: not all is offered unasked."""
    args, options = [], {}
    if client == "adit":
        for keyword, value in wanted.items():
            args += ["-o", "%s=%s" % (keyword, value)]
        if rekey:
            args += ["-o", "RekeyLimit=1M"]
    if name == "aditd":
        options = dict(wanted)
        if client == "ssh" and rekey:
            args += ["-o", "RekeyLimit=1M"]
    server = start_server(bed, place, name, **options)
    process = transfer(bed, place, client, server, "L", total, args)
    what = "-".join(wanted.values()).replace("@", "_at_")
    log = witness(process, server, "%s-%s-%s" % (client, name, what))
    if client in ("ssh",) or name == "sshd":
        check_algorithms(log, wanted)
    return log


def check_algorithms(log, wanted):
    for keyword, value in wanted.items():
        if keyword == "KexAlgorithms":
            assert "kex: algorithm: %s" % value in log
        elif keyword == "Ciphers":
            assert re.search(r"kex: (client->server|server->client) cipher: %s" % re.escape(value), log), log[-3000:]
        else:
            assert re.search(r"MAC: %s" % re.escape(value), log), log[-3000:]


EACH = [(c, s, w) for c, s in CELLS for w in algorithms(c if s == "aditd" else s)]


@pytest.mark.parametrize("client,server,wanted", EACH, ids=lambda v: v if isinstance(v, str) else "+".join(v.values()))
def test_each_algorithm_that_both_know(bed, place, client, server, wanted):
    one_algorithm(bed, place, client, server, wanted)


ALL = [
    {"Ciphers": c, "MACs": m, "KexAlgorithms": k} for c in CTR for m in MACS for k in KEX
] + [{"Ciphers": c, "KexAlgorithms": k} for c in AEAD for k in KEX]


@pytest.mark.full
@pytest.mark.parametrize("wanted", ALL, ids=lambda w: "+".join(w.values()))
@pytest.mark.parametrize("client,server", [("adit", "aditd"), ("adit", "sshd"), ("ssh", "aditd")])
def test_every_combination_with_a_rekey_each_mib(bed, place, client, server, wanted):
    log = one_algorithm(bed, place, client, server, wanted, total=3 * MIB, rekey=True)
    if client == "ssh" or server == "sshd":
        assert len(re.findall("SSH2_MSG_NEWKEYS received", log)) >= 3


@pytest.mark.parametrize("who", ["host", "user"])
@pytest.mark.parametrize("kind", sorted(b.KEY_KINDS))
@pytest.mark.parametrize("client,server", [("adit", "sshd"), ("ssh", "aditd"), ("adit", "aditd"), ("plink", "aditd"), ("adit", "dropbear")])
def test_keys_of_each_kind(bed, place, client, server, kind, who):
    if server == "dropbear":
        up = start_dropbear(bed, place, kind if who == "host" else "ed25519")
    else:
        options = {"host_kinds": (kind,)} if who == "host" else {}
        up = start_server(bed, place, server, **options)
    if who == "user":
        up.user_kind = kind
    process = transfer(bed, place, client, up, "L", 10000)
    witness(process, up, "%s-%s-%s-key-%s" % (client, server, who, kind))


@pytest.mark.parametrize("kind", ["L", "R"])
@pytest.mark.parametrize("client,server", [("adit", "sshd"), ("ssh", "aditd"), ("adit", "aditd"), ("adit", "dropbear")])
def test_the_client_rekeys_each_mib(bed, place, client, server, kind):
    up = start_server(bed, place, server)
    process = transfer(bed, place, client, up, kind, 8 * MIB, ("-o", "RekeyLimit=1M"))
    log = witness(process, up, "%s-%s-%s-rekey" % (client, server, kind))
    if client == "ssh" or server == "sshd":
        assert len(re.findall("SSH2_MSG_NEWKEYS received", log)) >= 5, log[-2000:]


@pytest.mark.parametrize("client,server", [("adit", "sshd"), ("ssh", "aditd"), ("adit", "aditd"), ("dbclient", "aditd"), ("plink", "aditd")])
def test_the_server_rekeys_each_mib(bed, place, client, server):
    up = start_server(bed, place, server, RekeyLimit="1M")
    process = transfer(bed, place, client, up, "L", 8 * MIB)
    log = witness(process, up, "%s-%s-server-rekey" % (client, server))
    if client == "ssh" or server == "sshd":
        assert len(re.findall("SSH2_MSG_NEWKEYS received", log)) >= 5, log[-2000:]


@pytest.mark.parametrize("client,server", [cell for cell in CELLS if cell[0] != "paramiko"])
def test_half_close_both_ways(bed, place, client, server):
    """The visitor ends first and still gets an answer that depends on its last byte."""
    def serve(s):
        question = b.receive_all(s)
        s.sendall(b"%d bytes" % len(question))

    up = start_server(bed, place, server)
    for kind, here in (("L", place.left), ("R", place.right)):
        process, _, _ = forwarded(bed, place, client, up, kind, serve)
        port = int(re.search(r"-%s (?:127\.0\.0\.1:)?(\d+):" % kind, " ".join(process.argv)).group(1))
        with place.inside(here):
            s = b.connect(port)
        with s:
            s.sendall(b"x" * 100000)
            s.shutdown(socket.SHUT_WR)
            assert b.receive_all(s) == b"100000 bytes"


def test_ssh_says_that_it_speaks_strict_kex_and_hostbound_keys_with_us(bed, place):
    up = start_server(bed, place, "aditd")
    process = transfer(bed, place, "ssh", up, "L", 1000, ("-v", "-v"))
    assert "kex-strict-s-v00@openssh.com" in process.err
    assert "publickey-hostbound" in process.err


@pytest.mark.parametrize("kind", ["L", "R"])
@pytest.mark.parametrize("client,server", [cell for cell in CELLS if cell[0] != "paramiko"])
def test_200_connections_at_once(bed, place, client, server, kind):
    up = start_server(bed, place, server)
    process, _, _ = forwarded(bed, place, client, up, kind, b.serve_echo)
    port = int(re.search(r"-%s (?:127\.0\.0\.1:)?(\d+):" % kind, " ".join(process.argv)).group(1))
    visitors = []
    try:
        with place.inside(place.left if kind == "L" else place.right):
            visitors += [b.connect(port) for _ in range(200)]
        for i, s in enumerate(visitors):
            s.sendall(b"%04d" % i)
        for i, s in enumerate(visitors):
            assert b.receive_exactly(s, 4) == b"%04d" % i
    finally:
        for s in visitors:
            s.close()
