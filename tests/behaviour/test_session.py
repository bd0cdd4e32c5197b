"""Sessions of aditd with stock clients: a shell, a command, a subsystem, and how each of them ends."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios

import pytest

from bed import USER, ask, children_of, connect, descendants_of, serving, seeded_bytes, state_of, until

pytestmark = pytest.mark.short

SFTP = "sftp /usr/lib/openssh/sftp-server"


def words(bed, server, *more):
    return ["/usr/bin/ssh"] + bed.client_options(server) + ["-o", "LogLevel=ERROR"] + [str(m) for m in more]


def run(bed, server, *command, options=(), given=b"", **more):
    argv = words(bed, server, *options, bed.login(server), *command)
    return subprocess.run(argv, input=given, capture_output=True, timeout=60, env=more.get("env", bed.env))


def keys_with(bed, options):
    """An authorized_keys file whose one line has these options."""
    key = pathlib.Path(bed.keys.user() + ".pub").read_text()
    return bed.write("keys." + hashlib.sha256(options.encode()).hexdigest()[:8], options + " " + key)


class Terminal:
    """ssh -tt with a terminal of its own, read by the test."""

    def __init__(self, bed, server, *command, options=("-tt",), size=(24, 80)):
        self.leader, follower = pty.openpty()
        self.resize(*size)
        self.process = bed.run(
            words(bed, server, *options, bed.login(server), *command), stdin=follower, stdout=subprocess.PIPE
        )
        os.close(follower)

    def resize(self, rows, columns):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.leader, text)

    def wait_for(self, text):
        until(lambda: text in self.process.out, lambda: "%r; it shows %r, %s" % (text, self.process.out, self.process.err))


@pytest.mark.parametrize("status", [0, 1, 4, 5, 44])
def test_the_exit_status_of_a_command_is_ssh_s(bed, status):
    server = bed.aditd()
    assert run(bed, server, "exit %d" % status).returncode == status
    # Also when its output ended before it did.
    assert run(bed, server, "exec >&- 2>&-; sleep 0.3; exit %d" % status).returncode == status


def test_output_and_errors_come_apart_and_input_ends(bed):
    done = run(bed, bed.aditd(), "cat; echo out; echo err >&2; exit 3", given=b"in ")
    assert (done.stdout, done.stderr, done.returncode) == (b"in out\n", b"err\n", 3)


def test_errors_still_come_when_output_has_ended(bed):
    done = run(bed, bed.aditd(), "exec >&-; sleep 0.3; echo late >&2")
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"late\n", 0)


def test_ten_megabytes_pass_each_way_and_over_stderr(bed):
    server, data = bed.aditd(), seeded_bytes(5, 10 << 20)
    done = run(bed, server, "tee /dev/stderr", given=data)
    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()
    assert hashlib.sha256(done.stderr).digest() == hashlib.sha256(data).digest()


def test_a_command_that_takes_no_input_ends_all_the_same(bed):
    done = run(bed, bed.aditd(), "exec <&-; sleep 0.3; echo done", given=seeded_bytes(6, 8 << 20))
    assert (done.stdout, done.returncode) == (b"done\n", 0)


def test_yes_head_ends(bed):
    assert run(bed, bed.aditd(), "yes | head -n 1").stdout == b"y\n"


def test_output_nobody_reads_ends_the_command(bed):
    """eow@openssh.com, which ssh sends to servers of its own kind: "ssh host yes | head -n 1"."""
    server, channel = paramiko_session(bed)
    channel.exec_command("yes")
    assert channel.recv(2) == b"y\n"
    send_request(channel, "eow@openssh.com")
    until(lambda: not [p for p in descendants_of(server.pid) if is_called(p, "yes")], "yes to end")
    assert channel.recv_exit_status() == -1  # by a signal


def paramiko_session(bed):
    paramiko = pytest.importorskip("paramiko")
    server = bed.aditd()
    transport = paramiko.Transport(("127.0.0.1", server.port))
    bed.at_end(transport.close)
    transport.connect(username=USER, pkey=paramiko.Ed25519Key.from_private_key_file(bed.keys.user()))
    return server, transport.open_session()


def send_request(channel, kind, *texts):
    """A channel request that paramiko has no function for."""
    import paramiko

    message = paramiko.Message()
    message.add_byte(b"\x62")
    message.add_int(channel.remote_chanid)
    message.add_string(kind)
    message.add_boolean(False)
    for text in texts:
        message.add_string(text)
    channel.transport._send_user_message(message)


def is_called(pid, name):
    with contextlib.suppress(OSError):
        return pathlib.Path("/proc/%d/comm" % pid).read_text().strip() == name
    return False


def test_a_background_child_holds_the_pipes_and_not_a_terminal(bed):
    server = bed.aditd()
    done = run(bed, server, "(sleep 1; echo last) & echo first")
    assert done.stdout == b"first\nlast\n" and done.returncode == 0
    terminal = Terminal(bed, server, "nohup sleep 30 & echo first $!; exit 7")
    assert terminal.process.wait() == 7
    for word in terminal.process.out.split():
        if word.isdigit():
            with contextlib.suppress(OSError):
                os.kill(int(word), signal.SIGKILL)


@pytest.mark.parametrize("name", ["TERM", "KILL", "USR1"])
def test_a_signal_that_ends_the_command_is_told(bed, name):
    argv = words(bed, bed.aditd(), "-v", "-o", "LogLevel=DEBUG1", "%s@127.0.0.1" % USER, "kill -%s $$" % name)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)
    assert done.returncode == 255
    assert "rtype exit-signal" in done.stderr, done.stderr


def test_the_client_s_signal_reaches_the_command(bed):
    _, channel = paramiko_session(bed)
    channel.exec_command("trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 0.1; done")
    assert channel.recv(100) == b"ready\n"
    send_request(channel, "signal", "USR1")
    assert channel.recv(100) == b"got it\n"
    assert channel.recv_exit_status() == 9


def environment_of(done):
    return dict(line.split("=", 1) for line in done.stdout.decode().splitlines() if "=" in line)


def test_the_environment_is_openssh_s(bed):
    server = bed.aditd(AcceptEnv="ADIT_A ADIT_B*", SetEnv="ADIT_B1=server ADIT_S=s")
    env = dict(bed.env, ADIT_A="a", ADIT_B1="client", ADIT_C="c")
    done = run(bed, server, "/usr/bin/env", options=("-o", "SendEnv=ADIT_*"), env=env)
    found = environment_of(done)
    assert (found["ADIT_A"], found["ADIT_B1"], found["ADIT_S"]) == ("a", "server", "s")
    assert "ADIT_C" not in found and "SSH_TTY" not in found and "SSH_ORIGINAL_COMMAND" not in found
    assert found["USER"] == found["LOGNAME"] == USER
    assert found["SSH_CONNECTION"].split()[2:] == ["127.0.0.1", str(server.port)]
    assert found["SSH_CLIENT"].split()[2] == str(server.port)
    assert found["MAIL"] == "/var/mail/" + USER
    assert run(bed, server, "pwd").stdout.decode().strip() == os.path.realpath(found["HOME"])


def test_nothing_of_the_server_s_own_is_open_in_the_command(bed):
    done = run(bed, bed.aditd(), "ls -l /proc/self/fd")
    numbers = [line.split(" -> ")[0].split()[-1] for line in done.stdout.decode().splitlines() if " -> " in line]
    assert sorted(numbers) == ["0", "1", "2", "3"], done.stdout  # 3 is the folder ls reads


def test_a_key_s_environment_counts_only_where_it_is_permitted(bed):
    keys = keys_with(bed, 'environment="ADIT_K=1"')
    assert "ADIT_K" not in environment_of(run(bed, bed.aditd(AuthorizedKeysFile=keys), "env"))
    server = bed.aditd(AuthorizedKeysFile=keys, PermitUserEnvironment="yes")
    assert environment_of(run(bed, server, "env"))["ADIT_K"] == "1"


def test_the_login_is_shown_in_a_file_where_that_is_wanted(bed):
    server = bed.aditd(ExposeAuthInfo="yes")
    done = run(bed, server, "echo $SSH_USER_AUTH; cat $SSH_USER_AUTH").stdout.decode().splitlines()
    public = pathlib.Path(bed.keys.user() + ".pub").read_text().split()
    assert done[1].split() == ["publickey"] + public[:2]
    until(lambda: not os.path.exists(done[0]), "the file to go with its session")


def test_a_terminal_has_a_size_a_name_and_its_modes(bed):
    server = bed.aditd()
    terminal = Terminal(bed, server, "stty size; tty; stty -a; echo $TERM", size=(33, 101))
    assert terminal.process.wait() == 0
    out = terminal.process.out
    assert b"33 101" in out and b"/dev/pts/" in out and b"intr = ^C" in out


def test_a_window_that_changes_tells_the_command(bed):
    command = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done"
    terminal = Terminal(bed, bed.aditd(), command, size=(24, 80))
    terminal.wait_for(b"ready")
    terminal.resize(50, 132)
    terminal.process.signal(signal.SIGWINCH)
    terminal.wait_for(b"50 132")


def test_ctrl_c_interrupts_the_command_and_not_the_session(bed):
    terminal = Terminal(bed, bed.aditd(), "trap 'echo caught' INT; echo ready; sleep 30; echo after; exit 6")
    terminal.wait_for(b"ready")
    terminal.type(b"\x03")
    assert terminal.process.wait() == 6
    assert b"caught" in terminal.process.out and b"after" in terminal.process.out


def test_plain_ssh_gives_the_login_shell(bed):
    terminal = Terminal(bed, bed.aditd())
    terminal.type(b"echo shell is $0; exit 8\n")
    assert terminal.process.wait() == 8
    assert b"shell is -" in terminal.process.out
    # Without a terminal, commands come as input.
    done = run(bed, bed.aditd(), given=b"echo $((6*7)); exit 5\n")
    assert b"42" in done.stdout and done.returncode == 5


def test_the_end_of_the_client_s_input_is_no_hangup_in_a_terminal(bed):
    done = run(bed, bed.aditd(), "sleep 0.3; echo still here", options=("-tt",))
    assert b"still here" in done.stdout and done.returncode == 0


@pytest.mark.parametrize("subsystem", [SFTP, "sftp internal-sftp"])
def test_sftp_and_scp_copy_files_both_ways(bed, subsystem):
    server, data = bed.aditd(Subsystem=subsystem), seeded_bytes(9, 3 << 20)
    here, there, back = bed.path("here"), bed.path("there"), bed.path("back")
    here.write_bytes(data)
    options = [o if o != "-p" else "-P" for o in bed.client_options(server)]
    batch = bed.write("batch", "put %s %s\nget %s %s\n" % (here, there, there, back))
    argv = ["sftp"] + options + ["-b", batch, bed.login(server)]
    done = subprocess.run(argv, capture_output=True, timeout=60, env=bed.env)
    assert done.returncode == 0, done.stderr
    assert there.read_bytes() == data and back.read_bytes() == data
    for more in ([], ["-O"]):
        back.unlink()
        argv = ["scp"] + more + options + ["%s:%s" % (bed.login(server), there), str(back)]
        done = subprocess.run(argv, capture_output=True, timeout=60, env=bed.env)
        assert done.returncode == 0, done.stderr
        assert back.read_bytes() == data


def test_git_clones_over_ssh(bed):
    server, repository = bed.aditd(), bed.path("repository")
    env = dict(bed.env, GIT_CONFIG_GLOBAL="/dev/null", GIT_SSH_COMMAND=" ".join(words(bed, server)))
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-c", "safe.directory=*"]
    subprocess.run(git + ["init", "-q", str(repository)], check=True, env=env)
    (repository / "file").write_text("text")
    subprocess.run(git + ["-C", str(repository), "add", "file"], check=True, env=env)
    subprocess.run(git + ["-C", str(repository), "commit", "-q", "-m", "one"], check=True, env=env)
    url = "%s:%s" % (bed.login(server), repository)
    subprocess.run(git + ["clone", "-q", url, str(bed.path("clone"))], check=True, env=env, timeout=60)
    assert bed.path("clone").joinpath("file").read_text() == "text"


def test_rsync_copies_over_ssh(bed):
    if not shutil.which("rsync"):
        return  # not a part of what tests need; git and scp go the same way
    server, here, there = bed.aditd(), bed.path("here"), bed.path("there")
    here.write_bytes(seeded_bytes(3, 1 << 20))
    argv = ["rsync", "-e", " ".join(words(bed, server)), str(here), "%s:%s" % (bed.login(server), there)]
    subprocess.run(argv, check=True, timeout=60, env=bed.env)
    assert there.read_bytes() == here.read_bytes()


def test_a_forced_command_runs_in_place_of_every_request(bed):
    keys = keys_with(bed, 'command="echo key: $SSH_ORIGINAL_COMMAND"')
    server = bed.aditd(AuthorizedKeysFile=keys, Subsystem=SFTP)
    assert run(bed, server, "uptime -V").stdout == b"key: uptime -V\n"
    assert run(bed, server).stdout == b"key:\n"
    assert run(bed, server, "sftp", options=("-s",)).stdout == b"key: /usr/lib/openssh/sftp-server\n"
    server = bed.aditd(AuthorizedKeysFile=keys, ForceCommand='echo "admin: $SSH_ORIGINAL_COMMAND"')
    assert run(bed, server, "uptime").stdout == b"admin: uptime\n"


def test_forcecommand_internal_sftp_serves_sftp_alone(bed):
    server = bed.aditd(ForceCommand="internal-sftp", Subsystem="sftp internal-sftp")
    options = [o if o != "-p" else "-P" for o in bed.client_options(server)]
    batch = bed.write("batch", "ls /etc/hostname\n")
    done = subprocess.run(["sftp"] + options + ["-b", batch, bed.login(server)], capture_output=True, timeout=30, env=bed.env)
    assert done.returncode == 0 and b"/etc/hostname" in done.stdout
    assert b"escaped" not in run(bed, server, "echo escaped").stdout


def test_a_subsystem_that_is_not_there_is_refused(bed):
    done = run(bed, bed.aditd(), "sftp", options=("-s",))
    assert done.returncode == 255 and b"subsystem request failed" in done.stderr


@pytest.mark.parametrize(
    "key,more",
    [("", {"PermitTTY": "no"}), ("no-pty", {}), ("restrict", {})],
)
def test_no_terminal_is_given_where_it_is_forbidden(bed, key, more):
    if key:
        more = dict(more, AuthorizedKeysFile=keys_with(bed, key))
    server = bed.aditd(**more)
    done = run(bed, server, "tty", options=("-tt",))
    assert done.returncode == 255 and b"PTY allocation request failed" in done.stderr
    assert b"not a tty" in run(bed, server, "tty", options=("-t",)).stdout


def test_restrict_with_pty_gives_one(bed):
    server = bed.aditd(AuthorizedKeysFile=keys_with(bed, "restrict,pty"))
    assert b"/dev/pts/" in run(bed, server, "tty", options=("-tt",)).stdout


def test_permitsession_no_runs_nothing(bed):
    server = bed.aditd(PermitSession="no", ForceCommand="echo forced", Subsystem=SFTP)
    for options, command in (((), ("echo ran",)), (("-s",), ("sftp",)), ((), ())):
        done = run(bed, server, *command, options=options)
        assert b"ran" not in done.stdout and b"forced" not in done.stdout
    assert not [p for p in descendants_of(server.pid) if is_called(p, "aditd-session")]


def test_maxsessions_counts_sessions_of_one_connection(bed):
    server = bed.aditd(MaxSessions="1")
    control = str(bed.path("ctl"))
    master = bed.run(words(bed, server, "-M", "-S", control, bed.login(server), "echo ready; sleep 30"))
    until(lambda: b"ready" in master.out, "the first session")
    argv = words(bed, server, "-S", control, "-o", "ControlMaster=no", bed.login(server), "echo second")
    done = subprocess.run(argv, capture_output=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)
    assert b"Session open refused by peer" in done.stderr
    assert server.log.count("Accepted publickey") == 2  # ssh then takes a connection of its own


def test_a_killed_client_leaves_no_process_and_no_zombie(bed):
    server = bed.aditd()
    for options in ((), ("-tt",)):
        mark = str(bed.path("hangup" + "".join(options)))
        command = "trap '' PIPE; trap 'echo hup > %s; exit' HUP; echo ready; while :; do sleep 0.1; done" % mark
        ssh = bed.run(words(bed, server, *options, bed.login(server), command), stdin=subprocess.PIPE)
        until(lambda: b"ready" in ssh.out, "the command")
        ssh.popen.kill()
        until(lambda: os.path.exists(mark), "the command to hear SIGHUP")
    until(lambda: not serving(server.pid), lambda: "all to end; there are %s" % serving(server.pid))
    until(lambda: all(state_of(pid) != "Z" for pid in descendants_of(server.pid)), "the dead to be reaped")


@pytest.mark.parametrize("size", [0, 10, 1000, 100000])
def test_the_banner_comes_byte_for_byte(bed, size):
    text = (b"the banner's line\n" * 6000)[:size]
    path = bed.path("banner")
    path.write_bytes(text)
    server = bed.aditd(Banner=path)
    argv = ["/usr/bin/ssh"] + bed.client_options(server) + [bed.login(server), "true"]
    done = subprocess.run(argv, capture_output=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and done.stderr == text
    path.unlink()
    done = subprocess.run(argv, capture_output=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and done.stderr == b""


def test_a_channel_on_which_nothing_moves_is_closed_by_its_kind(bed):
    server = bed.aditd(ChannelTimeout="session:command=2 direct-tcpip=1")
    assert run(bed, server, "sleep 20; exit 23").returncode == 255
    assert run(bed, server, "for i in $(seq 15); do echo $i; sleep 0.2; done; exit 23").returncode == 23
    assert run(bed, server, given=b"sleep 3; exit 23\n").returncode == 23  # session:shell
    _, port = bed.local(server, bed.echo().port)
    assert ask(port) == b"hello"
    with connect(port) as s:
        s.settimeout(20)
        assert s.recv(1) == b""
    server.wait_log(r"closing after 1 seconds of inactivity \(direct-tcpip\)")


def test_a_connection_without_channels_ends_where_that_is_wanted(bed):
    server = bed.aditd(UnusedConnectionTimeout="1")
    assert run(bed, server, "sleep 2.5; exit 23").returncode == 23
    ssh = bed.ssh(server)
    assert ssh.wait() == 255
    server.wait_log("terminating inactive connection")


def marks_of(server):
    """The TOS bytes of the server's ends of connections, as ss shows them."""
    argv = ["ss", "-Htn", "--tos", "state", "established", "sport", "= :%d" % server.port]
    return set(re.findall(r"tos:(0x\w+)", subprocess.run(argv, capture_output=True, text=True, check=True).stdout))


def test_ipqos_marks_what_a_person_types_and_what_flows(bed):
    server = bed.aditd(IPQoS="af21 cs1")
    bed.ssh(server)
    until(lambda: marks_of(server) == {"0x20"}, lambda: "the mark of bulk; there is %s" % marks_of(server))
    terminal = Terminal(bed, server, "echo ready; cat")
    terminal.wait_for(b"ready")
    assert marks_of(server) == {"0x20", "0x48"}


def test_a_session_that_should_be_locked_up_is_refused(bed):
    server = bed.aditd(ChrootDirectory="/srv", Subsystem=SFTP)
    done = run(bed, server, "echo ran")
    assert done.returncode != 0 and b"ran" not in done.stdout
    server.wait_log("ChrootDirectory is not built")
