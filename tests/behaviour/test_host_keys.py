"""Host keys of aditd beyond a file with a private key: certificates, an agent's, and old algorithms by name."""

import os
import pathlib
import re
import subprocess

import pytest

from bed import IS_ROOT, descendants_of, until

pytestmark = pytest.mark.short


def keygen(*words):
    subprocess.run(["ssh-keygen", "-q"] + list(map(str, words)), check=True, stdin=subprocess.DEVNULL)


def make_key(bed, name, kind="ed25519"):
    keygen("-t", kind, "-N", "", "-f", bed.path(name))
    return bed.path(name)


def read(path):
    return open(path).read().strip()


def say(bed, server, known, *options):
    """Runs one command by stock ssh that believes nothing but the line `known`."""
    hosts = bed.write("hosts.%d" % server.port, "%s\n" % known)
    own = ["-o", "UserKnownHostsFile=%s" % hosts, "-o", "StrictHostKeyChecking=yes"] + list(options)
    argv = ["/usr/bin/ssh"] + own + bed.client_options(server) + [bed.login(server), "echo said"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)


def at(server, key):
    return "[127.0.0.1]:%d %s" % (server.port, key)


@pytest.mark.parametrize("algorithm", ["ssh-ed25519-cert-v01@openssh.com", "rsa-sha2-512-cert-v01@openssh.com"])
def test_a_host_certificate_convinces_who_trusts_its_authority(bed, algorithm):
    ca, key = make_key(bed, "ca"), make_key(bed, "host", "rsa" if "rsa" in algorithm else "ed25519")
    keygen("-s", ca, "-h", "-I", "this host", "-n", "127.0.0.1", "%s.pub" % key)
    server = bed.aditd(HostKey=key, HostCertificate="%s-cert.pub" % key, PermitSession="yes")
    known = "@cert-authority " + at(server, read("%s.pub" % ca))
    done = say(bed, server, known, "-o", "HostKeyAlgorithms=" + algorithm)
    assert done.stdout == "said\n", done.stderr
    other = make_key(bed, "other")
    done = say(bed, server, "@cert-authority " + at(server, read("%s.pub" % other)))
    assert done.returncode == 255 and "said" not in done.stdout


def test_a_certificate_for_another_key_is_not_offered(bed):
    ca, key, other = make_key(bed, "ca"), make_key(bed, "host"), make_key(bed, "other")
    keygen("-s", ca, "-h", "-I", "other host", "-n", "127.0.0.1", "%s.pub" % other)
    server = bed.aditd(HostKey=key, HostCertificate="%s-cert.pub" % other, PermitSession="yes")
    server.wait_log("Could not use host certificate")
    known = "@cert-authority " + at(server, read("%s.pub" % ca))
    assert say(bed, server, known).returncode == 255
    assert say(bed, server, at(server, read("%s.pub" % key))).stdout == "said\n"


def test_an_agent_may_hold_the_host_key(bed):
    key, sock = make_key(bed, "host"), bed.path("agent.sock")
    agent = bed.run(["ssh-agent", "-D", "-a", str(sock)], name="ssh-agent")
    until(lambda: os.path.exists(sock), "the agent's socket")
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=dict(bed.env, SSH_AUTH_SOCK=str(sock)))
    os.unlink(key)
    server = bed.aditd(HostKey=key, HostKeyAgent=sock, PermitSession="yes")
    assert say(bed, server, at(server, read("%s.pub" % key))).stdout == "said\n"
    agent.stop()
    done = say(bed, server, at(server, read("%s.pub" % key)))
    assert done.returncode == 255 and "said" not in done.stdout
    server.wait_log("could not sign with the ssh-ed25519 host key in the agent")


@pytest.mark.parametrize("option, value", [
    ("Ciphers", "3des-cbc"), ("Ciphers", "aes256-cbc"), ("MACs", "hmac-md5-96"), ("MACs", "hmac-sha1-96-etm@openssh.com"),
    ("KexAlgorithms", "diffie-hellman-group1-sha1"), ("KexAlgorithms", "diffie-hellman-group-exchange-sha1"),
])
def test_a_worn_out_algorithm_works_where_it_is_spelt_out_and_only_there(bed, option, value):
    options = ["-o", "%s=%s" % (option, value), "-o", "Ciphers=aes256-cbc,aes128-ctr"]
    plain = bed.aditd(PermitSession="yes")
    known = at(plain, bed.keys.public("host", "ed25519"))
    assert say(bed, plain, known, *options).returncode == 255
    patterned = bed.aditd(PermitSession="yes", **{option: "+*"})
    assert say(bed, patterned, at(patterned, bed.keys.public("host", "ed25519")), *options).returncode == 255
    named = bed.aditd(PermitSession="yes", **{option: "+" + value})
    done = say(bed, named, at(named, bed.keys.public("host", "ed25519")), *options)
    assert done.stdout == "said\n", done.stderr
    named.wait_log("%s is broken or worn out" % value)


def bits_of_group(bed, server, *options):
    """Connects with a group exchange and says which prime the server gave (stock ssh tells its size)."""
    argv = ["/usr/bin/ssh", "-vvv", "-o", "KexAlgorithms=diffie-hellman-group-exchange-sha256"] + list(options)
    argv += bed.client_options(server) + [bed.login(server), "echo said"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)
    assert done.stdout == "said\n", done.stderr
    return int(re.search(r"bits set: \d+/(\d+)", done.stderr).group(1))


def test_group_exchange_takes_its_group_from_the_moduli_file(bed):
    moduli = [line for line in open("/etc/ssh/moduli") if line.split()[4] == "3071"]
    path = bed.write("moduli", "".join(moduli))
    options = {"KexAlgorithms": "+diffie-hellman-group-exchange-sha256", "PermitSession": "yes"}
    server = bed.aditd(ModuliFile=path, **options)
    assert bits_of_group(bed, server, "-c", "aes128-ctr") == 3072
    bare = bed.aditd(ModuliFile=bed.path("no-such-file"), **options)
    assert bits_of_group(bed, bare, "-c", "aes128-ctr") == 8192  # RFC 3526's, as large as the client takes


def test_the_signer_is_locked_in(bed):
    server = bed.aditd(PermitSession="yes")
    signers = [pid for pid in descendants_of(server.pid) if pathlib.Path("/proc/%d/comm" % pid).read_text() == "aditd-sign\n"]
    assert len(signers) == 1
    status = pathlib.Path("/proc/%d/status" % signers[0]).read_text()
    assert "Seccomp:\t2\n" in status and "NoNewPrivs:\t1\n" in status
    if IS_ROOT:
        assert "Uid:\t0" not in status and "CapEff:\t0000000000000000\n" in status
