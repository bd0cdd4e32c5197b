"""RevokedKeys: whoever is on a list does not log in, and without the list nobody does."""

import pytest

from bed import USER
from login_help import Attempts, certify, keygen, make_key, public, start_aditd

pytestmark = pytest.mark.short


def test_a_key_on_a_list_in_text_is_refused(bed):
    one, two = make_key(bed, "one"), make_key(bed, "two")
    keys = bed.write("lines", public(one) + "\n" + public(two) + "\n")
    revoked = bed.path("revoked")
    server = start_aditd(bed, AuthorizedKeysFile=keys, RevokedKeys=revoked)
    at = Attempts(bed, server)
    at.refuses("the list cannot be read", one)
    bed.write("revoked", "")
    at.lets_in(one)
    bed.write("revoked", "# gone\n" + public(one) + "\n")
    at.refuses(r"the key is revoked \(RevokedKeys %s\)" % revoked, one)
    at.lets_in(two)
    bed.write("revoked", "no key at all\n")
    at.refuses("the list cannot be read", two)


def test_a_binary_list_revokes_by_key_hash_serial_and_name(bed):
    authority, key, other = (make_key(bed, name) for name in ("authority", "key", "other"))
    revoked = bed.path("krl")
    none = bed.write("nothing", "")
    server = start_aditd(bed, AuthorizedKeysFile=none, TrustedUserCAKeys=str(authority) + ".pub", RevokedKeys=revoked)
    at = Attempts(bed, server)
    certify(authority, key, "-n", USER, "-z", 41, key_id="laptop")
    certify(authority, other, "-n", USER, "-z", 1000, key_id="desk")
    rows = [
        "serial: 41\n",
        "serial: 40-50\n",
        "id: laptop\n",
        "key: %s\n" % public(key),
        "sha256: %s\n" % public(key),
        "sha1: %s\n" % public(key),
    ]
    for row in rows:
        spec = bed.write("spec", row)
        keygen("-k", "-f", revoked, "-s", str(authority) + ".pub", spec)
        at.refuses("the key is revoked", key)
        at.lets_in(other)
    keygen("-k", "-f", revoked, str(authority) + ".pub")
    at.refuses("the key is revoked", other)


def test_every_list_counts(bed):
    key = make_key(bed, "key")
    keys = bed.write("lines", public(key) + "\n")
    empty, second = bed.write("empty", ""), bed.write("second", "")
    server = start_aditd(bed, AuthorizedKeysFile=keys, RevokedKeys="%s %s" % (empty, second))
    at = Attempts(bed, server)
    at.lets_in(key)
    bed.write("second", public(key) + "\n")
    at.refuses("RevokedKeys %s" % second, key)
