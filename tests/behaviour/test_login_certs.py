"""Certificates of users: who signed them, for whom, until when, from where, and what they permit."""

import subprocess

import pytest

from bed import USER, free_port
from login_help import Attempts, certify, make_key, public, start_aditd

pytestmark = pytest.mark.short


class Certified:
    def __init__(self, bed):
        self.authority, self.key = make_key(bed, "authority"), make_key(bed, "key")
        self.none = bed.write("nothing", "")

    def make(self, *options, **more):
        return certify(self.authority, self.key, *options, **more)


def test_a_trusted_authority_certifies_names_times_and_places(bed):
    c = Certified(bed)
    server = start_aditd(bed, TrustedUserCAKeys=str(c.authority) + ".pub", AuthorizedKeysFile=c.none)
    at = Attempts(bed, server)
    c.make("-n", USER, "-z", 7)
    at.lets_in(c.key)
    at.wait_new(r"Accepted publickey for \S+ from \S+ port \d+ ssh2: ED25519-CERT SHA256:\S+ ID id of a test "
                r"\(serial 7\) CA ED25519 SHA256:")
    rows = [
        (("-n", "somebody,else"), "certificate is for other principals"),
        ((), "certificate lacks principals"),
        (("-n", USER, "-V", "20500101:20510101"), "certificate is not yet valid"),
        (("-n", USER, "-V", "19900101:20000101"), "certificate has expired"),
        (("-n", USER, "-O", "source-address=10.0.0.0/8"), "source-address"),
        (("-n", USER, "-O", "critical:no-such@example.com=1"), "critical option that is not supported"),
    ]
    for options, rule in rows:
        c.make(*options)
        at.refuses(rule, c.key)
    c.make("-n", USER, "-O", "source-address=127.0.0.0/8")
    at.lets_in(c.key)


def test_an_authority_that_nobody_trusts_certifies_nobody(bed):
    c = Certified(bed)
    other = make_key(bed, "other")
    server = start_aditd(bed, TrustedUserCAKeys=str(other) + ".pub", AuthorizedKeysFile=c.none)
    c.make("-n", USER)
    Attempts(bed, server).refuses("the key is not listed for this account", c.key)


def test_the_algorithm_that_an_authority_signs_by_must_be_accepted(bed):
    c = Certified(bed)
    server = start_aditd(bed, TrustedUserCAKeys=str(c.authority) + ".pub", AuthorizedKeysFile=c.none,
                       CASignatureAlgorithms="ecdsa-sha2-nistp256")
    c.make("-n", USER)
    Attempts(bed, server).refuses("CASignatureAlgorithms", c.key)


def test_a_list_of_principals_replaces_the_name(bed):
    c = Certified(bed)
    principals = bed.path("principals")
    server = start_aditd(bed, TrustedUserCAKeys=str(c.authority) + ".pub", AuthorizedKeysFile=c.none,
                       AuthorizedPrincipalsFile=principals)
    at = Attempts(bed, server)
    c.make("-n", "ops")
    at.refuses("principal not listed", c.key)
    bed.write("principals", "dev\n# ops\n")
    at.refuses("principal not listed", c.key)
    bed.write("principals", 'dev\ncommand="echo by $0 the line" ops\n')
    assert "the line" in at.lets_in(c.key, command="echo asked")
    bed.write("principals", 'from="10.0.0.0/8" ops\n')
    at.refuses("from=", c.key)
    c.make("-n", "ops,%s" % USER)
    bed.write("principals", "dev\n")
    at.refuses("principal not listed", c.key)


def test_a_cert_authority_line_lets_certificates_in_and_no_key(bed):
    c = Certified(bed)
    lines = bed.path("lines")
    server = start_aditd(bed, AuthorizedKeysFile=lines)
    at = Attempts(bed, server)
    bed.write("lines", "cert-authority %s\n" % public(c.authority))
    at.refuses("listed as a certificate authority only", c.authority)
    c.make("-n", USER)
    at.lets_in(c.key)
    bed.write("lines", public(c.authority) + "\n")
    at.refuses("not listed as a certificate authority", c.key)
    bed.write("lines", 'cert-authority,principals="a,b" %s\n' % public(c.authority))
    at.refuses("none of the line's principals", c.key)
    c.make("-n", "b")
    at.lets_in(c.key)
    c.make("-n", "a,b,c", "-O", "clear", "-O", "force-command=echo forced")
    bed.write("lines", 'cert-authority,principals="b",command="echo other" %s\n' % public(c.authority))
    at.refuses("differ", c.key)


def test_a_certificate_permits_only_what_it_names(bed):
    c = Certified(bed)
    server = start_aditd(bed, TrustedUserCAKeys=str(c.authority) + ".pub", AuthorizedKeysFile=c.none)
    at = Attempts(bed, server)
    forward = ("-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:%d:127.0.0.1:9" % free_port())
    c.make("-n", USER)
    at.lets_in(c.key, options=forward)
    c.make("-n", USER, "-O", "no-port-forwarding")
    done = at.run(c.key, options=forward)
    assert done.returncode == 255 and "remote port forwarding failed" in done.stderr
    c.make("-n", USER, "-O", "force-command=echo forced")
    assert at.lets_in(c.key, command="echo asked") == "forced\n"
    c.make("-n", USER, "-O", "no-pty")
    done = subprocess.run(at.argv([c.key], ["-tt"], "tty"), env=bed.env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    assert "PTY allocation request failed" in done.stderr
