"""Who is measured, and how each is started: us, Debian's peers, and what has no crypto at all.

Every peer is set up alike: one ed25519 key, no configuration files, nothing looked up.
"""

import os
import pathlib
import pwd
import shutil
import subprocess

USER = pwd.getpwuid(os.getuid()).pw_name
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
CIPHERS = {"aes128-gcm": "aes128-gcm@openssh.com", "chacha20": "chacha20-poly1305@openssh.com"}


class Kit:
    """Keys and folders of a run."""

    def __init__(self, folder, build):
        self.folder = pathlib.Path(folder)
        self.build = pathlib.Path(build)
        self.host_key, self.user_key = self.folder / "host_key", self.folder / "user_key"
        for key in (self.host_key, self.user_key):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        self.authorized = self.folder / "authorized_keys"
        shutil.copy(str(self.user_key) + ".pub", self.authorized)
        self.home = self.folder / "home"
        (self.home / ".ssh").mkdir(parents=True)
        shutil.copy(self.authorized, self.home / ".ssh" / "authorized_keys")
        for path in (self.home, self.home / ".ssh", self.authorized, self.home / ".ssh" / "authorized_keys"):
            os.chmod(path, 0o700 if path.is_dir() else 0o600)
        self.env = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def tool(self, name):
        return str(self.build / "bench" / name)


class Peer:
    """A way from `at` to a target: started by the argument lists that it gives."""

    has_stdio = False  # can carry its standard input and output to the target
    is_direct = False  # no tunnel at all

    def __init__(self, kit):
        self.kit = kit

    def missing(self):
        """Why it cannot run here, or None."""
        return None

    def version(self):
        return ""


def _first_line(argv, of=""):
    """The first line of what it says that begins so."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return next((line.strip() for line in done.stdout.splitlines() if line.startswith(of)), "")


class OpenSSH(Peer):
    title, has_stdio = "OpenSSH", True
    server_program, client_program = "/usr/sbin/sshd", "/usr/bin/ssh"
    server_options = ["UsePAM=no"]
    client_options = ["IdentityAgent=none", "IdentitiesOnly=yes"]

    def missing(self):
        if not all(os.path.exists(p) for p in (self.server_program, self.client_program)):
            return "%s and %s are not both there" % (self.server_program, self.client_program)
        return None

    def version(self):
        return _first_line([self.client_program, "-V"]).split(",")[0]

    def server(self, port, target):
        argv = [self.server_program, "-D", "-e", "-f", "/dev/null", "-p", port, "-h", self.kit.host_key]
        options = ["ListenAddress=127.0.0.1", "AuthorizedKeysFile=%s" % self.kit.authorized, "StrictModes=no",
                   "PidFile=none", "MaxStartups=1000:30:1000", "LogLevel=ERROR"] + self.server_options
        return argv + [word for option in options for word in ("-o", option)]

    def _client(self, port, cipher):
        argv = [self.client_program, "-F", "none", "-T", "-p", port, "-i", self.kit.user_key]
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
                   "ExitOnForwardFailure=yes"] + self.client_options
        argv += [word for option in options for word in ("-o", option)]
        return argv + (["-c", CIPHERS[cipher]] if cipher else [])

    def client(self, port, way, listen, target, cipher=None):
        forward = "127.0.0.1:%d:127.0.0.1:%d" % (listen, target)
        return self._client(port, cipher) + ["-N", "-" + way, forward, USER + "@127.0.0.1"]

    def stdio(self, port, target):
        return self._client(port, None) + ["-W", "127.0.0.1:%d" % target, USER + "@127.0.0.1"]


class Adit(OpenSSH):
    title = "adit"
    server_options, client_options = [], []

    def __init__(self, kit):
        super().__init__(kit)
        self.server_program, self.client_program = str(kit.build / "bin/aditd"), str(kit.build / "bin/adit")


class Dropbear(Peer):
    """Reads authorized_keys from the account's home only: it is shown another home, which needs root."""

    title, has_stdio = "dropbear", True

    def missing(self):
        if not os.path.exists("/usr/sbin/dropbear") or not shutil.which("dbclient"):
            return "dropbear is not installed"
        if os.geteuid() != 0:
            return "dropbear needs another home to look into, which needs root"
        for key in (self.kit.host_key, self.kit.user_key):
            out = str(key) + ".dropbear"
            if not os.path.exists(out):
                subprocess.run(["dropbearconvert", "openssh", "dropbear", key, out], check=True, **QUIET)
        return None

    def version(self):
        return _first_line(["/usr/sbin/dropbear", "-V"])

    def server(self, port, target):
        home = pwd.getpwuid(os.getuid()).pw_dir
        run = "mount --bind '%s' '%s' && exec /usr/sbin/dropbear -F -E -s -r '%s.dropbear' -p 127.0.0.1:%d -P '%s'" % (
            self.kit.home, home, self.kit.host_key, port, self.kit.folder / "dropbear.pid")
        return ["unshare", "-m", "sh", "-c", run]

    def _client(self, port):
        return ["dbclient", "-T", "-y", "-y", "-p", port, "-i", str(self.kit.user_key) + ".dropbear"]

    def client(self, port, way, listen, target, cipher=None):
        forward = "127.0.0.1:%d:127.0.0.1:%d" % (listen, target)
        return self._client(port) + ["-N", "-" + way, forward, USER + "@127.0.0.1"]

    def stdio(self, port, target):
        return self._client(port) + ["-B", "127.0.0.1:%d" % target, USER + "@127.0.0.1"]


