"""adit as ssh where a shell, a command or a subsystem is wanted: data, statuses, terminal, escapes."""

import hashlib
import os
import signal
import socket
import subprocess

import pytest

from bed import ADIT, ask, connect, free_port, seeded_bytes, until
from terminal_help import Terminal

pytestmark = pytest.mark.short

SFTP = "sftp /usr/lib/openssh/sftp-server"


@pytest.fixture(params=["sshd", "aditd"])
def server(bed, request):
    """Both have sessions."""
    return getattr(bed, request.param)(AcceptEnv="*", Subsystem=SFTP)


def words(bed, server, *more, options=()):
    return [ADIT] + bed.client_options(server) + [str(o) for o in options] + [bed.login(server)] + [str(m) for m in more]


def run(bed, server, *command, options=("-q",), given=b"", env=None, **more):
    argv = words(bed, server, *command, options=options)
    return subprocess.run(argv, input=given, capture_output=True, timeout=60, env=env or bed.env, **more)


# ---- commands ----


@pytest.mark.parametrize("status", [0, 1, 4, 5, 44])
def test_the_exit_status_is_the_command_s(bed, server, status):
    assert run(bed, server, "exit %d" % status).returncode == status
    assert run(bed, server, "exec >&- 2>&-; sleep 0.2; exit %d" % status).returncode == status


def test_a_command_that_dies_by_a_signal_ends_with_255(bed, server):
    assert run(bed, server, "kill -TERM $$").returncode == 255


def test_output_and_errors_come_apart_and_input_ends(bed, server):
    done = run(bed, server, "cat; echo out; echo err >&2; exit 3", given=b"in ")
    assert (done.stdout, done.stderr, done.returncode) == (b"in out\n", b"err\n", 3)


def test_errors_still_come_when_output_has_ended(bed, server):
    done = run(bed, server, "exec >&-; sleep 0.2; echo late >&2")
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"late\n", 0)


def test_twenty_megabytes_pass_each_way_and_over_stderr(bed, server):
    data = seeded_bytes(15, 20 << 20)
    done = run(bed, server, "tee /dev/stderr", given=data)
    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()
    assert hashlib.sha256(done.stderr).digest() == hashlib.sha256(data).digest()


def test_output_nobody_reads_ends_the_command(bed, server):
    line = " ".join("'%s'" % w for w in words(bed, server, "yes", options=("-q",)))
    done = subprocess.run(["sh", "-c", line + " | head -n 1"], capture_output=True, timeout=30, env=bed.env)
    assert done.stdout == b"y\n"


def test_n_leaves_the_input_alone(bed, server):
    done = run(bed, server, "cat; echo end", options=("-q", "-n"), given=b"not this")
    assert done.stdout == b"end\n"


def test_the_command_s_words_are_joined_and_options_behind_it_are_its_own(bed, server):
    done = run(bed, server, "echo", "a  b", "-v", "c")
    assert done.stdout == b"a b -v c\n"


def test_a_shell_without_a_terminal_takes_its_lines_from_the_input(bed, server):
    done = run(bed, server, given=b"echo from the shell; exit 6\n")
    assert b"from the shell\n" in done.stdout and done.returncode == 6


def test_a_subsystem(bed, server):
    init = bytes([0, 0, 0, 5, 1, 0, 0, 0, 3])  # SSH_FXP_INIT, version 3
    adit = bed.run(words(bed, server, "sftp", options=("-q", "-s")), stdin=subprocess.PIPE)
    adit.popen.stdin.write(init)
    adit.popen.stdin.flush()
    until(lambda: adit.out[4:9] == bytes([2, 0, 0, 0, 3]), "SSH_FXP_VERSION")
    done = run(bed, server, "nosuch", options=("-s",))
    assert done.returncode == 255 and b"subsystem request failed" in done.stderr


# ---- environment and configuration ----


