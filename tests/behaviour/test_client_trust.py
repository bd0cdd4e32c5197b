"""Whom adit believes to be the server: known_hosts in all its forms, certificates, lists of revoked
keys, KnownHostsCommand, and what it learns of a server's other keys.
"""

import pathlib
import subprocess

import pytest

from bed import ADIT, USER, Server, free_port, until, wait_listen

REFUSED = "Host key verification failed."


def keygen(*argv):
    subprocess.run(["ssh-keygen", "-q"] + [str(a) for a in argv], check=True, capture_output=True)


def public(path):
    return " ".join(pathlib.Path(str(path) + ".pub").read_text().split()[:2])


class Authority:
    """A host key of its own, certified by an authority of its own."""

    def __init__(self, bed, kind="ed25519"):
        self.bed = bed
        self.ca, self.key = bed.path("ca"), bed.path("certified")
        keygen("-t", "ed25519", "-N", "", "-f", self.ca)
        keygen("-t", kind, "-N", "", "-f", self.key)

    def certify(self, *options, host="127.0.0.1"):
        keygen("-s", self.ca, "-I", "the host", *(["-h"] if "-U" not in options else []),
               *(["-n", host] if host else []), *[o for o in options if o != "-U"], str(self.key) + ".pub")
        return str(self.key) + "-cert.pub"

    def serve(self, name, *options, **more):
        certificate = self.certify(*options, **more)
        return self.bed.server(name, HostKey=[str(self.key)], HostCertificate=certificate)

    def line(self, marker="@cert-authority", hosts="*", key=None):
        return "%s %s %s\n" % (marker, hosts, public(key or self.ca))


def argv(bed, server, known, *args):
    return [ADIT, "-F", "none", "-v", "-N", "-p", str(server.port), "-i", bed.keys.user(),
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
            "-o", "UserKnownHostsFile=" + known, "-o", "GlobalKnownHostsFile=none"] + \
        [str(a) for a in args] + ["%s@127.0.0.1" % USER]


def accepts(bed, server, text, *args):
    adit = bed.run(argv(bed, server, bed.write("kh", text), *args), name="adit")
    adit.wait_line("Authenticated to")
    adit.stop()
    return adit.err


def refuses(bed, server, text, *args):
    adit = bed.run(argv(bed, server, bed.write("kh", text), *args), name="adit")
    assert adit.wait() == 255
    assert REFUSED in adit.err and "Authenticated to" not in adit.err
    return adit.err


# ---- certificates ----


@pytest.mark.parametrize("name", ["sshd", "aditd"])
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_of_a_known_authority_is_trusted(bed, name, kind):
    authority = Authority(bed, kind)
    said = accepts(bed, authority.serve(name), authority.line())
    assert "Server host certificate: " in said and 'ID "the host"' in said


@pytest.mark.parametrize("options, host, fits", [
    (["-V", "-1w:+2w"], "127.0.0.1", True),
    ([], "127.0.0.*", True),
    ([], None, True),  # no principals: every host, as with OpenSSH
    ([], "192.0.2.*,other", False),
    (["-V", "20300101:20320101"], "127.0.0.1", False),
    (["-V", "19800101:19900101"], "127.0.0.1", False),
    (["-U"], "127.0.0.1", False),  # a user's
    (["-O", "critical:x@y=z"], "127.0.0.1", False),
])
def test_a_certificate_counts_only_for_what_it_says(bed, options, host, fits):
    authority = Authority(bed)
    server = authority.serve("sshd", *options, host=host)
    if fits:
        accepts(bed, server, authority.line())
        return
    said = refuses(bed, server, authority.line())
    assert "-U" in options or "Certificate invalid: " in said


def test_an_authority_is_one_for_its_hosts_only(bed):
    authority = Authority(bed)
    server = authority.serve("sshd")
    refuses(bed, server, authority.line(hosts="*.example"))
    refuses(bed, server, authority.line(hosts="*,!127.0.0.1,![127.0.0.1]:*"))
    accepts(bed, server, authority.line(hosts="[127.0.0.1]:%d" % server.port))