class Stunnel(Peer):
    """Not SSH: a TLS connection of its own for each connection that it carries."""

    title = "stunnel"
    suites = {None: "", "aes128-gcm": "ciphersuites=TLS_AES_128_GCM_SHA256\n",
              "chacha20": "ciphersuites=TLS_CHACHA20_POLY1305_SHA256\n"}
    common = "foreground=yes\npid=\ndebug=3\nsocket=l:TCP_NODELAY=1\nsocket=r:TCP_NODELAY=1\n"

    def missing(self):
        if not shutil.which("stunnel4") or not shutil.which("openssl"):
            return "stunnel4 is not installed"
        pem = self.kit.folder / "tls.pem"
        if not pem.exists():
            make = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=bench", "-days", "2"]
            subprocess.run(make + ["-keyout", pem, "-out", str(pem) + ".crt"], check=True, **QUIET)
            pem.write_text(pem.read_text() + pathlib.Path(str(pem) + ".crt").read_text())
            os.chmod(pem, 0o600)
        return None

    def version(self):
        return " ".join(_first_line(["stunnel4", "-version"], "stunnel ").split()[:2])

    def _config(self, name, text):
        path = self.kit.folder / name
        path.write_text(self.common + text)
        return ["stunnel4", path]

    def server(self, port, target):
        return self._config("stunnel-server.conf", "[s]\naccept=127.0.0.1:%d\nconnect=127.0.0.1:%d\ncert=%s\n" % (
            port, target, self.kit.folder / "tls.pem"))

    def client(self, port, way, listen, target, cipher=None):
        return self._config("stunnel-client.conf", "[c]\nclient=yes\naccept=127.0.0.1:%d\nconnect=127.0.0.1:%d\n%s" % (
            listen, port, self.suites[cipher]))


class Limit(Peer):
    """Two relays that copy and nothing else: the two hops of any tunnel, without its work."""

    title = "limit"

    def server(self, port, target):
        return [self.kit.tool("relay"), "127.0.0.1:%d" % port, "127.0.0.1:%d" % target]

    def client(self, port, way, listen, target, cipher=None):
        return [self.kit.tool("relay"), "127.0.0.1:%d" % listen, "127.0.0.1:%d" % port]


class Direct(Peer):
    """No tunnel: what the line itself lets through."""

    title, is_direct = "no tunnel", True


PEERS = {"adit": Adit, "openssh": OpenSSH, "dropbear": Dropbear, "stunnel": Stunnel, "limit": Limit,
         "direct": Direct}
