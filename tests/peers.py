"""Other people's SSH clients and servers, each started with its own configuration and a home of its
own, on two hosts where that can be (root): the client on the left, the server on the right.
"""

import contextlib
import os
import subprocess

import pytest

import bed as b

DBCLIENT, PLINK, DROPBEAR = "/usr/bin/dbclient", "/usr/bin/plink", "/usr/sbin/dropbear"
PARAMIKO = str(b.ROOT / "tests" / "interop" / "paramiko_client.py")
PARAMIKO_SERVER = str(b.ROOT / "tests" / "interop" / "paramiko_server.py")


class Place:
    """Where the two ends are: two namespaces and a wire, or one machine's loopback."""

    def __init__(self, hosts=None):
        self.left = hosts.left if hosts else None
        self.right = hosts.right if hosts else None
        self.address = hosts.right_address if hosts else "127.0.0.1"
        self.inside = hosts.inside if hosts else (lambda name: contextlib.nullcontext())


def adit_like(bed, place, server, forward, args, program):
    return bed.adit(
        server, *forward, *args, program=program, netns=place.left,
        user_kind=getattr(server, "user_kind", "ed25519"),
    )


def start_adit(bed, place, server, forward, args=()):
    return adit_like(bed, place, server, forward, ("-v",) + tuple(args), b.ADIT)


def start_ssh(bed, place, server, forward, args=()):
    return adit_like(bed, place, server, forward, ("-v",) + tuple(args), "/usr/bin/ssh")


def dropbear_key(bed, path):
    out = bed.folder / (os.path.basename(path) + ".db")
    if not out.exists():
        convert = ["dropbearconvert", "openssh", "dropbear", path, str(out)]
        subprocess.run(convert, check=True, capture_output=True)
    return str(out)


def start_dbclient(bed, place, server, forward, args=()):
    key = dropbear_key(bed, bed.keys.user(getattr(server, "user_kind", "ed25519")))
    known = "%s %s\n" % (server.address, bed.keys.public("host", server.host_kind))
    bed.write("home/.ssh/known_hosts", known)
    argv = [DBCLIENT, "-N", "-i", key, "-p", str(server.port)] + list(forward) + list(args)
    return bed.run(argv + [bed.login(server)], netns=place.left)


def start_plink(bed, place, server, forward, args=()):
    source = bed.keys.user(getattr(server, "user_kind", "ed25519"))
    key = bed.folder / (os.path.basename(source) + ".ppk")
    if not key.exists():
        subprocess.run(["puttygen", source, "-O", "private", "-o", str(key)], check=True, env=bed.env)
    public = bed.keys.host(server.host_kind) + ".pub"
    said = subprocess.run(["ssh-keygen", "-lf", public], check=True, capture_output=True, text=True).stdout
    argv = [PLINK, "-ssh", "-batch", "-v", "-N", "-i", str(key), "-P", str(server.port)]
    argv += ["-hostkey", said.split()[1]] + list(forward) + list(args) + [bed.login(server)]
    return bed.run(argv, netns=place.left)


def start_paramiko(bed, place, server, forward, args=()):
    argv = ["/usr/bin/python3", PARAMIKO, server.address, str(server.port), b.USER]
    argv += [bed.keys.user(getattr(server, "user_kind", "ed25519"))]
    argv += [bed.keys.public("host", server.host_kind)] + list(forward)
    return bed.run(argv, netns=place.left, name="paramiko")


CLIENTS = {
    "adit": start_adit,
    "ssh": start_ssh,
    "dbclient": start_dbclient,
    "plink": start_plink,
    "paramiko": start_paramiko,
}


def start_dropbear(bed, place, host_kind="ed25519"):
    """dropbear reads authorized_keys from the account's home only: it gets another one to see."""
    if not b.IS_ROOT:
        pytest.skip("dropbear needs a home of its own, which needs root")
    home = bed.folder / "dropbear-home"
    (home / ".ssh").mkdir(parents=True)
    os.chmod(home, 0o700)
    os.chmod(home / ".ssh", 0o700)
    (home / ".ssh" / "authorized_keys").write_text(bed.keys.authorized.read_text())
    os.chmod(home / ".ssh" / "authorized_keys", 0o600)
    port = b.free_port()
    script = "mount --bind %s /root && exec %s -F -E -s -r %s -p %s:%d -P %s" % (
        home, DROPBEAR, dropbear_key(bed, bed.keys.host(host_kind)), place.address, port, bed.folder / "dropbear.pid",
    )
    process = bed.run(["unshare", "-m", "sh", "-c", script], name="dropbear", netns=place.right)
    server = b.Server(process, port, host_kind, "dropbear", place.address)
    b.wait_listen(process, port, place.right)
    return server


def start_paramiko_server(bed, place):
    port = b.free_port()
    argv = ["/usr/bin/python3", PARAMIKO_SERVER, place.address, str(port)]
    argv += [bed.keys.host(), str(bed.keys.authorized)]
    process = bed.run(argv, name="paramiko", netns=place.right)
    b.wait_listen(process, port, place.right)
    return b.Server(process, port, "ed25519", "paramiko", place.address)


def start_server(bed, place, name, **options):
    if name == "dropbear":
        return start_dropbear(bed, place)
    if name == "paramiko":
        return start_paramiko_server(bed, place)
    return bed.server(name, netns=place.right, address=place.address, **options)


def forwarded(bed, place, client, server, kind, serve, args=(), settled=None):
    """A client with one forward to a target that only the other side's host can reach; (process,
    target, a function that connects a visitor)."""
    there, here = (place.right, place.left) if kind == "L" else (place.left, place.right)
    with place.inside(there):
        target = bed.target(serve)
    port = b.free_port()
    bind = "127.0.0.1:" if kind == "L" else ""
    forward = ["-" + kind, "%s%d:127.0.0.1:%d" % (bind, port, target.port)]
    process = CLIENTS[client](bed, place, server, forward, args)
    b.wait_listen(process, port, here)

    def visit(total, **more):
        with place.inside(here):
            return b.exchange(port, total, **more)

    return process, target, visit
