"""How adit logs in: keys and their passphrases, certificates, passwords, questions of the server; at
OpenSSH's sshd and at aditd alike, and at other people's servers.
"""

import os
import shutil
import signal
import subprocess

import pytest

from bed import ADIT, USER, descendants_of, free_port, listening, wait_listen
from login_help import Account, certify, keygen, make_key, public
from prompt_help import Askpass, Terminal

SERVERS = ("sshd", "aditd")
PASSWORD = "Pässwort mit 7 Zeichen\\!'\""


class Client:
    """adit towards one server, without any key of its own unless it is told one."""

    def __init__(self, bed, server, user=USER):
        self.bed, self.server, self.user = bed, server, user
        self.known = bed.known_hosts(server)

    def argv(self, *args, batch=False):
        argv = [ADIT, "-F", "none", "-p", str(self.server.port), "-v", "-N"]
        argv += ["-o", "UserKnownHostsFile=" + self.known, "-o", "GlobalKnownHostsFile=none"]
        argv += ["-o", "BatchMode=yes"] if batch else []
        return argv + [str(a) for a in args] + ["%s@%s" % (self.user, self.server.address)]

    def start(self, *args, askpass=None, env=None, batch=False):
        env = env or (askpass.env if askpass else self.bed.env)
        return self.bed.run(self.argv(*args, batch=batch), name="adit", env=env, start_new_session=True)

    def lets_in(self, *args, by="publickey", **more):
        adit = self.start(*args, **more)
        adit.wait_line(r'Authenticated to \S+ \(\[127.0.0.1\]:%d\) using "%s"' % (self.server.port, by))
        adit.stop()
        return adit

    def refuses(self, *args, **more):
        adit = self.start(*args, **more)
        assert adit.wait() == 255
        return adit


def serve(bed, name, account=None, **options):
    """A server that takes what the account has."""
    if account:
        options.setdefault("AuthorizedKeysFile", account.home / ".ssh/authorized_keys")
    return bed.server(name, **options)


@pytest.fixture(params=SERVERS)
def server_name(request):
    return request.param


# ---- passwords ----


def password_server(bed, name, password=PASSWORD, **options):
    account = Account(bed, password=password)
    server = serve(bed, name, account, PasswordAuthentication="yes", KbdInteractiveAuthentication="no", **options)
    return Client(bed, server, account.name)


def test_a_password_by_askpass(bed, server_name):
    client = password_server(bed, server_name)
    askpass = Askpass(bed, PASSWORD)
    client.lets_in(askpass=askpass, by="password")
    assert askpass.asked == ["%s@127.0.0.1's password: " % client.user]


def test_a_wrong_password_is_asked_for_again(bed, server_name):
    client = password_server(bed, server_name)
    askpass = Askpass(bed, "wrong", PASSWORD)
    adit = client.lets_in(askpass=askpass, by="password")
    assert "Permission denied, please try again." in adit.err
    assert len(askpass.asked) == 2


@pytest.mark.parametrize("prompts", [1, 2])
def test_a_password_has_as_many_tries_as_numberofpasswordprompts(bed, prompts):
    client = password_server(bed, "sshd")
    askpass = Askpass(bed, *["wrong"] * 9)
    adit = client.refuses("-o", "NumberOfPasswordPrompts=%d" % prompts, askpass=askpass)
    assert len(askpass.asked) == prompts
    assert adit.err.count("Permission denied, please try again.") == prompts - 1
    last = adit.err.strip().splitlines()[-1]
    assert last == "%s@127.0.0.1: Permission denied (publickey,password)." % client.user


@pytest.mark.parametrize("length", [1, 250])  # what libcrypt and its tools take; longer: paramiko below
def test_passwords_of_any_length(bed, server_name, length):
    client = password_server(bed, server_name, "x" * length)
    client.lets_in(askpass=Askpass(bed, "x" * length), by="password")


