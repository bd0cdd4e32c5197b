"""AuthenticationMethods: what is asked for in which order, and that one key is one step."""

import pytest

from bed import USER
from login_help import Account, Attempts, certify, make_key, public, start_aditd

pytestmark = pytest.mark.short


def server_of(bed, keys, methods, **more):
    lines = bed.write("lines", "\n".join(public(key) for key in keys) + "\n")
    return Attempts(bed, start_aditd(bed, AuthorizedKeysFile=lines, AuthenticationMethods=methods, **more))


def test_two_keys_are_two_steps_and_one_key_is_one(bed):
    one, two = make_key(bed, "one"), make_key(bed, "two")
    at = server_of(bed, (one, two), "publickey,publickey")
    at.refuses("the key was used already|the key is not listed", one)
    done = at.run(one, two, options=["-v"])
    assert done.returncode == 0, done.stderr
    assert "partial success" in done.stderr
    at.wait_new("Partial publickey for")
    at.wait_new("Accepted publickey for")


def test_a_key_and_its_certificate_are_one_step(bed):
    authority, key = make_key(bed, "authority"), make_key(bed, "key")
    certify(authority, key, "-n", USER)
    at = server_of(bed, (key,), "publickey,publickey", TrustedUserCAKeys=str(authority) + ".pub")
    at.refuses("the key was used already", key)


def test_restrictions_of_every_step_hold(bed):
    one, two = make_key(bed, "one"), make_key(bed, "two")
    lines = bed.write("lines", 'command="echo forced" %s\nno-port-forwarding %s\n' % (public(one), public(two)))
    server = start_aditd(bed, AuthorizedKeysFile=lines, AuthenticationMethods="publickey,publickey")
    at = Attempts(bed, server)
    for keys in ((one, two), (two, one)):
        assert at.lets_in(*keys, command="echo asked") == "forced\n"
        done = at.run(*keys, options=["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9"])
        assert done.returncode == 255 and "forwarding failed" in done.stderr


def test_lists_of_two_steps_are_not_added_up(bed):
    """What one key may open is no permission for the other."""
    one, two = make_key(bed, "one"), make_key(bed, "two")
    lines = bed.write("lines", 'permitopen="a:1" %s\npermitopen="b:1" %s\n' % (public(one), public(two)))
    server = start_aditd(bed, AuthorizedKeysFile=lines, AuthenticationMethods="publickey,publickey")
    Attempts(bed, server).refuses("the options of two steps do not go together", one, two)


def test_a_method_before_its_turn_is_refused(bed):
    key = make_key(bed, "key")
    at = server_of(bed, (key,), "password,publickey")
    done = at.run(key)
    assert done.returncode == 255 and "Permission denied (password)" in done.stderr


def test_a_list_that_cannot_be_fulfilled_lets_nobody_in(bed):
    key = make_key(bed, "key")
    at = server_of(bed, (key,), "publickey,hostbased")
    done = at.run(key)
    assert done.returncode == 255 and "Accepted" not in at.server.log


def test_a_device_that_is_not_there_fulfils_nothing(bed):
    account, key = Account(bed, "the password"), make_key(bed, "key")
    account.authorize(public(key))
    for device, is_enough in (("bsdauth", True), ("pam", False)):
        server = start_aditd(bed, AuthorizedKeysFile=".ssh/authorized_keys", UsePAM="no",
                           AuthenticationMethods="publickey,keyboard-interactive:" + device)
        done = Attempts(bed, server, account.name).run(
            key, password="the password", methods="publickey,keyboard-interactive")
        assert (done.returncode == 0) == is_enough, done.stderr


def test_a_key_and_a_password_are_asked_for_in_turn(bed):
    account, key = Account(bed, "the password"), make_key(bed, "key")
    account.authorize(public(key))
    server = start_aditd(bed, AuthorizedKeysFile=".ssh/authorized_keys", StrictModes="yes",
                       AuthenticationMethods="publickey,password publickey,keyboard-interactive")
    at = Attempts(bed, server, account.name)
    for method in ("password", "keyboard-interactive"):
        assert at.lets_in(key, password="the password", methods="publickey," + method, command="id -un") == account.name + "\n"
        done = at.run(key, password="wrong", methods="publickey," + method)
        assert done.returncode == 255
    done = at.run(password="the password", methods="password")
    assert done.returncode == 255 and "Permission denied (publickey)" in done.stderr
