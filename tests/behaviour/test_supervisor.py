"""
The supervisor under those who do not play along: workers that stand still, die or show what is not
theirs, and configurations that become narrower while people are there.
"""

import array
import contextlib
import glob
import os
import re
import resource
import signal
import socket
import subprocess
import time

import pytest

import login_help
from bed import USER, ask, children_of, descendants_of, is_turned_away, listening, name_of, serving, state_of, until

REGISTER, HELD = 25, 26  # server/role_msg.h


def workers_of(server):
    return [pid for pid in serving(server.pid) if name_of(pid) == "aditd-work"]


def end_with_the_test(bed, server):
    """What outlives its supervisor on purpose."""
    left = workers_of(server) + [pid for pid in children_of(server.pid) if name_of(pid) == "aditd-sign"]
    bed.at_end(lambda: [os.kill(pid, signal.SIGKILL) for pid in left if state_of(pid) not in (None, "Z")])
    return left


def restart(bed, server, connections):
    end_with_the_test(bed, server)
    server.process.signal(signal.SIGKILL)
    server.process.popen.wait(10)
    again = bed.run(server.process.argv)
    goes_on = lambda: len(re.findall("user .* goes on", again.err))
    until(lambda: goes_on() == connections or not again.is_alive(), lambda: "those who go on: " + again.err)
    assert again.is_alive(), again.err
    return again


def config_of(server):
    return server.process.argv[server.process.argv.index("-f") + 1]


def add_to_config(server, *lines):
    with open(config_of(server), "a") as f:
        f.write("".join(line + "\n" for line in lines))


def reload(process, count=1):
    process.signal(signal.SIGHUP)
    until(lambda: process.err.count("Received SIGHUP") >= count or not process.is_alive(), "the reload")
    assert process.is_alive(), process.err