def test_a_certificate_of_nobody_known_counts_as_its_plain_key(bed):
    authority = Authority(bed)
    server = authority.serve("sshd")
    other = bed.path("other")
    keygen("-t", "ed25519", "-N", "", "-f", other)
    refuses(bed, server, authority.line(key=other))
    plain = "[127.0.0.1]:%d %s\n" % (server.port, public(authority.key))
    accepts(bed, server, authority.line(key=other) + plain)
    accepts(bed, server, plain, "-o", "UserKnownHostsFile=/dev/null " + bed.write("second", plain))


def test_how_an_authority_may_sign_is_configured(bed):
    authority = Authority(bed)
    server = authority.serve("sshd")
    said = refuses(bed, server, authority.line(), "-o", "CASignatureAlgorithms=rsa-sha2-512")
    assert "CASignatureAlgorithms" in said


def test_certificates_are_asked_for_first_where_an_authority_is_known(bed):
    """The server has a known plain key of a kind that comes first, and a certificate of another."""
    authority = Authority(bed, "rsa")
    server = bed.sshd(HostKey=[bed.keys.host("ed25519"), str(authority.key)], HostCertificate=authority.certify())
    assert "Server host certificate: ssh-rsa-cert-v01@openssh.com" in accepts(bed, server, authority.line())


# ---- revoked ----


@pytest.mark.parametrize("what", ["key", "ca"])
def test_a_revoked_marker_wins_over_everything(bed, what):
    authority = Authority(bed)
    server = authority.serve("sshd")
    revoked = authority.line("@revoked", key=authority.key if what == "key" else authority.ca)
    plain = "[127.0.0.1]:%d %s\n" % (server.port, public(authority.key))
    said = refuses(bed, server, authority.line() + plain + revoked, "-o", "StrictHostKeyChecking=no")
    assert "REVOKED HOST KEY" in said


@pytest.mark.parametrize("form, what", [("text", "key"), ("text", "ca"), ("text", "cert"), ("krl", "key"), ("krl", "ca"), ("krl", "cert")])
def test_lists_of_revoked_keys(bed, form, what):
    authority = Authority(bed)
    server = authority.serve("aditd")
    empty = bed.write("empty", "")
    accepts(bed, server, authority.line(), "-o", "RevokedHostKeys=" + empty)
    name = {"key": str(authority.key) + ".pub", "ca": str(authority.ca) + ".pub", "cert": str(authority.key) + "-cert.pub"}[what]
    listed = bed.path("revoked")
    if form == "krl":
        keygen("-k", "-f", listed, name)
    else:
        listed.write_text(pathlib.Path(name).read_text())
    said = refuses(bed, server, authority.line(), "-o", "RevokedHostKeys=%s %s" % (empty, listed))
    assert "revoked by file %s" % listed in said


def test_a_list_that_cannot_be_read_lets_nobody_be_trusted(bed):
    server = bed.sshd()
    known = "[127.0.0.1]:%d %s\n" % (server.port, bed.keys.public("host", "ed25519"))
    said = refuses(bed, server, known, "-o", "RevokedHostKeys=%s" % bed.path("nothing"))
    assert "Error checking host key" in said


# ---- KnownHostsCommand ----


def known_by(bed, server, script, *args):
    program = bed.write("command", "#!/bin/sh\n" + script, mode=0o700)
    return argv(bed, server, "none", "-o", "KnownHostsCommand=%s" % program + "".join(" " + a for a in args))