def test_batchmode_never_asks(bed):
    client = password_server(bed, "sshd")
    askpass = Askpass(bed, PASSWORD)
    adit = client.refuses(askpass=askpass, batch=True)
    assert askpass.asked == []
    assert "Permission denied (publickey,password)." in adit.err


@pytest.mark.parametrize("option", ["PasswordAuthentication=no", "PreferredAuthentications=publickey"])
def test_a_method_that_is_switched_off_is_not_tried(bed, option):
    client = password_server(bed, "sshd")
    askpass = Askpass(bed, PASSWORD)
    client.refuses("-o", option, askpass=askpass)
    assert askpass.asked == []


def test_nobody_to_ask_is_no_password(bed):
    client = password_server(bed, "sshd")
    adit = client.refuses()
    assert "Permission denied (publickey,password)." in adit.err
    assert "Failed password" not in client.server.log


# ---- a person at a terminal ----


def at_terminal(bed, client, *args):
    terminal = Terminal(bed, client.argv(*args))
    terminal.wait_text("%s@127.0.0.1's password: " % client.user)
    terminal.wait_silent()
    return terminal


def test_a_password_is_typed_unseen(bed, server_name):
    terminal = at_terminal(bed, password_server(bed, server_name, "s3cret wörd"))
    terminal.type("s3cret wörd\n")
    terminal.wait_text('using "password"')
    assert terminal.echoes()
    assert "s3cret" not in terminal.text


def test_an_interrupt_ends_it_and_puts_the_terminal_back(bed):
    terminal = at_terminal(bed, password_server(bed, "sshd"))
    terminal.type("half\x03")
    assert terminal.wait() in (255, -signal.SIGINT)
    assert terminal.echoes()


def test_a_stop_puts_the_terminal_back_and_the_question_comes_again(bed):
    client = password_server(bed, "sshd", "secret")
    terminal = at_terminal(bed, client)
    # A process whose group has no parent in its session is not stopped by ^Z: a shell is its parent.
    terminal.popen.kill()
    terminal.popen.wait(5)
    words = "'" + "' '".join(client.argv()) + "'"
    terminal = Terminal(bed, ["/bin/bash", "--norc", "-i", "-c", "set -m; %s; kill -0 $$; fg" % words])
    terminal.wait_text("password: ")
    terminal.wait_silent()
    terminal.type("half\x1a")
    terminal.wait_text("password: ", count=2)
    terminal.wait_silent()
    terminal.type("secret\n")
    terminal.wait_text('using "password"')


def test_a_password_for_the_background(bed):
    client = password_server(bed, "sshd", "secret")
    port = free_port()
    terminal = at_terminal(bed, client, "-f", "-o", "ExitOnForwardFailure=yes", "-L", "%d:127.0.0.1:1" % port)
    behind = descendants_of(terminal.popen.pid)
    bed.at_end(lambda: [os.kill(pid, signal.SIGTERM) for pid in behind])
    terminal.type("secret\n")
    assert terminal.wait() == 0
    assert listening(port)


def test_an_end_of_file_is_no_password(bed):
    client = password_server(bed, "sshd")
    terminal = at_terminal(bed, client)
    terminal.type("\x04")
    assert terminal.wait() == 255
    assert "Permission denied (publickey,password)." in terminal.text
    assert terminal.echoes()


# ---- keyboard-interactive ----


def test_answers_to_the_servers_questions(bed, server_name):
    account = Account(bed, password=PASSWORD)
    server = serve(bed, server_name, account, PasswordAuthentication="no", KbdInteractiveAuthentication="yes",
                   UsePAM="yes")
    client = Client(bed, server, account.name)
    askpass = Askpass(bed, "wrong", PASSWORD)
    client.lets_in(askpass=askpass, by="keyboard-interactive")
    assert len(askpass.asked) == 2
    assert askpass.asked[0].startswith("(%s@127.0.0.1) " % account.name)


# ---- passphrases ----


