"""aditd as a server: what it says to people, what it refuses, and that it leaves nothing behind."""

import contextlib
import os
import pathlib
import pty
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from bed import (
    ADIT, ADITD, BIN, IS_ROOT, Server, USER, ask, connect, descendants_of, free_port, listening, name_of, receive_all, serving,
    state_of, until, wait_listen,
)

pytestmark = pytest.mark.short

PROGRAMS = ["aditd"] + ["aditd-" + role for role in ("sign", "pre", "authz", "work", "session", "resolve")]


def ssh_words(bed, server, *more):
    return ["/usr/bin/ssh"] + bed.client_options(server) + list(more)


def test_plain_ssh_without_N_gets_a_page_of_its_forwards(bed):
    server, port = bed.aditd(PermitSession="no"), free_port()
    argv = ssh_words(bed, server, "-R", "%d:127.0.0.1:%d" % (port, bed.echo().port), bed.login(server))
    ssh = bed.run(argv, stdin=subprocess.PIPE)
    wait_listen(ssh, port)
    until(lambda: str(port).encode() in ssh.out, lambda: "the page to show %d; it shows %r" % (port, ssh.out))
    assert b"no shell" in ssh.out and b"127.0.0.1:%d" % port in ssh.out
    assert ask(port) == b"hello"


def test_ctrl_c_at_the_page_ends_ssh(bed):
    server = bed.aditd(PermitSession="no")
    argv = ssh_words(bed, server, "-tt", bed.login(server))
    leader, follower = pty.openpty()
    ssh = bed.run(argv, stdin=follower, stdout=subprocess.PIPE)
    os.close(follower)
    until(lambda: b"Ctrl-C" in ssh.out, lambda: "the page; it shows %r, %s" % (ssh.out, ssh.err))
    os.write(leader, b"\x03")
    assert ssh.wait() == 0
    os.close(leader)


@pytest.mark.parametrize("words", [("uptime",), ("-s", "sftp")])
def test_a_command_is_refused_in_words(bed, words):
    server = bed.aditd(PermitSession="no", Subsystem="sftp /usr/lib/openssh/sftp-server")
    options = ["-s"] if words[0] == "-s" else []
    argv = ssh_words(bed, server, *options, bed.login(server), words[-1])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)
    assert done.returncode != 0
    assert "no commands here" in done.stderr + done.stdout or options, done.stderr


def test_inetd_mode_serves_over_a_pipe(bed):
    """As ssh's own test suite does it: ProxyCommand "aditd -i"."""
    echo, port = bed.echo(), free_port()
    config = bed.write(
        "inetd", "HostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nPidFile none\n" % (bed.keys.host(), bed.keys.authorized)
    )
    known = bed.write("known", "box " + bed.keys.public("host", "ed25519") + "\n")
    for program in ("/usr/bin/ssh", ADIT):
        argv = [program, "-F", "none", "-i", bed.keys.user(), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
        argv += ["-o", "UserKnownHostsFile=" + known, "-o", "GlobalKnownHostsFile=none"]
        argv += ["-o", "ProxyCommand=%s -i -e -f %s" % (ADITD, config), "-N"]
        argv += ["-L", "127.0.0.1:%d:127.0.0.1:%d" % (port, echo.port), USER + "@box"]
        client = bed.run(argv)
        wait_listen(client, port)
        assert ask(port) == b"hello", client.err
        client.stop()
        until(lambda: not listening(port), "the client to be gone")


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100000, b"SSH-1.5-old\r\n", b"x" * 300 + b"\r\n", b"\x16\x03\x01" * 50],
    ids=["http", "zeros", "ssh1", "long line", "tls"],
)
def test_garbage_is_answered_and_closed_and_costs_nothing(bed, garbage):
    server = bed.aditd()
    with connect(server.port) as s:
        try:
            s.sendall(garbage)
            said = receive_all(s)
        except (ConnectionResetError, BrokenPipeError):
            said = None
    assert said is None or said.startswith(b"SSH-2.0-adit") or b"Invalid SSH identification" in said
    _, port = bed.local(server, bed.echo().port)
    assert ask(port) == b"hello"


def test_garbage_after_a_good_identification(bed):
    server = bed.aditd()
    for tail in (b"\xff" * 5000, b"\0\0\0\x0c\x0a" + b"\x14" * 11, b"\0\0\0\0\0" * 10):
        with connect(server.port) as s:
            try:
                s.sendall(b"SSH-2.0-garbage\r\n" + tail)
                s.shutdown(socket.SHUT_WR)
                receive_all(s)
            except ConnectionResetError:
                pass
    _, port = bed.local(server, bed.echo().port)
    assert ask(port) == b"hello"


def test_logingracetime_ends_a_silent_visitor(bed):
    server = bed.aditd(LoginGraceTime="1")
    with connect(server.port) as s:
        assert s.recv(4) == b"SSH-"
        try:
            receive_all(s)  # ends, or the deadline of the socket fails the test
        except ConnectionResetError:
            pass
    server.wait_log("(?i)timeout|timed out|LoginGraceTime")


