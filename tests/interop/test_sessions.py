"""Sessions of aditd with other people's clients: a command and how it ended, 20 MiB through it and back,
a terminal; and what people run over ssh: sftp, scp, rsync, git.
"""

import hashlib
import os
import pathlib
import pty
import shlex
import subprocess
import threading

import paramiko
import pytest

import bed as b
from peers import DBCLIENT, PLINK, dropbear_key

SIZE = 20 << 20
LIBSSH_EXAMPLES = pathlib.Path("/usr/share/doc/libssh-dev/examples")
# What its own build finds out, of which its client asks for this much.
LIBSSH_CONFIG = """#define HAVE_TERMIOS_H 1
#define HAVE_UNISTD_H 1
#define HAVE_PTY_H 1
#define HAVE_CFMAKERAW 1
#define FALL_THROUGH __attribute__((fallthrough))
"""


# ---- the clients: how each is called ----


def ssh(bed, server, terminal=False):
    return ["/usr/bin/ssh"] + bed.client_options(server) + (["-tt"] if terminal else []) + [bed.login(server)]


def dbclient(bed, server, terminal=False):
    bed.write("home/.ssh/known_hosts", "%s %s\n" % (server.address, bed.keys.public("host", server.host_kind)))
    argv = [DBCLIENT, "-i", dropbear_key(bed, bed.keys.user()), "-p", str(server.port)]
    return argv + (["-t"] if terminal else []) + [bed.login(server)]


def plink(bed, server, terminal=False):
    key = str(bed.path("user.ppk"))
    subprocess.run(["puttygen", bed.keys.user(), "-O", "private", "-o", key], check=True, env=bed.env)
    shown = ["ssh-keygen", "-lf", bed.keys.host(server.host_kind) + ".pub"]
    print_of_key = subprocess.run(shown, check=True, capture_output=True, text=True).stdout.split()[1]
    argv = [PLINK, "-ssh", "-batch", "-i", key, "-P", str(server.port), "-hostkey", print_of_key]
    return argv + (["-t"] if terminal else ["-T"]) + [bed.login(server)]


def libssh(bed, server, terminal=False):
    """The client among libssh's examples, built from the sources that libssh-doc brings."""
    if not LIBSSH_EXAMPLES.exists():
        pytest.skip("the example clients of libssh come with libssh-doc")
    bed.write("libssh/config.h", LIBSSH_CONFIG)
    bed.write("libssh/libssh/priv.h", "")
    program = bed.path("libssh_client")
    sources = [LIBSSH_EXAMPLES / name for name in ("ssh_client.c", "authentication.c", "knownhosts.c", "connect_ssh.c")]
    build = ["gcc", "-w", "-I", bed.path("libssh"), "-I", LIBSSH_EXAMPLES, "-o", program] + sources + ["-lssh"]
    subprocess.run([str(word) for word in build], check=True)
    known = bed.known_hosts(server)
    lines = ["Host peer", "HostName " + server.address, "Port %d" % server.port, "User " + b.USER,
             "IdentityFile " + bed.keys.user(), "UserKnownHostsFile " + known, "GlobalKnownHostsFile /dev/null"]
    return [str(program), "-F", bed.write("libssh_config", "\n".join(lines) + "\n"), "peer"]


def run(bed, argv, command, given=b""):
    return subprocess.run(argv + [command], input=given, capture_output=True, timeout=120, env=bed.env)


COMMANDS = {"ssh": ssh, "dbclient": dbclient, "plink": plink, "libssh": libssh}


def paramiko_channel(bed, server, **options):
    transport = paramiko.Transport((server.address, server.port))
    bed.at_end(transport.close)
    transport.connect(username=b.USER, pkey=paramiko.Ed25519Key.from_private_key_file(bed.keys.user()))
    return transport.open_session(**options)


# ---- a command, and how it ended ----