def encrypted(bed, name, kind="ed25519", *more):
    path = bed.path(name)
    keygen("-t", kind, "-N", "open sesame", "-C", name, "-f", path, *more)
    return path


def key_server(bed, name, *keys, **options):
    authorized = bed.write("authorized", "".join(public(key) + "\n" for key in keys))
    return Client(bed, bed.server(name, AuthorizedKeysFile=authorized, **options))


def test_an_encrypted_key_is_opened_when_the_server_wants_it(bed, server_name):
    key, other = encrypted(bed, "id_a"), encrypted(bed, "id_b")
    client = key_server(bed, server_name, key)
    askpass = Askpass(bed, "wrong", "open sesame")
    client.lets_in("-i", other, "-i", key, "-o", "IdentitiesOnly=yes", askpass=askpass)
    assert askpass.asked == ["Enter passphrase for key '%s': " % key] * 2


@pytest.mark.parametrize("form", ["PEM", "PKCS8"])
@pytest.mark.parametrize("has_pub", [True, False])
def test_encrypted_keys_of_other_forms(bed, form, has_pub):
    key = encrypted(bed, "id_pem", "ecdsa", "-m", form)
    client = key_server(bed, "sshd", key)
    if not has_pub:
        os.unlink(str(key) + ".pub")
    askpass = Askpass(bed, "open sesame")
    client.lets_in("-i", key, "-o", "IdentitiesOnly=yes", askpass=askpass)
    assert len(askpass.asked) == 1


def test_a_passphrase_has_as_many_tries_and_then_the_next_key_comes(bed):
    locked, key = encrypted(bed, "id_a"), make_key(bed, "id_b")
    client = key_server(bed, "sshd", locked, key)
    askpass = Askpass(bed, "wrong", "wrong", "wrong", "wrong")
    adit = client.lets_in("-i", locked, "-i", key, "-o", "IdentitiesOnly=yes", askpass=askpass)
    assert len(askpass.asked) == 3
    adit.wait_line("Server accepts key: .*id_b")


def test_an_encrypted_key_is_left_out_where_nobody_may_be_asked(bed):
    locked, key = encrypted(bed, "id_a"), make_key(bed, "id_b")
    client = key_server(bed, "sshd", locked, key)
    adit = client.lets_in("-i", locked, "-i", key, "-o", "IdentitiesOnly=yes", batch=True)
    assert 'id_a": it is encrypted' in adit.err


# ---- certificates ----


@pytest.fixture
def authority(bed):
    return make_key(bed, "ca")


def cert_server(bed, name, authority, **options):
    options.setdefault("AuthorizedKeysFile", "none")
    server = bed.server(name, TrustedUserCAKeys=str(authority) + ".pub", **options)
    return Client(bed, server)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_beside_its_key_is_found(bed, server_name, authority, kind):
    key = make_key(bed, "id_a", kind)
    certify(authority, key, "-n", USER)
    cert_server(bed, server_name, authority).lets_in("-i", key, "-o", "IdentitiesOnly=yes")


def test_a_certificate_in_the_place_of_the_pub_file(bed, authority):
    """It is shown instead of the key, unless that is named, too."""
    key, same = make_key(bed, "id_a"), bed.path("id_same")
    shutil.copy(key, same)
    shutil.copy(str(key) + ".pub", str(same) + ".pub")
    shutil.move(certify(authority, key, "-n", USER), str(key) + ".pub")
    client = cert_server(bed, "sshd", authority)
    adit = client.lets_in("-i", key, "-o", "IdentitiesOnly=yes")
    assert "ED25519-CERT" in adit.err
    adit = key_server(bed, "sshd", make_key(bed, "id_b")).refuses(
        "-i", key, "-i", same, "-o", "IdentitiesOnly=yes", batch=True)
    assert adit.err.count("Offering public key") == 2