def test_maxauthtries_ends_a_guesser(bed):
    server = bed.aditd(MaxAuthTries="2", AuthorizedKeysFile="/nowhere")
    keys = []
    for i in range(5):
        path = str(bed.path("guess%d" % i))
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", path], check=True)
        keys += ["-i", path]
    ssh = bed.ssh(server, *keys)
    assert ssh.wait() == 255
    assert "Too many authentication failures" in ssh.err


def test_many_keys_of_which_the_first_fits_log_in(bed):
    server, port = bed.aditd(), free_port()
    adit = bed.adit(server, "-i", "/nowhere/1", "-L", "%d:127.0.0.1:%d" % (port, bed.echo().port))
    wait_listen(adit, port)
    assert ask(port) == b"hello"


def test_the_pid_file_comes_and_goes(bed):
    path = bed.path("aditd.pid")
    server = bed.aditd(PidFile=path)
    until(path.exists, "the pid file")
    assert int(path.read_text()) == server.pid
    server.process.signal(signal.SIGTERM)
    server.process.wait()
    assert not path.exists()


def test_it_becomes_a_daemon_by_itself(bed):
    port, path = free_port(), bed.path("daemon.pid")
    config = bed.write(
        "daemon", "Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nPidFile %s\n"
        % (port, bed.keys.host(), bed.keys.authorized, path),
    )
    done = subprocess.run([ADITD, "-f", config, "-E", str(bed.path("log"))], timeout=20, env=bed.env)
    assert done.returncode == 0
    pid = int(until(lambda: path.exists() and path.read_text(), "the pid file"))
    bed.adopt(pid)
    until(lambda: listening(port), "the daemon to listen")
    assert os.readlink("/proc/%d/cwd" % pid) == "/"
    os.kill(pid, signal.SIGTERM)
    until(lambda: state_of(pid) in (None, "Z"), "the daemon to end")
    assert not path.exists()


def test_no_zombie_and_no_process_stays(bed):
    server = bed.aditd()
    for _ in range(5):
        adit, port = bed.local(server, bed.echo().port)
        assert ask(port) == b"hello"
        adit.stop()
    with connect(server.port) as s:
        s.sendall(b"nonsense\r\n")
    until(lambda: not serving(server.pid), lambda: "all to end; there are %s" % serving(server.pid))
    until(lambda: all(state_of(pid) != "Z" for pid in descendants_of(server.pid)), "the dead to be reaped")


def test_who_is_logged_in_outlives_the_listener_and_all_else_ends_with_it(bed):
    server = bed.aditd()
    adit, port = bed.remote(server, bed.echo().port)
    below = descendants_of(server.pid)
    workers = [pid for pid in serving(server.pid) if name_of(pid) == "aditd-work"]
    assert len(workers) == 1
    bed.at_end(lambda: [os.kill(pid, signal.SIGKILL) for pid in below if state_of(pid) not in (None, "Z")])
    with connect(server.port) as waiting:  # not logged in
        waiting.sendall(b"SSH-2.0-waits\r\n")
        waiting.recv(1)
        server.process.signal(signal.SIGTERM)
        assert server.process.popen.wait(10) == 0
        assert not listening(server.port)
        with contextlib.suppress(ConnectionError):  # it is cut
            receive_all(waiting)
    assert ask(port) == b"hello"
    others = [pid for pid in below if pid not in workers and name_of(pid) not in ("aditd-sign", "aditd-resolve")]
    until(lambda: all(state_of(pid) in (None, "Z") for pid in others), "the helpers to end")
    adit.stop()
    until(lambda: not listening(port), "the forward to go")
    until(lambda: all(state_of(pid) in (None, "Z") for pid in workers), "the worker to end with its last connection")


def test_t_accepts_a_good_file_and_names_what_is_bad(bed):
    good = bed.write("good", "Port 2200\nHostKey %s\n" % bed.keys.host())
    assert subprocess.run([ADITD, "-t", "-f", good], env=bed.env).returncode == 0
    bad = bed.write("bad", "HostKey %s\nGatewayPort yes\n" % bed.keys.host())
    done = subprocess.run([ADITD, "-t", "-f", bad], capture_output=True, text=True, env=bed.env)
    assert done.returncode == 255
    assert bad in done.stderr and "GatewayPort" in done.stderr and "GatewayPorts" in done.stderr


def test_debians_stock_file_is_accepted(bed):
    done = subprocess.run(
        [ADITD, "-t", "-f", "/etc/ssh/sshd_config", "-h", bed.keys.host()], capture_output=True, text=True, env=bed.env
    )
    assert done.returncode == 0, done.stderr