def knock(server):
    """A socket to where workers come back. It is made behind the port, and listens behind its making."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def is_open():
        for folder in ("/run/adit", "/run/user/*/adit", "/tmp/adit-*"):
            for path in glob.glob("%s/*-%d-*.sock" % (folder, server.port)):
                if s.connect_ex(path) == 0:
                    return True
        return False

    until(is_open, "the place where workers come back")
    return s


def test_a_worker_that_came_back_and_stands_still_is_let_go_by_a_reload_and_nobody_else(bed):
    server = bed.aditd(Isolation="user")
    count = 3 * os.cpu_count() + 1  # the last finds a place at any of them
    echo = bed.echo()
    ports = []
    for _ in range(count):
        ports.append(bed.local(server, echo.port)[1])
        assert ask(ports[-1]) == b"hello"
    still = workers_of(server)[0]
    again = restart(bed, server, count)
    os.kill(still, signal.SIGSTOP)
    for n in range(1, 1200):
        reload(again, n)
        if "its worker takes no options" in again.err:
            break
    assert "its worker takes no options" in again.err
    until(lambda: re.search("the worker of .* died", again.err), lambda: "its end: " + again.err[-2000:])
    os.kill(still, signal.SIGCONT)
    assert ask(bed.local(server, echo.port)[1]) == b"hello"
    assert all(ask(port) == b"hello" for port in ports)


def test_a_restart_with_a_narrower_configuration_narrows_what_goes_on(bed):
    server = bed.aditd()
    _, far = bed.remote(server, bed.echo().port)
    _, port = bed.local(server, bed.echo().port)
    assert ask(far) == b"hello" and ask(port) == b"hello"
    add_to_config(server, "AllowTcpForwarding no")
    restart(bed, server, 2)
    until(lambda: not listening(far), "the forward that is forbidden by now to go")
    assert is_turned_away(port)


def test_who_logs_in_while_the_configuration_changes_gets_the_new_one(bed):
    account = login_help.Account(bed, password="secret")
    server = bed.aditd(PasswordAuthentication="yes")
    go = bed.path("go")
    script = "#!/bin/sh\ntouch %s.asked\nwhile [ ! -e %s ]; do sleep 0.05; done\necho secret\n" % (go, go)
    env = dict(bed.env, SSH_ASKPASS=bed.write("askpass", script, 0o700), SSH_ASKPASS_REQUIRE="force", DISPLAY=":9")
    options = [o.replace("BatchMode=yes", "BatchMode=no") for o in bed.client_options(server)]
    argv = ["/usr/bin/ssh"] + options + ["-o", "PubkeyAuthentication=no", "-o", "ExitOnForwardFailure=yes"]
    ssh = bed.run(argv + ["-N", "-R", "0:127.0.0.1:1", account.name + "@127.0.0.1"], env=env)
    until(lambda: os.path.exists(str(go) + ".asked"), lambda: "the question: " + ssh.err)
    add_to_config(server, "AllowTcpForwarding no")
    reload(server.process)
    bed.write("go", "")
    assert ssh.wait() == 255, server.log
    assert "Accepted " in server.log and "forwarding failed" in ssh.err, ssh.err


def test_a_ticket_is_for_one_connection(bed):
    login_help.needs_root()
    server = bed.aditd(Isolation="user")
    assert ask(bed.local(server, bed.echo().port)[1]) == b"hello"
    [worker] = workers_of(server)
    links = ["/proc/%d/fd/%s" % (worker, fd) for fd in os.listdir("/proc/%d/fd" % worker)]
    [ticket] = [link for link in links if "aditd-ticket" in os.readlink(link)]
    copy = os.open(ticket, os.O_RDONLY)
    with knock(server) as s:
        s.settimeout(10)
        s.send(REGISTER.to_bytes(4, "big") + (0).to_bytes(4, "big"))
        held = HELD.to_bytes(4, "big") + (7).to_bytes(4, "big")
        s.sendmsg([held], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [copy]))])
        while s.recv(65536):
            pass
    os.close(copy)
    until(lambda: "cannot be believed" in server.log, lambda: "the refusal: " + server.log)
    assert "goes on" not in server.log


def test_one_uid_does_not_keep_the_workers_of_others_out(bed):
    server = bed.aditd()
    crowd = [knock(server) for _ in range(200)]
    bed.at_end(lambda: [s.close() for s in crowd])

    def turned_away():
        found = 0
        for s in crowd:
            s.setblocking(False)
            try:
                found += s.recv(1, socket.MSG_PEEK) == b""
            except BlockingIOError:
                pass
        return found

    until(lambda: turned_away() >= 100, "the crowd to be thinned out before its patience ends", within_s=4)


def test_a_command_does_not_outlive_the_connection_it_was_run_for(bed):
    folder = login_help.program_folder(bed)
    run_as = "nobody" if login_help.IS_ROOT else USER
    program = login_help.write_program(folder, "keys", "exec sleep 55.%d" % os.getpid())
    server = bed.aditd(AuthorizedKeysCommand=program, AuthorizedKeysCommandUser=run_as, AuthorizedKeysFile="none")
    sleepers = lambda: subprocess.run(["pgrep", "-f", "sleep 55.%d" % os.getpid()], capture_output=True, text=True).stdout.split()
    ssh = bed.ssh(server)
    until(sleepers, lambda: "the command: " + server.log)
    ssh.popen.kill()
    until(lambda: not sleepers(), "the command to end with its connection", within_s=10)
    until(lambda: not [p for p in descendants_of(server.pid) if state_of(p) == "Z"], "no zombies")


def test_a_password_after_a_restricted_key_shares_no_process(bed):
    account = login_help.Account(bed, password="secret")
    account.authorize("restrict,port-forwarding " + open(bed.keys.user() + ".pub").read())
    server = bed.aditd(AuthorizedKeysFile=".ssh/authorized_keys", PasswordAuthentication="yes", AuthenticationMethods="publickey,password")
    env = dict(bed.env, SSH_ASKPASS=bed.write("askpass", "#!/bin/sh\necho secret\n", 0o700), SSH_ASKPASS_REQUIRE="force", DISPLAY=":9")
    options = [o.replace("BatchMode=yes", "BatchMode=no") for o in bed.client_options(server)]
    count = os.cpu_count() + 1
    for _ in range(count):
        ssh = bed.run(["/usr/bin/ssh"] + options + ["-N", "-R", "0:127.0.0.1:1", account.name + "@127.0.0.1"], env=env)
        until(lambda: "Allocated port" in ssh.err, lambda: "the forward: " + ssh.err + server.log)
    assert len(workers_of(server)) == count


def test_the_supervisor_takes_all_descriptors_it_may_have_and_sessions_get_what_was(bed):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard <= 777:
        pytest.skip("nothing is left to take")
    resource.setrlimit(resource.RLIMIT_NOFILE, (777, hard))
    try:
        server = bed.aditd()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    argv = ["/usr/bin/ssh"] + bed.client_options(server) + [bed.login(server), "ulimit -Sn; ulimit -Hn"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)
    assert done.stdout.split() == ["777", str(hard)], (done, server.log)


def test_names_are_looked_up_again_by_those_who_were_there_when_the_resolver_died(bed):
    server = bed.aditd()
    _, port = bed.local(server, bed.echo().port, host="localhost")
    begin = time.monotonic()
    assert ask(port) == b"hello"
    resolvers = lambda: [pid for pid in children_of(server.pid) if name_of(pid) == "aditd-resolve"]
    [first] = resolvers()
    until(lambda: time.monotonic() - begin > 1.5, "it to have lived")
    os.kill(first, signal.SIGKILL)
    until(lambda: resolvers() not in ([], [first]), lambda: "another: " + server.log)

    def is_found():
        with contextlib.suppress(ConnectionResetError):  # who was there has not heard of the other yet
            return ask(port) == b"hello"

    until(is_found, lambda: "a name to be found again: " + server.log)


def test_a_question_that_dies_with_the_supervisor_holds_up_no_probes(bed):
    account = login_help.Account(bed, password="secret")
    server = bed.aditd(host_kinds=("ed25519", "ecdsa256"), PasswordAuthentication="yes")
    go = bed.path("go")
    script = "#!/bin/sh\ntouch %s.asked\nwhile [ ! -e %s ]; do sleep 0.05; done\necho secret\n" % (go, go)
    env = dict(bed.env, SSH_ASKPASS=bed.write("askpass", script, 0o700), SSH_ASKPASS_REQUIRE="force", DISPLAY=":9")
    options = [o.replace("BatchMode=yes", "BatchMode=no") for o in bed.client_options(server)]
    options += ["-o", "PubkeyAuthentication=no", "-o", "UpdateHostKeys=yes", "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2"]
    ssh = bed.run(["/usr/bin/ssh", "-vvv"] + options + ["-N", account.name + "@127.0.0.1"], env=env)
    until(lambda: os.path.exists(str(go) + ".asked"), lambda: "the question: " + ssh.err)
    [signer] = [pid for pid in children_of(server.pid) if name_of(pid) == "aditd-sign"]
    os.kill(signer, signal.SIGSTOP)
    bed.at_end(lambda: [os.kill(signer, n) for n in (signal.SIGKILL, signal.SIGCONT) if state_of(signer) not in (None, "Z")])
    bed.write("go", "")
    until(lambda: "asking server to prove" in ssh.err, lambda: "the wish for proofs: " + ssh.err)
    end_with_the_test(bed, server)
    server.process.signal(signal.SIGKILL)
    server.process.popen.wait(10)
    begin = time.monotonic()
    until(lambda: time.monotonic() - begin > 5 or not ssh.is_alive(), "the probes")
    assert ssh.is_alive(), ssh.err