def test_a_command_names_the_keys_and_gets_the_tokens(bed):
    server = bed.sshd()
    key = bed.keys.public("host", "ed25519")
    note = bed.path("note")
    script = 'echo "$*" >>%s\n[ "$1" = ORDER ] || echo "$2 %s"\n' % (note, key)
    adit = bed.run(known_by(bed, server, script, "%I", "%H", "%t", "%K", "'a b'", "%%"), name="adit")
    adit.wait_line("Authenticated to")
    host = "[127.0.0.1]:%d" % server.port
    assert note.read_text().splitlines() == [
        "ORDER %s NONE NONE a b %%" % host,
        "HOSTNAME %s %s %s a b %%" % (host, *key.split()),
    ]


@pytest.mark.parametrize("script", ["exit 0\n", "echo '* %s'; exit 1\n", "echo '* %s'; kill -9 $$\n", "echo '* ssh-ed25519 AAAA'\n"])
def test_a_command_that_fails_or_knows_nothing_is_not_believed(bed, script):
    server = bed.sshd()
    script = script % bed.keys.public("host", "ed25519") if "%s" in script else script
    adit = bed.run(known_by(bed, server, script), name="adit")
    assert adit.wait() == 255 and "Authenticated to" not in adit.err
    if "exit 1" in script or "kill" in script:
        assert "KnownHostsCommand failed" in adit.err


def test_a_command_has_an_absolute_path(bed):
    server = bed.sshd()
    adit = bed.run(argv(bed, server, "none", "-o", "KnownHostsCommand=true"), name="adit")
    assert adit.wait() == 255 and "not absolute" in adit.err


# ---- what is shown and what is not asked ----


def test_the_picture_and_the_fingerprint_are_those_of_ssh_keygen(bed):
    server = bed.sshd()
    known = "[127.0.0.1]:%d %s\n" % (server.port, bed.keys.public("host", "ed25519"))
    for kind in ("sha256", "md5"):
        shown = subprocess.run(["ssh-keygen", "-lv", "-E", kind, "-f", bed.keys.host("ed25519") + ".pub"],
                               check=True, capture_output=True, text=True).stdout.splitlines()
        said = accepts(bed, server, known, "-o", "VisualHostKey=yes", "-o", "FingerprintHash=" + kind)
        lines = said.splitlines()
        at = lines.index("Host key fingerprint is " + shown[0].split()[1])
        assert lines[at + 1:at + 12] == shown[1:12]


def test_this_machine_need_not_prove_itself(bed):
    server = bed.sshd()
    accepts(bed, server, "", "-o", "NoHostAuthenticationForLocalhost=yes")
    refuses(bed, server, "", "-o", "NoHostAuthenticationForLocalhost=yes", "-o", "HostKeyAlias=other")


def test_rsa_keys_below_the_wanted_size_are_refused(bed):
    server = bed.sshd(host_kinds=("rsa2048",))
    known = "[127.0.0.1]:%d %s\n" % (server.port, bed.keys.public("host", "rsa2048"))
    accepts(bed, server, known)
    assert "RequiredRSASize" in refuses(bed, server, known, "-o", "RequiredRSASize=3072")


def test_verify_host_key_dns_says_that_nothing_is_looked_up(bed):
    server = bed.sshd()
    said = refuses(bed, server, "", "-o", "VerifyHostKeyDNS=yes")
    assert "looks up no SSHFP records" in said


# ---- UpdateHostKeys ----


class Learner:
    """A server with several host keys and a client whose file knows the first of them."""

    def __init__(self, bed, name="sshd", kinds=("ed25519", "rsa3072", "ecdsa256"), **options):
        self.bed, self.kinds = bed, kinds
        self.server = bed.server(name, host_kinds=kinds, **options)
        self.known = pathlib.Path(bed.write("kh", self.line(kinds[0])))

    def line(self, kind, host=None, comment=""):
        host = host or "[127.0.0.1]:%d" % self.server.port
        return "%s %s%s\n" % (host, self.bed.keys.public("host", kind), comment and " " + comment)

    def lines(self, *kinds):
        return "".join(self.line(kind) for kind in kinds)

    def visit(self, *args, **popen):
        """What is in args wins: the first value counts."""
        words = argv(self.bed, self.server, str(self.known), "-o", "UpdateHostKeys=yes")
        adit = self.bed.run(words[:1] + ["-v"] + list(args) + words[1:], name="adit", **popen)
        adit.wait_line("Authenticated to")
        return adit

    def is_now(self, text):
        until(lambda: sorted(self.known.read_text().splitlines()) == sorted(text.splitlines()),
              lambda: "the file to become\n%s\nit is\n%s" % (text, self.known.read_text()))