@pytest.mark.parametrize("client", ["ssh", "dbclient", "plink"])
def test_a_command_runs_and_its_status_is_told(bed, client):
    server = bed.aditd()
    done = run(bed, COMMANDS[client](bed, server), "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"out\n"), done.stderr
    assert b"err\n" in done.stderr


def test_a_command_of_paramiko_runs_and_its_status_is_told(bed):
    channel = paramiko_channel(bed, bed.aditd())
    channel.exec_command("echo out; echo err >&2; exit 7")
    assert channel.makefile("rb").read() == b"out\n" and channel.makefile_stderr("rb").read() == b"err\n"
    assert channel.recv_exit_status() == 7


def test_a_command_of_libssh_runs(bed):
    """Its example tells no status."""
    done = run(bed, libssh(bed, bed.aditd()), "echo out; echo err >&2; exit 7")
    assert done.stdout == b"out\n" and b"err\n" in done.stderr, done


@pytest.mark.parametrize("client", ["ssh", "dbclient", "plink"])  # libssh's example stops now and then, with sshd as well
def test_what_goes_in_comes_out(bed, client):
    data = b.seeded_bytes(3, SIZE)
    done = run(bed, COMMANDS[client](bed, bed.aditd()), "cat", given=data)
    assert hashlib.sha256(done.stdout).hexdigest() == hashlib.sha256(data).hexdigest(), (len(done.stdout), done.stderr)


def test_what_goes_into_paramiko_comes_out(bed):
    data, got = b.seeded_bytes(3, SIZE), hashlib.sha256()
    channel = paramiko_channel(bed, bed.aditd())
    channel.exec_command("cat")
    sender = threading.Thread(target=lambda: (channel.sendall(data), channel.shutdown_write()), daemon=True)
    sender.start()
    while piece := channel.recv(1 << 16):
        got.update(piece)
    assert got.hexdigest() == hashlib.sha256(data).hexdigest()
    assert channel.recv_exit_status() == 0


# ---- a terminal ----

ASK_TERMINAL = "test -t 0 && test -t 1 && echo it is $((6 * 7)) a terminal"


@pytest.mark.parametrize("client", sorted(COMMANDS))
def test_a_terminal_is_one(bed, client):
    leader, follower = pty.openpty()
    bed.at_end(lambda: os.close(leader))
    argv = COMMANDS[client](bed, bed.aditd(), terminal=True) + ([] if client == "libssh" else [ASK_TERMINAL])
    process = bed.run(argv, stdin=follower, stdout=subprocess.PIPE)
    os.close(follower)
    if client == "libssh":  # of a terminal it makes a shell only
        os.write(leader, b"exec 2>&1; " + ASK_TERMINAL.encode() + b"; exit\n")
    b.until(lambda: b"it is 42 a terminal\r\n" in process.out, lambda: "the words: %r %s" % (process.out, process.err))
    process.wait()


def test_a_terminal_of_paramiko_is_one(bed):
    channel = paramiko_channel(bed, bed.aditd())
    channel.get_pty("vt100", 100, 30)
    channel.exec_command(ASK_TERMINAL + "; stty size")
    assert channel.makefile("rb").read() == b"it is 42 a terminal\r\n30 100\r\n"


# ---- what people run over ssh ----


@pytest.fixture
def over_ssh(bed):
    """A server with sftp, a file, and the command that programs start for their connection."""
    server = bed.aditd(Subsystem="sftp /usr/lib/openssh/sftp-server")
    original = bed.path("original")
    original.write_bytes(b.seeded_bytes(9, SIZE))
    words = ssh(bed, server)
    words[words.index("-p") : words.index("-p") + 2] = ["-o", "Port=%d" % server.port]
    return server, original, words[:-1]


def succeed(bed, argv, **more):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120, env=bed.env, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_sftp_puts_and_gets(bed, over_ssh):
    server, original, words = over_ssh
    there, back = bed.path("there"), bed.path("back")
    batch = bed.write("batch", "put %s %s\nget %s %s\nmkdir %s\n" % (original, there, there, back, bed.path("made")))
    succeed(bed, ["sftp"] + words[1:] + ["-b", batch, bed.login(server)])
    assert there.read_bytes() == back.read_bytes() == original.read_bytes()
    assert bed.path("made").is_dir()


@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp_copies_each_way(bed, over_ssh, protocol):
    server, original, words = over_ssh
    there, back = bed.path("there"), bed.path("back")
    copy = ["scp", protocol] + words[1:]
    succeed(bed, copy + [original, "%s:%s" % (bed.login(server), there)])
    succeed(bed, copy + ["%s:%s" % (bed.login(server), there), back])
    assert there.read_bytes() == back.read_bytes() == original.read_bytes()


def test_paramiko_s_sftp_puts_and_gets(bed, over_ssh):
    server, original, _ = over_ssh
    there, back = bed.path("there"), bed.path("back")
    sftp = paramiko.SFTPClient.from_transport(paramiko_channel(bed, server).get_transport())
    sftp.put(str(original), str(there))
    sftp.get(str(there), str(back))
    assert there.read_bytes() == back.read_bytes() == original.read_bytes()


def test_plink_s_friends_copy(bed, over_ssh):
    server, original, _ = over_ssh
    there, back = bed.path("there"), bed.path("back")
    words = plink(bed, server)
    options = [word for word in words[1:-1] if word not in ("-ssh", "-T")]
    for protocol in ("-sftp", "-scp"):
        succeed(bed, ["pscp", protocol] + options + [original, "%s:%s" % (words[-1], there)])
        succeed(bed, ["pscp", protocol] + options + ["%s:%s" % (words[-1], there), back])
        assert there.read_bytes() == back.read_bytes() == original.read_bytes()
        there.unlink()
        back.unlink()


def test_rsync_sends_a_tree_and_then_the_difference(bed, over_ssh):
    server, original, words = over_ssh
    tree, there = bed.path("tree"), bed.path("there")
    (tree / "deep").mkdir(parents=True)
    for i in range(50):
        (tree / "deep" / ("file %d" % i)).write_bytes(b.seeded_bytes(i, 4000 * i))
    original.rename(tree / "big")
    copy = ["rsync", "-a", "--ignore-times", "--delete", "--stats", "-e", shlex.join(words), "%s/" % tree, "%s:%s/" % (bed.login(server), there)]
    succeed(bed, copy)
    with open(tree / "big", "r+b") as f:
        f.seek(SIZE // 2)
        f.write(b"another middle")
    (tree / "deep" / "file 7").unlink()
    said = succeed(bed, copy).stdout
    sent = int([line.split()[-1].replace(",", "") for line in said.splitlines() if line.startswith("Total bytes sent")][0])
    assert sent < SIZE // 4
    succeed(bed, ["diff", "-r", tree, there])


def test_git_pushes_and_clones(bed, over_ssh):
    server, original, words = over_ssh
    bed.env.update(GIT_SSH_COMMAND=shlex.join(words), GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null",
                   GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@b")
    there, here, clone = bed.path("there.git"), bed.path("here"), bed.path("clone")
    url = "ssh://%s%s" % (bed.login(server), there)
    succeed(bed, ["git", "init", "-q", "--bare", there])
    succeed(bed, ["git", "init", "-q", here])
    original.rename(here / "original")
    succeed(bed, ["git", "add", "original"], cwd=here)
    succeed(bed, ["git", "commit", "-qm", "one"], cwd=here)
    succeed(bed, ["git", "push", "-q", url, "HEAD:refs/heads/main"], cwd=here)
    succeed(bed, ["git", "clone", "-q", "-b", "main", url, clone])
    assert (clone / "original").read_bytes() == (here / "original").read_bytes()


def credit(channel, n):
    message = paramiko.Message()
    message.add_byte(bytes([93]))  # WINDOW_ADJUST
    message.add_int(channel.remote_chanid)
    message.add_int(n)
    channel.get_transport()._send_user_message(message)


def test_a_word_to_stderr_does_not_take_the_turn_of_stdout(bed):
    """What is left of the window is too little for stdout and enough for stderr; then credit comes for both."""
    server, window, marker = bed.aditd(), 32768, bed.path("marker")
    channel = paramiko_channel(bed, server, window_size=window)
    channel.exec_command("head -c %d /dev/zero; read x; head -c 600 /dev/zero; echo > %s; read x; printf warn >&2; read x"
                         % (window - 500, marker))
    b.until(lambda: len(channel.in_buffer) == window - 500, "most of a window")
    channel.sendall(b"\n")
    b.until(marker.exists, "the command to write more than fits")
    channel.get_transport().global_request("keepalive@openssh.com", wait=True)  # aditd has looked by then
    channel.sendall(b"\n")
    b.until(lambda: len(channel.in_stderr_buffer) == 4, "what fits")
    credit(channel, 100000)
    b.until(lambda: len(channel.in_buffer) == window + 100, "the rest")
