"""Passwords and accounts: a test account of this machine, made and removed by root."""

import os
import subprocess

import pytest

from bed import BIN, USER
from login_help import Account, Attempts, make_key, needs_root, public, start_aditd

pytestmark = pytest.mark.short

RIGHT, WRONG = "right & proper 'password'", "wrong"


def serve(bed, account, **options):
    return Attempts(bed, start_aditd(bed, AuthorizedKeysFile=".ssh/authorized_keys", StrictModes="yes", **options), account.name)


@pytest.mark.parametrize("methods", ["password", "keyboard-interactive"])
def test_the_right_password_logs_in_and_no_other(bed, methods):
    account = Account(bed, RIGHT)
    at = serve(bed, account)
    assert at.lets_in(methods=methods, password=RIGHT, command="id -u") == "%d\n" % account.uid
    at.wait_new("Accepted %s for %s from" % (methods.replace("-", "."), account.name))
    at.refuses("the password is wrong", methods=methods, password=WRONG)
    at.refuses("PermitEmptyPasswords no", methods=methods, password="")
    assert RIGHT not in at.server.log and WRONG + "'" not in at.server.log


def test_passwords_can_be_switched_off(bed):
    account = Account(bed, RIGHT)
    at = serve(bed, account, PasswordAuthentication="no", KbdInteractiveAuthentication="no")
    for methods in ("password", "keyboard-interactive"):
        done = at.run(methods=methods, password=RIGHT)
        assert done.returncode == 255 and "Permission denied (publickey)" in done.stderr


def test_an_empty_password_needs_permission(bed):
    account = Account(bed, "")
    serve(bed, account).refuses("PermitEmptyPasswords no", methods="password", password="")
    at = serve(bed, account, PermitEmptyPasswords="yes")
    at.lets_in(methods="password", password="")
    at.refuses("the password is wrong", methods="password", password="x")


def test_nobody_learns_who_exists(bed):
    account = Account(bed, RIGHT)
    at = serve(bed, account)
    known = at.run(methods="password", password=WRONG)
    at.user = "nobody-like-this"
    unknown = at.run(methods="password", password=RIGHT)
    at.wait_new("Refused nobody-like-this from .*: no such account")
    assert known.stderr.replace(account.name, "X") == unknown.stderr.replace(at.user, "X")


def test_root_s_password_is_not_asked_by_default(bed):
    needs_root()
    server = start_aditd(bed, AuthorizedKeysFile="none")
    Attempts(bed, server, "root").refuses("PermitRootLogin prohibit-password", methods="password", password="x")


def test_a_key_logs_in_as_its_account_and_reads_as_it(bed):
    account, key = Account(bed), make_key(bed, "key")
    at = serve(bed, account)
    account.authorize(public(key))
    assert at.lets_in(key, command="id -u; id -g; id -G; pwd") == "%d\n%d\n%d\n%s\n" % (
        account.uid, account.gid, account.gid, account.home)
    os.chmod(account.home / ".ssh/authorized_keys", 0o000)
    at.refuses("not listed", key)  # root could read it; the account cannot
    os.chmod(account.home / ".ssh/authorized_keys", 0o602)
    at.refuses("not listed", key)
    at.wait_new("bad ownership or modes for file")


@pytest.mark.parametrize(
    "account, options, rule",
    [
        (dict(hashed="!"), {}, "the account is locked"),
        (dict(expired=True), {}, "the account has expired"),
        (dict(shell="/no/such/shell"), {}, "shell /no/such/shell does not exist"),
        (dict(shell="/etc/passwd"), {}, "shell /etc/passwd is not executable"),
        (dict(), dict(AllowUsers="somebody else"), r"AllowUsers \(sshd_config\)"),
        (dict(), dict(DenyUsers="adit*"), r"DenyUsers \(sshd_config\)"),
        (dict(), dict(AllowGroups="wheel"), r"AllowGroups \(sshd_config\)"),
        (dict(groups=("games",)), dict(DenyGroups="games"), r"DenyGroups \(sshd_config\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_account_that_may_not_log_in_is_refused_by_name_of_the_rule(bed, account, options, rule):
    account, key = Account(bed, **account), make_key(bed, "key")
    account.authorize(public(key))
    serve(bed, account, **options).refuses(rule, key)


def test_groups_are_asked_in_match_and_lists(bed):
    account, key = Account(bed, groups=("games", "users")), make_key(bed, "key")
    account.authorize(public(key))
    at = serve(bed, account, AllowGroups="games", Match="Group users\nForceCommand echo forced")
    assert at.lets_in(key, command="echo asked") == "forced\n"
    assert subprocess.run(["id", "-Gn", account.name], capture_output=True, text=True).stdout.count("games") == 1
    assert USER != account.name


def test_a_password_that_nobody_has_locks_no_key_out_where_pam_is_asked_for(bed):
    """As sshd with PAM: Debian's stock file says UsePAM yes, and useradd makes such accounts."""
    account, key = Account(bed, hashed="!"), make_key(bed, "key")
    account.authorize(public(key))
    serve(bed, account, UsePAM="yes").lets_in(key)
    serve(bed, account, UsePAM="no").refuses("the account is locked", key)


# ---- PAM, where it is built in (meson -Dpam=enabled) ----


def has_pam(folder):
    return "libpam" in subprocess.run(["ldd", str(folder / "aditd-authz")], capture_output=True, text=True).stdout


@pytest.fixture
def pam():
    """An aditd with PAM: "make test" builds one with clang beside the one without."""
    needs_root()
    folders = [folder for folder in (BIN, BIN.parent.with_name(BIN.parent.name.removesuffix("-asan") + "-clang") / "bin") if has_pam(folder)]
    if not folders:
        pytest.skip("no build with PAM is there")
    if not os.path.exists("/etc/pam.d/sshd"):
        pytest.skip("no PAM service sshd")
    return str(folders[0] / "aditd")


@pytest.mark.parametrize("methods", ["password", "keyboard-interactive"])
def test_pam_asks_and_decides(bed, pam, methods):
    account = Account(bed, RIGHT)
    at = serve(bed, account, program=pam, UsePAM="yes")
    assert at.lets_in(methods=methods, password=RIGHT, command="id -u") == "%d\n" % account.uid
    at.refuses(r"PAM \(sshd auth\): ", methods=methods, password=WRONG)


def test_pam_s_account_rules_hold_for_keys_and_a_lock_does_not(bed, pam):
    account, key = Account(bed, hashed="!"), make_key(bed, "key")
    account.authorize(public(key))
    at = serve(bed, account, program=pam, UsePAM="yes")
    at.lets_in(key)
    subprocess.run(["usermod", "-e", "2001-01-01", account.name], check=True)
    at.refuses(r"PAM \(sshd account\): ", key)


def test_pam_s_word_changes_no_rule(bed, pam):
    account = Account(bed, RIGHT)
    serve(bed, account, program=pam, UsePAM="yes", DenyUsers="adit*").refuses(r"DenyUsers \(sshd_config\)", methods="password", password=RIGHT)