@pytest.mark.parametrize("name", ["sshd", "aditd"])
def test_the_other_keys_of_a_known_server_are_learned(bed, name):
    learner = Learner(bed, name)
    adit = learner.visit()
    learner.is_now(learner.lines(*learner.kinds))
    adit.wait_line("Learned new hostkey: ssh-rsa SHA256:")
    adit.stop()
    again = learner.visit("-o", "HostKeyAlgorithms=rsa-sha2-512,ssh-ed25519,ecdsa-sha2-nistp256")
    again.wait_line("kex: host key algorithm: rsa-sha2-512")
    learner.is_now(learner.lines(*learner.kinds))


@pytest.mark.parametrize("name", ["sshd", "aditd"])
def test_keys_that_the_server_no_longer_has_go_and_the_rest_stays(bed, name):
    learner = Learner(bed, name, kinds=("ed25519", "rsa3072"))
    rest = "# a remark\n\nother.example ssh-ed25519 %s kept\n@revoked * %s\n" % (
        "AAAAC3NzaC1lZDI1NTE5AAAAIJPe2sFYFR4VpTzl1v4x1Q0k0R5f8b0pX5sA4mI8m3xk",
        bed.keys.public("host", "ecdsa521"))
    mine = learner.line("ed25519", comment="my own comment")
    learner.known.write_text(rest + mine + learner.line("ecdsa256"))
    learner.visit()
    learner.is_now(rest + mine + learner.line("rsa3072"))
    assert learner.known.read_text().startswith(rest + mine)


def test_a_hashed_file_stays_hashed(bed):
    learner = Learner(bed)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(learner.known)], check=True, capture_output=True)
    learner.visit("-o", "HashKnownHosts=yes")
    until(lambda: len(learner.known.read_text().splitlines()) == 3, "three lines")
    assert all(line.startswith("|1|") for line in learner.known.read_text().splitlines())


@pytest.mark.parametrize("why", ["pattern", "other name", "global", "no", "accept-new", "certificate"])
def test_nothing_is_learned_where_it_would_be_a_guess(bed, why):
    learner = Learner(bed)
    text, args, update = learner.known.read_text(), [], "yes"
    if why == "pattern":
        text = learner.line("ed25519", "127.0.0.*,[127.0.0.*]:*")
    elif why == "other name":
        text += learner.line("rsa3072", "elsewhere.example")
    elif why == "global":
        args, text = ["-o", "GlobalKnownHostsFile=" + bed.write("global", text)], ""
    elif why == "no":
        update = "no"
    elif why == "accept-new":
        args, text = ["-o", "StrictHostKeyChecking=accept-new"], ""
    elif why == "certificate":
        authority = Authority(bed)
        learner.server = bed.sshd(HostKey=[str(authority.key), bed.keys.host("rsa3072")], HostCertificate=authority.certify())
        text = authority.line()
    learner.known.write_text(text)
    port = free_port()
    adit = learner.visit(*args, "-o", "UpdateHostKeys=" + update, "-R", "%d:127.0.0.1:9" % port)
    wait_listen(adit, port)  # answered behind what the server told first
    left = learner.known.read_text()
    assert left == (text if why != "accept-new" else learner.line("ed25519"))