def test_certificatefile_signs_by_the_identity_file(bed, server_name, authority):
    key = make_key(bed, "id_a")
    elsewhere = bed.path("elsewhere.pub")
    shutil.move(certify(authority, key, "-n", USER), elsewhere)
    client = cert_server(bed, server_name, authority)
    client.refuses("-i", key, "-o", "IdentitiesOnly=yes", batch=True)
    client.lets_in("-i", key, "-o", "CertificateFile=%s" % elsewhere, "-o", "IdentitiesOnly=yes")


def test_a_certificate_of_an_encrypted_key_without_pub(bed, authority):
    key = encrypted(bed, "id_a")
    certify(authority, key, "-n", USER)
    os.unlink(str(key) + ".pub")
    askpass = Askpass(bed, "open sesame")
    cert_server(bed, "sshd", authority).lets_in("-i", key, "-o", "IdentitiesOnly=yes", askpass=askpass)
    assert len(askpass.asked) == 1


def test_a_certificate_tells_the_public_half_of_an_encrypted_pem_key(bed, authority):
    key = encrypted(bed, "id_a", "ecdsa", "-m", "PEM")
    certify(authority, key, "-n", USER)
    os.unlink(str(key) + ".pub")
    askpass = Askpass(bed, "open sesame")
    cert_server(bed, "sshd", authority).lets_in("-i", key, "-o", "IdentitiesOnly=yes", askpass=askpass)
    assert len(askpass.asked) == 1


def test_a_certificate_whose_key_nobody_has_is_told(bed, authority):
    key, other = make_key(bed, "id_a"), make_key(bed, "id_b")
    certificate = certify(authority, key, "-n", USER)
    client = cert_server(bed, "sshd", authority)
    adit = client.refuses("-i", other, "-o", "CertificateFile=" + certificate, "-o", "IdentitiesOnly=yes", batch=True)
    assert "no key file and no agent has its private key" in adit.err


# ---- several steps, several keys ----


def test_two_keys_and_a_password(bed, server_name):
    account = Account(bed, password=PASSWORD)
    first, second = make_key(bed, "id_a"), make_key(bed, "id_b")
    account.authorize(public(first) + "\n" + public(second))
    server = serve(bed, server_name, account, PasswordAuthentication="yes", KbdInteractiveAuthentication="no",
                   AuthenticationMethods="publickey,publickey,password")
    client = Client(bed, server, account.name)
    askpass = Askpass(bed, PASSWORD)
    adit = client.lets_in("-i", first, "-i", second, "-o", "IdentitiesOnly=yes", askpass=askpass, by="password")
    assert adit.err.count('Authenticated using "publickey" with partial success.') == 2
    adit = client.refuses("-i", first, "-o", "IdentitiesOnly=yes", batch=True)
    assert adit.err.count("Offering public key") == 1  # what was used is not shown again
    assert "Permission denied (publickey)." in adit.err


def test_the_keys_that_were_refused_are_told(bed, server_name):
    keys = [make_key(bed, "id_%d" % i) for i in range(3)]
    client = key_server(bed, server_name, make_key(bed, "id_other"))
    adit = client.refuses(*[w for key in keys for w in ("-i", key)], "-o", "IdentitiesOnly=yes", batch=True)
    assert adit.err.count("offered there: ") == 3
    assert "Permission denied (publickey" in adit.err.strip().splitlines()[-1]


def test_too_many_keys_are_told_with_a_remedy(bed):
    keys = [make_key(bed, "id_%d" % i) for i in range(8)]
    client = key_server(bed, "sshd", keys[7], MaxAuthTries="3")
    adit = client.refuses(*[w for key in keys for w in ("-i", key)], "-o", "IdentitiesOnly=yes", batch=True)
    assert "Too many authentication failures" in adit.err
    assert "IdentitiesOnly=yes" in adit.err
    assert 1 < adit.err.count("offered there: ") < 8


