"""AuthorizedKeysCommand and AuthorizedPrincipalsCommand: what they get, as whom, and when they count."""

import os

import pytest

from bed import IS_ROOT, USER
from login_help import Attempts, certify, make_key, program_folder, public, start_aditd, write_program

pytestmark = pytest.mark.short

RUN_AS = "nobody" if IS_ROOT else USER


def command_server(bed, program, arguments="", **more):
    options = dict(AuthorizedKeysCommand="%s %s" % (program, arguments), AuthorizedKeysCommandUser=RUN_AS)
    options.update(AuthorizedKeysFile="none", **more)
    return Attempts(bed, start_aditd(bed, **options))


def test_a_command_lists_the_keys_it_is_asked_about(bed):
    key, other = make_key(bed, "key"), make_key(bed, "other")
    words = public(key).split()
    lines = [
        'test "$(id -un)" = %s || exit 4' % RUN_AS,
        'test "$1" = %s && test "$2" = %s && test "$3" = %s || exit 0' % (USER, words[0], words[1]),
        'test -z "$SSH_CONNECTION$SECRET" && test "$LOGNAME" = %s || exit 5' % RUN_AS,
        'case "$4" in SHA256:*) echo "no-pty %s";; esac' % public(key),
    ]
    program = write_program(program_folder(bed), "keys", "\n".join(lines))
    bed.env["SECRET"] = "of the one who started aditd"
    at = command_server(bed, program, "%u %t %k %f")
    at.lets_in(key)
    at.refuses("not listed", other)


def test_without_arguments_a_command_gets_the_name(bed):
    key = make_key(bed, "key")
    program = write_program(program_folder(bed), "keys", 'test "$#$1" = 1%s && echo "%s"' % (USER, public(key)))
    command_server(bed, program).lets_in(key)


def test_a_command_that_fails_lists_nobody(bed):
    key = make_key(bed, "key")
    program = write_program(program_folder(bed), "keys", 'echo "%s"; exit 1' % public(key))
    at = command_server(bed, program)
    at.refuses("not listed", key)
    at.wait_new("AuthorizedKeysCommand ended with status 1")


def test_the_files_come_behind_the_command(bed):
    key = make_key(bed, "key")
    program = write_program(program_folder(bed), "keys", "exit 0")
    command_server(bed, program).refuses("not listed", key)
    server = start_aditd(bed, AuthorizedKeysCommand=program, AuthorizedKeysCommandUser=RUN_AS,
                       AuthorizedKeysFile=bed.write("lines", public(key) + "\n"))
    Attempts(bed, server).lets_in(key)


def test_a_program_that_others_may_change_is_not_run(bed):
    key = make_key(bed, "key")
    program = write_program(program_folder(bed), "keys", 'echo "%s"' % public(key))
    os.chmod(program, 0o777)
    at = command_server(bed, program)
    at.refuses("not listed", key)
    at.wait_new("others than root may change it")


def test_a_principals_command_lists_principals(bed):
    authority, key = make_key(bed, "authority"), make_key(bed, "key")
    certify(authority, key, "-n", "ops", "-z", 5, key_id="the id")
    lines = [
        'test "$(id -un)" = %s || exit 4' % RUN_AS,
        'test "$1|$2|$3" = "%s|the id|5" || exit 0' % USER,
        'test "$4" = ssh-ed25519-cert-v01@openssh.com && test "$5" = ssh-ed25519 || exit 0',
        "echo dev; echo 'command=\"echo by principal\" ops'",
    ]
    program = write_program(program_folder(bed), "principals", "\n".join(lines))
    options = dict(TrustedUserCAKeys=str(authority) + ".pub", AuthorizedKeysFile="none",
                   AuthorizedPrincipalsCommandUser=RUN_AS)
    server = start_aditd(bed, AuthorizedPrincipalsCommand="%s %%u %%i %%s %%t %%T" % program, **options)
    at = Attempts(bed, server)
    assert at.lets_in(key, command="echo asked") == "by principal\n"
    certify(authority, key, "-n", "ops", "-z", 6, key_id="the id")
    at.refuses("principal not listed", key)