@pytest.mark.parametrize("answer, count", [(0, 3), (1, 1)])
def test_who_wants_to_be_asked_is(bed, answer, count):
    learner = Learner(bed)
    note = bed.path("asked")
    askpass = bed.write("askpass", "#!/bin/sh\necho \"$1\" >%s\nexit %d\n" % (note, answer), mode=0o700)
    env = dict(bed.env, SSH_ASKPASS=askpass, SSH_ASKPASS_REQUIRE="force")
    adit = learner.visit("-o", "BatchMode=no", "-o", "UpdateHostKeys=ask", env=env)
    adit.wait_line("Learned new hostkey: ecdsa-sha2-nistp256")
    until(lambda: note.exists() and "Accept updated hostkeys?" in note.read_text(), "the question")
    if answer == 0:
        until(lambda: len(learner.known.read_text().splitlines()) == count, "the new keys in the file")
    else:
        adit.signal(15)
        adit.wait()
        assert len(learner.known.read_text().splitlines()) == count


LIAR = """import socket, sys, threading, paramiko
from paramiko.common import byte_chr
class Server(paramiko.ServerInterface):
    def get_allowed_auths(self, user): return "publickey"
    def check_auth_publickey(self, user, key): return paramiko.AUTH_SUCCESSFUL
    def check_port_forward_request(self, address, port): return port or 1
    def check_global_request(self, kind, msg):
        sys.stderr.write("asked: " + kind + "\\n")
        return (self.proof,) if kind == "hostkeys-prove-00@openssh.com" else False
def string(b): return len(b).to_bytes(4, "big") + b
own = paramiko.RSAKey.from_private_key_file(sys.argv[1])
others = paramiko.ECDSAKey.from_private_key_file(sys.argv[2])
l = socket.socket(); l.bind(("127.0.0.1", int(sys.argv[3]))); l.listen(1)
s, _ = l.accept()
t = paramiko.Transport(s); t.add_server_key(own); server = Server()
server.proof = string(string(b"ecdsa-sha2-nistp256") + string(b"\\0" * 72)) if sys.argv[4] == "bad" else b"\\xff" * 50
t.start_server(server=server)
while not t.is_authenticated(): threading.Event().wait(0.05)
m = paramiko.Message(); m.add_byte(byte_chr(80)); m.add_string("hostkeys-00@openssh.com"); m.add_boolean(False)
m.add_string(own.asbytes()); m.add_string(others.asbytes())
t._send_user_message(m)
threading.Event().wait()
"""


@pytest.mark.parametrize("how", ["bad", "garbage"])
def test_a_key_that_is_not_proved_is_not_learned(bed, how):
    """A server that we know claims another's key."""
    pytest.importorskip("paramiko")
    key, other, port = bed.keys.host("rsa2048"), bed.keys.host("ecdsa256"), free_port()
    liar = bed.run(["/usr/bin/python3", bed.write("liar.py", LIAR), key, other, str(port), how], name="liar")
    wait_listen(liar, port)
    known = bed.write("kh", "[127.0.0.1]:%d %s\n" % (port, bed.keys.public("host", "rsa2048")))
    before = pathlib.Path(known).read_text()
    adit = bed.run(argv(bed, Server(liar, port, "rsa2048", "liar"), known, "-o", "UpdateHostKeys=yes"), name="adit")
    liar.wait_line("asked: hostkeys-prove-00@openssh.com")
    adit.wait_line("bad signature for one of its new host keys")
    assert pathlib.Path(known).read_text() == before


def test_a_person_has_time_to_look_at_a_fingerprint(bed):
    """ConnectTimeout is over before the answer comes."""
    server = bed.sshd()
    askpass = bed.write("slow", "#!/bin/sh\nsleep 2\necho yes\n", mode=0o700)
    env = dict(bed.env, SSH_ASKPASS=askpass, SSH_ASKPASS_REQUIRE="force")
    words = argv(bed, server, bed.write("kh", ""), "-o", "ConnectTimeout=1")
    args = ["-o", "BatchMode=no", "-o", "StrictHostKeyChecking=ask"]
    adit = bed.run(words[:1] + args + words[1:], name="adit", env=env)
    adit.wait_line("Permanently added")
    adit.wait_line("Authenticated to")