def test_variables_go_along(bed, server):
    env = dict(bed.env, ADIT_ONE="1", ADIT_TWO="two words", OTHER="x")
    options = ("-q", "-o", "SendEnv=ADIT_*", "-o", "SetEnv=ADIT_THREE=3")
    done = run(bed, server, 'echo "$ADIT_ONE $ADIT_TWO $ADIT_THREE [$OTHER]"', options=options, env=env)
    assert done.stdout == b"1 two words 3 []\n"


def test_remote_command_and_a_command_exclude_each_other(bed, server):
    options = ("-q", "-o", "RemoteCommand=echo configured %p")
    assert run(bed, server, options=options).stdout == b"configured %d\n" % server.port
    done = run(bed, server, "true", options=options[1:])
    assert done.returncode == 255 and b"Cannot execute command-line and remote command" in done.stderr


def test_local_command_runs_here_before_the_session(bed, server):
    options = ("-q", "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo local %p; echo $PPID >&2")
    done = run(bed, server, "echo remote", options=options)
    assert done.stdout == b"local %d\nremote\n" % server.port
    done = run(bed, server, "echo remote", options=("-q", "-o", "LocalCommand=echo local"))
    assert done.stdout == b"remote\n"


def test_f_needs_a_command_and_leaves_it_running(bed, server):
    done = run(bed, server, options=("-f",))
    assert done.returncode == 255 and b"Cannot fork into background without a command" in done.stderr
    file = bed.folder / "later"
    done = run(bed, server, "sleep 0.3; echo written >%s; echo shown" % file, options=("-q", "-f"))
    assert done.returncode == 0
    until(lambda: file.exists() and file.read_text() == "written\n", "the command in the background")


# ---- no shell ----


def test_a_server_without_shells_leaves_the_forwards(bed):
    server = bed.sshd(MaxSessions="0")
    port, target = free_port(), bed.echo().port
    adit = bed.run(words(bed, server, options=("-L", "%d:127.0.0.1:%d" % (port, target))), stdin=subprocess.PIPE)
    adit.wait_line("no shell.*goes on as with -N")
    with connect(port) as s:
        s.sendall(b"through")
        assert s.recv(100) == b"through"
    done = run(bed, server, "true", options=())
    assert done.returncode == 255 and b"opened no session" in done.stderr


def test_the_run_ends_with_the_session_and_the_last_forwarded_connection(bed, server):
    port, target = free_port(), bed.echo().port
    options = ("-v", "-L", "%d:127.0.0.1:%d" % (port, target))
    adit = bed.run(words(bed, server, "read x; exit 4", options=options), stdin=subprocess.PIPE)
    adit.wait_line("from the server's side")
    with connect(port) as s:
        s.sendall(b"one")
        assert s.recv(100) == b"one"
        adit.popen.stdin.write(b"go\n")
        adit.popen.stdin.close()
        adit.wait_line("session is over; forwarded connections are still open")
        s.sendall(b"two")
        assert s.recv(100) == b"two"
    assert adit.wait() == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_adit_with_255(bed, server, number):
    adit = bed.run(words(bed, server, "echo ready; sleep 60", options=("-q",)))
    until(lambda: adit.out == b"ready\n", "the command")
    adit.signal(number)
    assert adit.wait() == 255


def only_forwards(bed, server, *options, **popen):
    """adit -N with a -L; (adit, the port)"""
    return bed.local(server, bed.echo().port, *options, **popen)


@pytest.mark.parametrize("number,status", [(signal.SIGTERM, 0), (signal.SIGINT, 255), (signal.SIGHUP, 255)])
@pytest.mark.parametrize("program", [ADIT, "/usr/bin/ssh"])
def test_sigterm_is_the_usual_end_of_a_tunnel(bed, server, program, number, status):
    adit, port = only_forwards(bed, server, program=program)
    assert ask(port) == b"hello"
    adit.signal(number)
    assert adit.wait() == status


