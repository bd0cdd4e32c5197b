"""adit and the user's agent: keys it may use, keys it is given, hosts it is told about, and the agent
lent to the other side; at OpenSSH's sshd and at aditd alike.
"""

import base64
import os
import re
import signal
import socket
import struct
import subprocess
import threading

import pytest

from bed import ADIT, USER, receive_exactly, until
from login_help import certify, keygen, make_key, public
from prompt_help import Askpass

SERVERS = ("sshd", "aditd")


@pytest.fixture(params=SERVERS)
def server_name(request):
    return request.param


class Agent:
    def __init__(self, bed, name="agent", env=None, options=()):
        self.path = str(bed.path(name + ".sock"))
        self.env = dict(env or bed.env, SSH_AUTH_SOCK=self.path)
        self.process = bed.run(["ssh-agent", "-D", "-a", self.path, *options], name="ssh-agent", env=self.env)
        until(lambda: self.add("-l").returncode != 2, "the agent to answer")

    def add(self, *words, **more):
        return subprocess.run(["ssh-add", *[str(w) for w in words]], env=dict(self.env, **more),
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def take(self, *words, **more):
        done = self.add("-q", *words, **more)
        assert done.returncode == 0, done.stderr

    @property
    def keys(self):
        return [" ".join(line.split()[:2]) for line in self.add("-L").stdout.splitlines() if line[:4] in ("ssh-", "ecds")]


@pytest.fixture
def agent(bed):
    return Agent(bed)


def plain(key):
    return " ".join(public(key).split()[:2])


def argv(bed, server, *args, known=None):
    words = [ADIT, "-F", "none", "-p", str(server.port), "-v"]
    words += ["-o", "UserKnownHostsFile=" + (known or bed.known_hosts(server)), "-o", "GlobalKnownHostsFile=none"]
    return words + [str(a) for a in args] + [bed.login(server)]


def log_in(bed, server, *args, env):
    """adit without a session, up to the end of the login."""
    adit = bed.run(argv(bed, server, "-N", *args), name="adit", env=env, start_new_session=True)
    adit.wait_line('using "publickey"')
    return adit


def run(bed, server, command, *args, env):
    return subprocess.run(argv(bed, server, *args) + [command], env=env, capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL)


def key_server(bed, name, *keys, **options):
    return bed.server(name, AuthorizedKeysFile=bed.write("authorized", "".join(public(k) + "\n" for k in keys)), **options)


# ---- keys of the agent ----


@pytest.mark.parametrize("option", [[], ["-o", "IdentityAgent=SSH_AUTH_SOCK"], ["-o", "IdentityAgent=$OTHER"]])
def test_the_agent_is_found(bed, agent, option):
    key = make_key(bed, "id_a")
    agent.take(key)
    os.unlink(key)
    log_in(bed, key_server(bed, "sshd", key), *option, env=dict(agent.env, OTHER=agent.path))


def test_an_encrypted_key_that_the_agent_holds_asks_nobody(bed, agent, server_name):
    key = bed.path("id_a")
    keygen("-t", "ed25519", "-N", "open sesame", "-f", key)
    askpass = Askpass(bed, "open sesame")
    agent.take(key, **{k: askpass.env[k] for k in ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY")})
    log_in(bed, key_server(bed, server_name, key), "-i", key, "-o", "BatchMode=yes", env=agent.env)


def test_a_certificate_file_with_the_agents_key(bed, agent, server_name):
    authority, key = make_key(bed, "ca"), make_key(bed, "id_a")
    agent.take(key)
    certificate = certify(authority, key, "-n", USER)
    os.unlink(key)
    os.unlink(str(key) + ".pub")
    server = bed.server(server_name, TrustedUserCAKeys=str(authority) + ".pub", AuthorizedKeysFile="none")
    adit = log_in(bed, server, "-o", "CertificateFile=" + certificate, "-o", "IdentitiesOnly=yes", env=agent.env)
    assert adit.err.count("Offering public key") == 1


def test_a_certificate_in_the_agent_and_one_as_identity(bed, agent):
    authority, key = make_key(bed, "ca"), make_key(bed, "id_a")
    certificate = certify(authority, key, "-n", USER)
    agent.take(key)  # ssh-add takes KEY-cert.pub along
    assert len(agent.keys) == 2
    server = bed.sshd(TrustedUserCAKeys=str(authority) + ".pub", AuthorizedKeysFile="none")
    moved = bed.path("moved-cert.pub")
    os.rename(certificate, moved)
    os.unlink(key)
    log_in(bed, server, env=agent.env)
    log_in(bed, server, "-i", moved, "-o", "IdentitiesOnly=yes", env=agent.env)


def test_many_keys_in_the_agent_do_not_burn_the_one_that_is_named(bed, agent, server_name):
    key = make_key(bed, "id_right")
    for i in range(8):
        agent.take(make_key(bed, "id_%d" % i))
    server = key_server(bed, server_name, key, MaxAuthTries="3")
    adit = log_in(bed, server, "-i", key, env=agent.env)
    assert adit.err.count("Offering public key") == 1


def test_an_agent_that_says_nothing_is_left(bed):
    """A stopped agent takes connections and questions for ever."""
    path = str(bed.path("deaf.sock"))
    deaf = socket.socket(socket.AF_UNIX)
    deaf.bind(path)
    deaf.listen(4)
    bed.at_end(deaf.close)
    key = make_key(bed, "id_a")
    adit = log_in(bed, key_server(bed, "sshd", key), "-i", key, env=dict(bed.env, SSH_AUTH_SOCK=path))
    assert "does not answer" in adit.err


def test_a_locked_agent_has_no_keys(bed, agent):
    key, other = make_key(bed, "id_a"), make_key(bed, "id_b")
    agent.take(key)
    askpass = Askpass(bed, "lock", "lock")
    locked = agent.add("-x", **{k: askpass.env[k] for k in ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY")})
    assert "Agent locked" in locked.stdout + locked.stderr
    adit = log_in(bed, key_server(bed, "sshd", other), "-i", other, "-o", "BatchMode=yes", env=agent.env)
    assert adit.err.count("Offering public key") == 1


SK_DUMMY = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"


@pytest.mark.skipif(not os.path.exists(SK_DUMMY), reason="openssh-tests has the security key that is none")
@pytest.mark.parametrize("kind", ["ed25519-sk", "ecdsa-sk"])
def test_a_security_key_signs_through_the_agent(bed, kind):
    env = dict(bed.env, SSH_SK_PROVIDER=SK_DUMMY)
    agent = Agent(bed, env=env, options=["-P", "*"])
    key = bed.path("id_sk")
    made = subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key], env=env, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    agent.take("-S", SK_DUMMY, key)
    server = key_server(bed, "sshd", key)
    log_in(bed, server, "-i", key, "-o", "IdentitiesOnly=yes", env=agent.env)
    done = run(bed, server, "true", "-i", key, "-o", "BatchMode=yes", env=bed.env)
    assert done.returncode == 255
    assert "security key's, which takes an agent" in done.stderr


# ---- keys restricted to hosts ----


def restricted(bed, agent, server, key, path=()):
    """The key may be used to log in at the server (by way of the hosts of path) alone."""
    known = bed.write("known_for_agent", "".join(
        "%s %s\n" % (name, bed.keys.public("host", s.host_kind)) for name, s in list(path) + [("server", server)]))
    hops = [name for name, _ in path] + ["server"]
    constraints = ["-h", hops[0]]
    for before, after in zip(hops, hops[1:]):
        constraints += ["-h", "%s>%s" % (before, after)]
    agent.take("-H", known, *constraints, key)
    os.unlink(key)


def test_a_restricted_key_is_used_for_its_host_alone(bed, agent, server_name):
    key = make_key(bed, "id_a")
    right, wrong = key_server(bed, server_name, key), key_server(bed, server_name, key, host_kinds=("ecdsa256",))
    restricted(bed, agent, right, key)
    log_in(bed, right, env=agent.env)
    done = run(bed, wrong, "true", "-v", "-o", "BatchMode=yes", env=agent.env)
    assert done.returncode == 255
    assert "id_a" not in done.stderr.replace("id_a type", "")  # the agent does not even show it


# ---- AddKeysToAgent ----


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_that_was_used_is_given_to_the_agent(bed, agent, kind):
    key = bed.path("id_a")
    keygen("-t", kind, "-N", "open sesame", "-f", key)
    server = key_server(bed, "sshd", key)
    askpass = Askpass(bed, "open sesame")
    env = dict(askpass.env, SSH_AUTH_SOCK=agent.path)
    log_in(bed, server, "-i", key, "-o", "AddKeysToAgent=yes", env=env)
    assert agent.keys == [plain(key)]
    os.unlink(key)
    log_in(bed, server, env=agent.env)  # and the agent signs by it


def test_a_key_is_given_for_a_time(bed, agent):
    key = make_key(bed, "id_a")
    log_in(bed, key_server(bed, "sshd", key), "-i", key, "-o", "AddKeysToAgent=1s", env=agent.env)
    until(lambda: agent.keys == [], "the key to expire")


def test_a_key_is_not_given_unless_asked_for(bed, agent):
    key = make_key(bed, "id_a")
    log_in(bed, key_server(bed, "sshd", key), "-i", key, env=agent.env)
    assert agent.keys == []


@pytest.mark.parametrize("answer, count", [("exit 0", 1), ("exit 1", 0)])
def test_a_person_is_asked_before_a_key_is_given(bed, agent, answer, count):
    key = make_key(bed, "id_a")
    asked = bed.path("asked")
    script = "#!/bin/sh\necho \"$1 $SSH_ASKPASS_PROMPT\" >%s\n%s\n" % (asked, answer)
    env = dict(agent.env, SSH_ASKPASS=bed.write("ask", script, 0o700), SSH_ASKPASS_REQUIRE="force", DISPLAY=":9")
    log_in(bed, key_server(bed, "sshd", key), "-i", key, "-o", "AddKeysToAgent=ask", env=env)
    assert len(agent.keys) == count
    assert re.match(r"Add key \S*id_a to agent\?.* confirm$", asked.read_text().strip())


def test_a_key_may_be_given_to_an_agent_that_asks_before_each_use(bed):
    used = bed.path("used")
    refuse = bed.write("refuse", "#!/bin/sh\necho \"$1\" >>%s\nexit 1\n" % used, 0o700)
    agent = Agent(bed, env=dict(bed.env, SSH_ASKPASS=refuse, SSH_ASKPASS_REQUIRE="force", DISPLAY=":9"))
    key = make_key(bed, "id_a")
    server = key_server(bed, "sshd", key)
    log_in(bed, server, "-i", key, "-o", "AddKeysToAgent=confirm", env=dict(bed.env, SSH_AUTH_SOCK=agent.path))
    os.unlink(key)
    done = subprocess.run(argv(bed, server, "-N", "-o", "BatchMode=yes"), env=agent.env, capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 255 and "the agent refused" in done.stderr
    assert "Allow use of key" in used.read_text()


# ---- the agent lent to the other side ----

LIST = "ssh-add -L"


@pytest.mark.parametrize("option", [["-A"], ["-o", "ForwardAgent=yes"], ["-o", "ForwardAgent=$OTHER"], "path"])
def test_a_command_reaches_the_agent(bed, agent, server_name, option):
    key = make_key(bed, "id_a")
    agent.take(key)
    server = key_server(bed, server_name, key)
    env = dict(agent.env, OTHER=agent.path)
    option = ["-o", "ForwardAgent=" + agent.path] if option == "path" else option
    done = run(bed, server, LIST, *option, env=env)
    assert done.stdout.startswith(plain(key)), done.stderr


@pytest.mark.parametrize("option", [[], ["-a"], ["-A", "-o", "IdentityAgent=none", "-i", "KEY"]])
def test_nobody_reaches_the_agent_who_did_not_ask(bed, agent, server_name, option):
    key = make_key(bed, "id_a")
    agent.take(key)
    option = [str(key) if word == "KEY" else word for word in option]
    done = run(bed, key_server(bed, server_name, key), "echo sock=$SSH_AUTH_SOCK", *option, env=agent.env)
    assert done.stdout == "sock=\n", done.stderr


def test_a_signature_through_two_hosts(bed, agent, server_name):
    """The command on the first server logs in to a second one, by a key that only the agent here has."""
    key = make_key(bed, "id_a")
    first, second = key_server(bed, server_name, key), key_server(bed, "sshd", key)
    agent.take(key)
    os.unlink(key)
    command = "%s -F none -p %d -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null %s echo there"
    done = run(bed, first, command % (ADIT, second.port, bed.login(second)), "-A", env=agent.env)
    assert done.stdout == "there\n", done.stderr


@pytest.mark.parametrize("is_permitted", [True, False])
def test_a_restricted_key_goes_only_the_way_it_may(bed, agent, server_name, is_permitted):
    """The agent verifies each hop: session-bind by us for the first one, by the second client for the next."""
    key = make_key(bed, "id_a")
    first, second = key_server(bed, server_name, key), key_server(bed, "sshd", key, host_kinds=("ecdsa256",))
    third = key_server(bed, "sshd", key, host_kinds=("rsa3072",))
    restricted(bed, agent, second if is_permitted else third, key, path=[("first", first)])
    command = "%s -F none -p %d -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null %s echo there"
    done = run(bed, first, command % (ADIT, second.port, bed.login(second)), "-A", env=agent.env)
    assert done.stdout == ("there\n" if is_permitted else ""), done.stderr


class Listener:
    """An agent's socket that remembers the first message of each connection, and answers it as told."""

    def __init__(self, bed, answer):
        self.path, self.first, self.answer = str(bed.path("listener.sock")), [], answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(8)
        bed.at_end(self.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)  # a thread in accept would go on with a number that is used anew
        self.socket.close()

    def serve(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(s,), daemon=True).start()

    def talk(self, s):
        try:
            while True:
                size = struct.unpack(">I", receive_exactly(s, 4))[0]
                message = receive_exactly(s, size)
                self.first.append(message)
                s.sendall(self.answer(message))
        except (AssertionError, OSError):
            s.close()


def frame(body):
    return struct.pack(">I", len(body)) + body


def test_the_agent_hears_first_through_which_host_it_is_asked(bed, server_name):
    """An agent that knows no hosts says so, and is used as ever."""
    empty = frame(b"\x0c" + struct.pack(">I", 0))
    listener = Listener(bed, lambda m: frame(b"\x05") if m[0] == 27 else empty)
    server = bed.server(server_name)
    done = run(bed, server, LIST, "-o", "ForwardAgent=" + listener.path, "-i", bed.keys.user(), env=bed.env)
    assert "The agent has no identities" in done.stdout + done.stderr
    bind, asked = listener.first
    assert bind[0] == 27 and b"session-bind@openssh.com" in bind and bind[-1] == 1
    assert asked[0] == 11


def test_an_interrupt_ends_the_wait_for_an_agent_that_does_not_sign(bed):
    """It may be asking its owner, who is not there: that may take two minutes."""
    key = make_key(bed, "id_a")
    blob = base64.b64decode(public(key).split()[1])
    one = frame(b"\x0c" + struct.pack(">I", 1) + frame(blob) + frame(b"mine"))
    listener = Listener(bed, lambda m: {27: frame(b"\x05"), 11: one}.get(m[0], b""))
    server = key_server(bed, "sshd", key)
    os.unlink(key)
    adit = bed.run(argv(bed, server, "-N"), name="adit", env=dict(bed.env, SSH_AUTH_SOCK=listener.path))
    until(lambda: [m for m in listener.first if m[0] == 13], "the question to sign")
    adit.signal(signal.SIGINT)
    assert adit.wait(within_s=5) == -signal.SIGINT


@pytest.mark.parametrize("answer", [b"\xff\xff\xff\xff", b"\0\4\0\1"])
def test_an_agent_that_talks_nonsense_is_not_joined(bed, answer):
    listener = Listener(bed, lambda m: answer)
    done = run(bed, bed.sshd(), LIST, "-o", "ForwardAgent=" + listener.path, "-i", bed.keys.user(), env=bed.env)
    assert done.returncode != 0
    assert len(listener.first) == 1


def test_a_server_that_helps_itself_to_the_agent_is_refused(bed, agent):
    paramiko = pytest.importorskip("paramiko")
    agent.take(make_key(bed, "id_a"))
    results = []

    class Interface(paramiko.ServerInterface):
        def get_allowed_auths(self, username):
            return "publickey"

        def check_auth_publickey(self, username, key):
            return paramiko.AUTH_SUCCESSFUL

    def serve(s):
        transport = paramiko.Transport(s)
        transport.add_server_key(paramiko.ECDSAKey.from_private_key_file(bed.keys.host("ecdsa256")))
        transport.start_server(server=Interface())
        until(transport.is_authenticated, "the login")
        for kind in ("auth-agent@openssh.com", "agent-connect"):
            try:
                transport.open_channel(kind)
                results.append("opened")
            except paramiko.ChannelException as e:
                results.append(e.code)
        transport.close()

    words = [ADIT, "-F", "none", "-p", str(bed.target(serve).port), "-v", "-N", "-A", "-o", "StrictHostKeyChecking=no"]
    words += ["-o", "UserKnownHostsFile=/dev/null", "-i", bed.keys.user("ecdsa256"), "ada@127.0.0.1"]
    adit = bed.run(words, name="adit", env=agent.env)
    adit.wait()
    assert results == [1, 1], adit.err  # administratively prohibited: -N has no session that asked
