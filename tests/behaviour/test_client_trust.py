"""Whom adit believes to be the server: known_hosts in all its forms, certificates, lists of revoked
keys, KnownHostsCommand, and what it learns of a server's other keys.
"""

import pathlib
import re
import subprocess

import pytest

from bed import ADIT, USER, ask, free_port, until, wait_listen

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
    files = known if isinstance(known, str) else bed.write("kh", known[0])
    return [ADIT, "-F", "none", "-v", "-N", "-p", str(server.port), "-i", bed.keys.user(),
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
            "-o", "UserKnownHostsFile=" + files, "-o", "GlobalKnownHostsFile=none"] + \
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


@pytest.mark.parametrize("form", ["text", "krl"])
@pytest.mark.parametrize("what", ["key", "ca", "cert"])
def test_lists_of_revoked_keys(bed, form, what):
    if (form, what) == ("text", "cert"):
        pytest.skip("a text list of ours names keys; certificates are a KRL's matter")
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