@pytest.mark.parametrize("program", [ADIT, "/usr/bin/ssh"])
def test_sigterm_is_the_usual_end_of_stdio(bed, server, program):
    argv = [program] + bed.client_options(server) + ["-W", "127.0.0.1:%d" % bed.echo().port, bed.login(server)]
    adit = bed.run(argv, stdin=subprocess.PIPE)
    adit.popen.stdin.write(b"through")
    adit.popen.stdin.flush()
    until(lambda: adit.out == b"through", "the echo")
    adit.signal(signal.SIGTERM)
    assert adit.wait() == 0


@pytest.mark.parametrize("program", [ADIT, "/usr/bin/ssh"])
def test_what_nohup_ignores_stays_ignored(bed, server, program):
    """nohup for SIGHUP; a script's & for SIGINT."""
    def ignore():
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    adit, port = only_forwards(bed, server, program=program, preexec_fn=ignore)
    for number in (signal.SIGHUP, signal.SIGINT):
        adit.signal(number)
        assert ask(port) == b"hello"
    adit.signal(signal.SIGTERM)
    assert adit.wait() == 0


# ---- a terminal ----


def shell(bed, server, *command, options=()):
    return Terminal(bed, words(bed, server, *command, options=("-tt",) + tuple(options)), env=dict(bed.env, TERM="vt100"))


def test_a_command_gets_a_terminal_with_t_alone(bed, server):
    assert run(bed, server, "tty").stdout == b"not a tty\n"
    assert run(bed, server, "tty", options=("-q", "-tt")).stdout.startswith(b"/dev/pts/")
    done = run(bed, server, "tty", options=("-t",))
    assert done.stdout == b"not a tty\n" and b"Pseudo-terminal will not be allocated because stdin is not" in done.stderr
    assert run(bed, server, "tty", options=("-q", "-t", "-t")).stdout.startswith(b"/dev/pts/")
    assert run(bed, server, "tty", options=("-q", "-tt", "-T")).stdout == b"not a tty\n"


def test_size_type_and_modes_of_the_terminal_go_along(bed, server):
    t = shell(bed, server, "stty -a; echo term $TERM; read x")
    t.wait_for("rows 24; columns 80")
    t.wait_for("intr = \\^C")
    t.wait_for("term vt100")
    assert t.is_raw()
    t.type("\n")
    assert t.wait() == 0
    t.wait_for("Connection to 127.0.0.1 closed.")
    assert t.is_as_before()


def test_a_new_size_is_passed_on(bed, server):
    t = shell(bed, server, "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done")
    t.wait_for("ready")
    t.resize(33, 99)
    t.wait_for("33 99")
    t.type("\x03")
    t.wait()


def test_control_c_goes_to_the_other_side(bed, server):
    t = shell(bed, server, "trap 'echo got it; exit 7' INT; echo ready; while :; do sleep 0.1; done")
    t.type_after("ready", "\x03")
    t.wait_for("got it")
    assert t.wait() == 7
    assert t.is_as_before()


def test_the_terminal_is_put_back_when_adit_is_killed_or_the_server_goes(bed, server):
    t = shell(bed, server, "echo ready; sleep 60")
    t.wait_for("ready")
    until(t.is_raw, "a raw terminal")
    os.kill(t.popen.pid, signal.SIGTERM)
    assert t.wait() == 255
    assert t.is_as_before()
    t = shell(bed, server, "echo ready; kill -9 $(ps -o ppid= $PPID) $PPID; sleep 60")
    t.wait_for("ready")
    t.wait()
    assert t.is_as_before()


# ---- escapes ----


def test_help_and_the_end(bed, server):
    t = shell(bed, server, "echo ready; cat")
    t.type_after("ready", "~?")
    t.wait_for("(?m)^Supported escape sequences:\r\n")
    t.type("~~~tilde\n")  # at a line's start: ~~ is one
    t.wait_for("~~tilde")
    t.type("~.")
    assert t.wait() == 255
    assert t.is_as_before()