@pytest.mark.parametrize("size, shown", [(2048, 1), (4096, 0)])
def test_requiredrsasize_leaves_shorter_keys_out(bed, size, shown):
    client = key_server(bed, "sshd", make_key(bed, "id_other"))
    adit = client.refuses(
        "-i", bed.keys.user("rsa3072"), "-o", "IdentitiesOnly=yes", "-o", "RequiredRSASize=%d" % size, batch=True)
    assert adit.err.count("Offering public key") == shown


def test_pubkeyacceptedalgorithms_decides_how_an_rsa_key_signs(bed, server_name):
    client = Client(bed, bed.server(server_name, PubkeyAcceptedAlgorithms="rsa-sha2-256"))
    login = ["-i", bed.keys.user("rsa2048"), "-o", "IdentitiesOnly=yes"]
    client.lets_in(*login, "-o", "PubkeyAcceptedAlgorithms=rsa-sha2-256")
    client.refuses(*login, "-o", "PubkeyAcceptedAlgorithms=rsa-sha2-512", batch=True)


# ---- none, and how many turns it takes ----


def test_the_only_key_takes_one_request(bed):
    """sshd logs each request: there is no `none`, and no question before the signature."""
    server = bed.sshd(level="DEBUG2")
    Client(bed, server).lets_in("-i", bed.keys.user(), "-o", "IdentitiesOnly=yes")
    server.wait_log("userauth-request for user .* method publickey-hostbound-v00@openssh.com .*attempt 0|"
                    "userauth-request for user \\S+ service ssh-connection method publickey-hostbound")
    assert server.log.count("userauth-request for user") == 1
    assert "method none" not in server.log


@pytest.mark.parametrize("word, method", [("yes", "publickey-hostbound-v00@openssh.com"), ("unbound", "publickey"),
                                          ("host-bound", "publickey-hostbound-v00@openssh.com")])
def test_pubkeyauthentication_says_whether_a_login_is_bound_to_the_host(bed, word, method):
    server = bed.sshd(level="DEBUG2")
    Client(bed, server).lets_in(
        "-i", bed.keys.user(), "-o", "IdentitiesOnly=yes", "-o", "PubkeyAuthentication=" + word)
    server.wait_log("userauth-request for user \\S+ service ssh-connection method %s " % method)


# ---- other people's servers ----


def stranger(bed, user, port, *args, **more):
    argv = [ADIT, "-F", "none", "-p", str(port), "-v", "-N", "-o", "StrictHostKeyChecking=no"]
    argv += ["-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=none", "-o", "IdentityFile=none", *args]
    return bed.run(argv + [user + "@127.0.0.1"], name="adit", start_new_session=True, **more)


@pytest.mark.skipif(not os.path.exists("/usr/sbin/dropbear"), reason="dropbear is not installed")
def test_dropbear_takes_a_password(bed):
    account = Account(bed, password="tropfen")
    key, port = str(bed.path("dropbear_key")), free_port()
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", key], check=True, capture_output=True)
    argv = ["/usr/sbin/dropbear", "-F", "-E", "-r", key, "-p", "127.0.0.1:%d" % port, "-P", bed.path("dropbear.pid")]
    wait_listen(bed.run(argv, name="dropbear"), port)
    askpass = Askpass(bed, "wrong", "tropfen")
    stranger(bed, account.name, port, env=askpass.env).wait_line('using "password"')


@pytest.fixture
def paramiko_server(bed):
    """A paramiko server that a test tells what to ask; (port, what it was answered)."""
    paramiko = pytest.importorskip("paramiko")
    answers = []

    class Interface(paramiko.ServerInterface):
        questions = None  # (name, instruction, (prompt, echo)...)

        def get_allowed_auths(self, username):
            return "keyboard-interactive" if self.questions else "password"

        def check_auth_password(self, username, password):
            answers.append(password)
            return paramiko.AUTH_SUCCESSFUL

        def check_auth_interactive(self, username, submethods):
            answers.append(submethods)
            return paramiko.InteractiveQuery(*self.questions)

        def check_auth_interactive_response(self, responses):
            answers.extend(responses)
            return paramiko.AUTH_SUCCESSFUL

    def serve(s):
        transport = paramiko.Transport(s)
        transport.add_server_key(paramiko.ECDSAKey.from_private_key_file(bed.keys.host("ecdsa256")))
        transport.start_server(server=Interface())
        transport.join(20)

    return bed.target(serve).port, answers, Interface