def test_T_prints_what_holds_and_reads_it_back(bed):
    config = bed.write("config", "Port 2200\nGatewayPorts clientspecified\nHostKey %s\n" % bed.keys.host())
    first = subprocess.run([ADITD, "-T", "-f", config], capture_output=True, text=True, env=bed.env)
    assert first.returncode == 0 and "gatewayports clientspecified" in first.stdout.splitlines()
    again = bed.write("again", first.stdout)
    second = subprocess.run([ADITD, "-T", "-f", again], capture_output=True, text=True, env=bed.env)
    assert second.stdout == first.stdout


def test_init_makes_missing_keys_and_keeps_the_others(bed):
    path = bed.path("new_key")
    for _ in range(2):
        assert subprocess.run([ADITD, "--init", "-f", "/dev/null", "-h", str(path)], env=bed.env).returncode == 0
        text = path.read_text()
    assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(["ssh-keygen", "-lf", str(path)], capture_output=True, text=True)
    assert "ED25519" in shown.stdout


def test_a_user_that_is_not_there_is_refused_as_any_other(bed):
    server = bed.aditd()
    argv = ssh_words(bed, server, "-N", "no-such-user@127.0.0.1")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=bed.env)
    assert done.returncode == 255 and "Permission denied (publickey" in done.stderr


def test_the_login_is_logged_as_openssh_logs_it(bed):
    server = bed.aditd()
    _, port = bed.local(server, bed.echo().port)
    assert ask(port) == b"hello"
    server.wait_log(r"Accepted publickey for %s from 127\.0\.0\.1 port \d+ ssh2: ED25519 SHA256:" % USER)


def test_strictmodes_refuses_a_key_file_that_others_may_write(bed):
    path = bed.write("home/keys", bed.keys.authorized.read_text(), mode=0o666)
    server = bed.aditd(StrictModes="yes", AuthorizedKeysFile=path)
    adit = bed.adit(server)
    assert adit.wait() == 255
    assert "Permission denied" in adit.err


def test_an_unprivileged_user_can_serve_himself(bed):
    """The whole server as nobody: what it cannot do for others it does not try."""
    if not IS_ROOT:
        return  # the other tests of this file are that test
    account = pwd.getpwnam("nobody")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="adit-nobody-"))
    bed.at_end(lambda: shutil.rmtree(folder))
    for program in PROGRAMS:
        shutil.copy(BIN / program, folder / program)  # the tree may be closed to nobody
    host_key, port = folder / "host_key", free_port()
    for source, name in ((bed.keys.host(), "host_key"), (str(bed.keys.authorized), "authorized")):
        (folder / name).write_text(open(source).read())
        os.chmod(folder / name, 0o600)
        os.chown(folder / name, account.pw_uid, account.pw_gid)
    os.chown(folder, account.pw_uid, account.pw_gid)
    (folder / "config").write_text(
        "Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nPidFile none\n"
        % (port, host_key, folder / "authorized")
    )
    process = bed.run(
        [folder / "aditd", "-D", "-e", "-f", str(folder / "config")], user=account.pw_uid, group=account.pw_gid, extra_groups=[]
    )
    wait_listen(process, port)
    server = Server(process, port, "ed25519", "aditd")
    echo, local = bed.echo(), free_port()
    argv = [ADIT] + bed.client_options(server)
    argv += ["-N", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (local, echo.port), "nobody@127.0.0.1"]
    adit = bed.run(argv)
    wait_listen(adit, local)
    assert ask(local) == b"hello", adit.err + process.err
    other = bed.run(argv[:-1] + ["root@127.0.0.1"])
    assert other.wait() == 255
    assert re.search("Permission denied", other.err)


def test_systemd_hears_of_it_and_passes_its_sockets(bed):
    """Type=notify-reload and a socket unit, with this test in systemd's place."""
    passed = socket.create_server(("127.0.0.1", 0))
    port = passed.getsockname()[1]
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(bed.path("notify")))
    told.settimeout(20)
    config = bed.write("config", "Port 1\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nPidFile none\n" % (bed.keys.host(), bed.keys.authorized))
    become = (  # LISTEN_PID is the pid of the server itself
        "import os, sys; os.dup2(int(sys.argv[1]), 3); "
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])"
    )
    argv = [sys.executable, "-c", become, str(passed.fileno()), ADITD, "-D", "-e", "-f", config]
    env = dict(bed.env, NOTIFY_SOCKET=str(bed.path("notify")))
    process = bed.run(argv, name="aditd", env=env, pass_fds=[passed.fileno()])
    assert told.recv(100) == b"READY=1", process.err
    server = Server(process, port, "ed25519", "aditd")
    adit, local = bed.local(server, bed.echo().port)
    assert ask(local) == b"hello"
    assert "(passed by systemd)" in process.err and "Bind to port" not in process.err
    process.signal(signal.SIGHUP)
    assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", told.recv(100)) and told.recv(100) == b"READY=1"
    adit.stop()
    process.signal(signal.SIGTERM)
    assert told.recv(100) == b"STOPPING=1"
    assert process.popen.wait(10) == 0