def test_what_is_no_escape_goes_through(bed, server):
    t = shell(bed, server, "echo ready; stty -echo; cat")
    t.type_after("ready", "a~?b\n")
    t.wait_for("a~\\?b")
    t.type("~x\n")
    t.wait_for("~x")
    t.type("\n~.")
    assert t.wait() == 255


def test_another_escape_character_and_none(bed, server):
    t = shell(bed, server, "echo ready; cat", options=("-e", "%"))
    t.type_after("ready", "%.")
    assert t.wait() == 255
    t = shell(bed, server, "echo ready; head -n 1", options=("-e", "none"))
    t.type_after("ready", "~.\n")
    assert t.wait() == 0


def test_lists_and_information(bed, server):
    port = free_port()
    t = shell(bed, server, "echo ready; cat", options=("-L", "%d:127.0.0.1:1" % port))
    t.type_after("ready", "~#")
    t.wait_for("local port %d -> 127.0.0.1:1: open" % port)
    t.type("~I")
    t.wait_for("kexalgorithm ")
    t.wait_for("-> 127.0.0.1:%d" % server.port)


def test_the_command_line_adds_and_cancels_forwards(bed, server):
    port, back, target = free_port(), free_port(), bed.echo().port
    t = shell(bed, server, "echo ready; cat", options=("-o", "EnableEscapeCommandline=yes"))
    t.type_after("ready", "~C")
    t.type_after("adit> ", "-L %d:127.0.0.1:%d\r" % (port, target))
    t.wait_for("Forwarding port.")
    with connect(port) as s:
        s.sendall(b"x")
        assert s.recv(10) == b"x"
    t.type("~C")
    t.type_after("adit> ", "-R %d:127.0.0.1:%d\r" % (back, target), count=2)
    t.wait_for("remote port %d" % back)
    with connect(back) as s:
        s.sendall(b"y")
        assert s.recv(10) == b"y"
    t.type("~C")
    t.type_after("adit> ", "-KL %d\r" % port, count=3)
    t.wait_for("Canceled forwarding.")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    t.type("~C")
    t.type_after("adit> ", "-KR %d\r" % back, count=4)
    t.wait_for("Canceled forwarding.", count=2)

    def is_gone():
        try:
            socket.create_connection(("127.0.0.1", back), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    until(is_gone, "the remote listener to close")
    t.type("~C")
    t.type_after("adit> ", "-KL %d\r" % port, count=5)
    t.wait_for("Unknown port forwarding.")
    t.type("~C")
    t.type_after("adit> ", "nonsense\r", count=6)
    t.wait_for("Invalid command.")
    t.type("~C")
    t.type_after("adit> ", "-L %d:\x7f\x03" % port, count=7)
    t.type("still here\n")
    t.wait_for("still here\\s+still here")


def test_the_command_line_is_off_by_itself(bed, server):
    t = shell(bed, server, "echo ready; cat")
    t.type_after("ready", "~C")
    t.wait_for("commandline disabled")


def test_suspended_the_terminal_is_the_shell_s_again(bed, server):
    """Under a shell with job control: a stop is for the shell to see."""
    t = Terminal(bed, ["bash", "--norc", "--noprofile", "-i"], env=dict(bed.env, TERM="vt100", PS1="local> "))
    t.wait_for("local> ")
    t.type(" ".join("'%s'" % w for w in words(bed, server, "echo read''y; cat", options=("-tt",))) + "\n")
    t.type_after("ready", "~\x1a")
    t.wait_for("Stopped")
    t.type("echo he''re\n")
    t.wait_for("here\r\n")
    t.type("fg\n")
    t.type_after("fg\r\n.*-tt", "on it goes\n")
    t.wait_for("on it goes", count=2)
    t.type("~.")
    t.wait_for("local> ", count=4)
