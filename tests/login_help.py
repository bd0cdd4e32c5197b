"""Logging in with stock ssh, and what a login needs: authorities, certificates, accounts, passwords."""

import os
import pathlib
import pwd
import re
import shlex
import shutil
import subprocess
import tempfile

import pytest

from bed import IS_ROOT, USER, until

SSH = "/usr/bin/ssh"


def keygen(*args):
    done = subprocess.run(["ssh-keygen", "-q"] + [str(a) for a in args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def make_key(bed, name, kind="ed25519"):
    path = bed.path(name)
    keygen("-t", kind, "-N", "", "-C", name, "-f", path)
    return path


def public(path):
    return pathlib.Path(str(path) + ".pub").read_text().strip()


def certify(authority, key, *options, key_id="id of a test"):
    """KEY-cert.pub beside the key; the path of the certificate."""
    keygen("-s", authority, "-I", key_id, *options, str(key) + ".pub")
    return str(key) + "-cert.pub"


def start_aditd(bed, **options):
    """aditd that forgets each failure: many of them come from one source here."""
    return bed.aditd(PerSourcePenalties="no", **options)


class Attempts:
    """One ssh after the other at one server; each is told from the last by what the server logs."""

    def __init__(self, bed, server, user=USER):
        self.bed, self.server, self.user = bed, server, user
        self.seen = 0
        self.known = bed.known_hosts(server)

    def argv(self, keys, options, command, methods="publickey"):
        argv = [SSH, "-F", "none", "-p", str(self.server.port), "-o", "IdentitiesOnly=yes"]
        argv += ["-o", "UserKnownHostsFile=" + self.known, "-o", "GlobalKnownHostsFile=none"]
        argv += ["-o", "PreferredAuthentications=" + methods, "-o", "NumberOfPasswordPrompts=1"]
        for key in keys:
            argv += ["-i", str(key)]
        if not keys:
            argv += ["-o", "PubkeyAuthentication=no"]
        return argv + [str(o) for o in options] + ["%s@%s" % (self.user, self.server.address)] + shlex.split(command)

    def run(self, *keys, options=(), command="true", password=None, methods="publickey"):
        env = dict(self.bed.env)
        if password is None:
            options = list(options) + ["-o", "BatchMode=yes"]
        else:
            script = "#!/bin/sh\nprintf '%%s\\n' %s\n" % shlex.quote(password)
            env.update(SSH_ASKPASS=self.bed.write("askpass", script, 0o700), SSH_ASKPASS_REQUIRE="force", DISPLAY=":9")
        self.seen = len(self.server.log)
        argv = self.argv(keys, options, command, methods)
        return subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def wait_new(self, pattern):
        until(
            lambda: re.search(pattern, self.server.log[self.seen :]),
            lambda: "the server to log %r; it logged:\n%s" % (pattern, self.server.log[self.seen :]),
        )

    def lets_in(self, *keys, **more):
        done = self.run(*keys, **more)
        assert done.returncode == 0, done.stderr + self.server.log[self.seen :]
        self.wait_new(r"Accepted ")
        return done.stdout

    def refuses(self, rule, *keys, **more):
        """No login, and the server's log names the rule that forbids it."""
        done = self.run(*keys, **more)
        assert done.returncode == 255, "let in: " + done.stdout
        assert "Permission denied" in done.stderr or "Too many" in done.stderr, done.stderr
        self.wait_new(r"Refused \S+ from .*" + rule)
        assert "Accepted" not in self.server.log[self.seen :]


def needs_root():
    if not IS_ROOT:
        pytest.skip("accounts and passwords are root's matter")


def hash_of(password):
    words = ["openssl", "passwd", "-6", "-stdin"]
    return subprocess.run(words, input=password, capture_output=True, text=True, check=True).stdout.strip()


class Account:
    """An account of this machine for the length of a test."""

    def __init__(self, bed, password=None, hashed=None, shell="/bin/sh", groups=(), expired=False):
        needs_root()
        self.name = "adit%d" % (os.getpid() % 100000)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="adit-home-", dir="/var/tmp"))
        if password is not None:
            hashed = hash_of(password) if password else ""
        words = ["useradd", "-M", "-d", str(self.home), "-s", shell, "-p", "*" if hashed is None else hashed]
        words += ["-G", ",".join(groups)] if groups else []
        words += ["-e", "2001-01-01"] if expired else []
        done = subprocess.run(words + [self.name], capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(self.home)
            pytest.skip("useradd: " + done.stderr.strip())
        bed.at_end(self.remove)
        self.uid, self.gid = pwd.getpwnam(self.name).pw_uid, pwd.getpwnam(self.name).pw_gid
        (self.home / ".ssh").mkdir(mode=0o700)
        os.chmod(self.home, 0o755)
        self.own(self.home, self.home / ".ssh")

    def own(self, *paths):
        for path in paths:
            os.chown(path, self.uid, self.gid)

    def authorize(self, text):
        path = self.home / ".ssh/authorized_keys"
        path.write_text(text + "\n")
        os.chmod(path, 0o600)
        self.own(path)

    def remove(self):
        subprocess.run(["userdel", "-f", self.name], capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)


def program_folder(bed):
    """Where a program may lie that root runs: nobody else may write above it."""
    if not IS_ROOT:
        return bed.folder
    folder = pathlib.Path(tempfile.mkdtemp(prefix="adit-test-", dir="/var/lib"))
    os.chmod(folder, 0o755)
    bed.at_end(lambda: shutil.rmtree(folder))
    return folder


def write_program(folder, name, text, mode=0o755):
    path = pathlib.Path(folder) / name
    path.write_text("#!/bin/sh\n" + text + "\n")
    os.chmod(path, mode)
    return path