def test_paramiko_takes_the_longest_password(bed, paramiko_server):
    port, answers, _ = paramiko_server
    longest = "ß" + "x" * 1021
    askpass = Askpass(bed, longest)
    stranger(bed, "ada", port, env=askpass.env).wait_line('using "password"')
    assert answers == [longest]


def test_a_password_that_is_too_long_is_not_sent(bed, paramiko_server):
    port, answers, _ = paramiko_server
    askpass = Askpass(bed, "x" * 1024)
    adit = stranger(bed, "ada", port, env=askpass.env)
    assert adit.wait() == 255
    assert "longer than 1023 bytes" in adit.err
    assert answers == []


def test_a_password_that_is_too_old_is_changed(bed, paramiko_server, monkeypatch):
    """RFC 4252 8, which paramiko's server does not know: it is taught here."""
    paramiko = pytest.importorskip("paramiko")
    port, answers, _ = paramiko_server

    def on_request(handler, m):
        user, _service, method = m.get_text(), m.get_text(), m.get_text()
        if method != "password":
            handler._send_auth_result(user, method, paramiko.AUTH_FAILED)
            return
        changes = m.get_boolean()
        answers.append((m.get_text(), m.get_text() if changes else None))
        handler.auth_username = user
        if changes:
            handler._send_auth_result(user, method, paramiko.AUTH_SUCCESSFUL)
            return
        reply = paramiko.Message()
        reply.add_byte(bytes([60]))
        reply.add_string("Your password is 100 years old.")
        reply.add_string("")
        handler.transport._send_message(reply)

    monkeypatch.setitem(paramiko.auth_handler.AuthHandler._server_handler_table, 50, on_request)
    askpass = Askpass(bed, "old", "old", "new", "misspelt", "new", "new")
    adit = stranger(bed, "ada", port, env=askpass.env)
    adit.wait_line('using "password"')
    assert answers == [("old", None), ("old", "new")]
    assert "Your password is 100 years old." in adit.err and "Mismatch; try again" in adit.err
    assert askpass.asked == ["ada@127.0.0.1's password: ", "Enter ada@127.0.0.1's old password: "] + [
        "Enter ada@127.0.0.1's new password: ", "Retype ada@127.0.0.1's new password: "] * 2


def test_what_a_server_asks_cannot_paint_on_the_terminal(bed, paramiko_server):
    port, answers, interface = paramiko_server
    interface.questions = ("na\x1b]0;me\x07", "line one\r\nline \x1b[2J two\n", ("Code\x1b[31m?\n> ", True), ("é: ", False))
    argv = [ADIT, "-F", "none", "-p", str(port), "-v", "-N", "-o", "StrictHostKeyChecking=no"]
    argv += ["-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityFile=none"]
    terminal = Terminal(bed, argv + ["ada@127.0.0.1"])
    terminal.wait_text(r"\(ada@127.0.0.1\) Code\\033\[31m\?\r?\n> ")
    assert terminal.echoes()
    terminal.type("seen\n")
    terminal.wait_text(r"\(ada@127.0.0.1\) é: ")
    terminal.wait_silent()
    terminal.type("unseen\n")
    terminal.wait_text('using "keyboard-interactive"')
    assert answers[1:] == ["seen", "unseen"]  # paramiko takes the language for the devices
    assert "\x1b" not in terminal.text and "\x07" not in terminal.text
    assert "line one" in terminal.text and "unseen" not in terminal.text
