"""
The server's processes: what each is, what outlives what, and what a crash costs.
"""

import array
import glob
import os
import random
import re
import signal
import socket
import subprocess
import threading

import pytest

import login_help
from bed import ADIT, BIN, IS_ROOT, USER, ask, children_of, connect, free_port, descendants_of, listening, name_of, serving, state_of, until


def workers_of(server):
    return [pid for pid in serving(server.pid) if name_of(pid) == "aditd-work"]


def wait_workers(server, count):
    until(lambda: len(workers_of(server)) == count, lambda: "%d workers; there are %s" % (count, workers_of(server)))
    return workers_of(server)


def up(bed, server):
    """A client whose forward carries bytes."""
    adit, port = bed.local(server, bed.echo().port)
    assert ask(port) == b"hello"
    return adit, port


def status_of(pid, field):
    text = open("/proc/%d/status" % pid).read()
    return re.search(r"^%s:\s*(.*)$" % field, text, re.M).group(1).split()


def restart(bed, server, **how):
    """The same command line again, once the port is free."""
    again = bed.run(server.process.argv)
    until(lambda: "Server listening" in again.err or not again.is_alive(), lambda: "the new server: " + again.err)
    return again


def end(server, number=signal.SIGTERM):
    server.process.signal(number)
    server.process.popen.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_new_supervisor_finds_the_workers_of_the_old_one(bed, number):
    server = bed.aditd(LogLevel="VERBOSE")
    adit, port = bed.local(server, bed.echo().port)
    other, far = bed.remote(server, bed.echo().port)
    assert ask(port) == b"hello" and ask(far) == b"hello"
    workers = workers_of(server)
    signer = [pid for pid in children_of(server.pid) if name_of(pid) == "aditd-sign"]
    bed.at_end(lambda: [os.kill(pid, signal.SIGKILL) for pid in workers + signer if state_of(pid) not in (None, "Z")])
    end(server, number)
    assert ask(port) == b"hello" and ask(far) == b"hello"
    again = restart(bed, server)
    until(lambda: len(re.findall("user .* goes on", again.err)) == 2, lambda: "both connections: " + again.err)
    assert ask(port) == b"hello" and ask(far) == b"hello"
    assert "aditd-sign of the server before goes on" in again.err
    assert not [pid for pid in children_of(again.pid) if name_of(pid) == "aditd-sign"]
    fresh, more = bed.local(server, bed.echo().port)  # a key exchange, signed by the old signer
    assert ask(more) == b"hello"
    fresh.stop()
    adit.stop()
    other.stop()
    until(lambda: all(state_of(pid) in (None, "Z") for pid in workers), "the workers to end with their last connection")


def test_an_exchange_that_no_supervisor_can_sign_waits_for_the_next_one(bed):
    server = bed.aditd(RekeyLimit="1M")
    adit, port = bed.local(server, bed.echo().port)
    assert ask(port) == b"hello"
    workers = workers_of(server)
    bed.at_end(lambda: [os.kill(pid, signal.SIGKILL) for pid in workers if state_of(pid) not in (None, "Z")])
    end(server, signal.SIGKILL)
    with connect(port) as s:
        s.settimeout(30)
        sender = threading.Thread(target=lambda: s.sendall(bytes(8 << 20)), daemon=True)
        sender.start()
        got = 0
        again = restart(bed, server)
        until(lambda: re.search("user .* goes on", again.err), lambda: "the connection: " + again.err)
        while got < 8 << 20:
            n = len(s.recv(1 << 20))
            assert n, "the stream ended after %d bytes" % got
            got += n
    adit.stop()


def test_nobody_without_a_ticket_is_believed(bed):
    server = bed.aditd(LogLevel="VERBOSE")
    path = [p for p in glob.glob("/run/adit/*-%d-*.sock" % server.port) + glob.glob("/run/user/*/adit/*-%d-*.sock" % server.port)
            + glob.glob("/tmp/adit-*/*-%d-*.sock" % server.port)][0]
    forged = os.memfd_create("aditd-ticket", os.MFD_ALLOW_SEALING)
    os.write(forged, b"nothing a supervisor wrote")
    register = (25).to_bytes(4, "big") + (0).to_bytes(4, "big")  # ROLE_MSG_REGISTER, no unit
    held = (26).to_bytes(4, "big") + (7).to_bytes(4, "big")  # ROLE_MSG_HELD, connection 7
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(10)
        s.connect(path)
        s.send(register)
        s.sendmsg([held], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [forged]))])
        while s.recv(65536):
            pass  # the host keys, which are public; then the end
    until(lambda: "cannot be believed" in server.log, lambda: "the refusal: " + server.log)
    os.close(forged)


def test_a_worker_that_crashes_takes_its_own_account_alone(bed):
    server = bed.aditd(Isolation="connection", LogLevel="VERBOSE")
    victim, port = up(bed, server)
    first = wait_workers(server, 1)
    bystander, other = up(bed, server)
    with connect(other) as s:
        s.sendall(b"before")
        assert s.recv(100) == b"before"
        os.kill(first[0], signal.SIGSEGV)
        assert victim.wait() == 255
        s.sendall(b"after")
        assert s.recv(100) == b"after"
    until(lambda: re.search(r"died \(signal \d+\)", server.log), lambda: "the audit line: " + server.log)
    assert USER in re.search("the worker of (.*) died", server.log).group(1)


def test_the_crash_of_one_accounts_worker_does_not_reach_another_account(bed):
    account = login_help.Account(bed)
    account.authorize(open(bed.keys.user() + ".pub").read())
    keys = ".ssh/authorized_keys %s" % bed.keys.authorized
    server = bed.aditd(AuthorizedKeysFile=keys, StrictModes="no", LogLevel="VERBOSE")
    echo, theirs = bed.echo(), free_port()
    victim = bed.run([ADIT] + bed.client_options(server) + ["-N", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (theirs, echo.port), account.name + "@127.0.0.1"])
    until(lambda: listening(theirs), lambda: "the forward: " + victim.err)
    assert ask(theirs) == b"hello"
    _, mine = up(bed, server)
    doomed = [pid for pid in workers_of(server) if status_of(pid, "Uid")[0] == str(account.uid)]
    with connect(mine) as s:
        s.sendall(b"before")
        assert s.recv(100) == b"before"
        for pid in doomed:
            os.kill(pid, signal.SIGSEGV)
        assert len(doomed) == 1 and victim.wait() == 255
        s.sendall(b"after")
        assert s.recv(100) == b"after"
    until(lambda: re.search(r"the worker of %s died \(signal \d+\)" % account.name, server.log), lambda: "the audit line: " + server.log)


def test_an_account_whose_workers_crash_gets_one_for_each_connection(bed):
    server = bed.aditd(Isolation="user", LogLevel="VERBOSE")
    for _ in range(3):
        adit, _ = up(bed, server)
        os.kill(wait_workers(server, 1)[0], signal.SIGSEGV)
        adit.wait()
    until(lambda: "each connection gets one of its own" in server.log, lambda: "the back-off: " + server.log)
    for _ in range(3):
        up(bed, server)
    wait_workers(server, 3)


IDLE_S = 5  # server/workers.c


def test_who_comes_again_soon_finds_the_worker_that_he_had(bed):
    server = bed.aditd(Isolation="user")
    adit, _ = up(bed, server)
    [worker] = wait_workers(server, 1)
    for _ in range(3):
        adit.stop()
        server.wait_log("Disconnected from user|Connection closed by user")
        adit, _ = up(bed, server)
        assert wait_workers(server, 1) == [worker]
    adit.stop()
    until(lambda: not workers_of(server), "the worker's end, once nobody comes", within_s=IDLE_S + 20)
    assert "died" not in server.log


def test_a_worker_for_one_connection_ends_with_it(bed):
    server = bed.aditd(Isolation="connection")
    adit, _ = up(bed, server)
    wait_workers(server, 1)
    adit.stop()
    until(lambda: not workers_of(server), "the worker's end", within_s=IDLE_S - 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_waits_ends_by_a_signal_and_another_comes(bed, number):
    server = bed.aditd(Isolation="user")
    adit, _ = up(bed, server)
    [worker] = wait_workers(server, 1)
    adit.stop()
    server.wait_log("Disconnected from user|Connection closed by user")
    os.kill(worker, number)
    until(lambda: not workers_of(server), "the worker's end", within_s=IDLE_S - 1)
    adit, port = up(bed, server)
    assert ask(port) == b"hello" and wait_workers(server, 1) != [worker]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_waits_ends_with_its_supervisor(bed, number):
    server = bed.aditd(Isolation="user")
    adit, _ = up(bed, server)
    [worker] = wait_workers(server, 1)
    signer = [pid for pid in children_of(server.pid) if name_of(pid) == "aditd-sign"]
    bed.at_end(lambda: [os.kill(pid, signal.SIGKILL) for pid in signer if state_of(pid) not in (None, "Z")])
    adit.stop()
    server.wait_log("Disconnected from user|Connection closed by user")
    end(server, number)
    until(lambda: state_of(worker) in (None, "Z"), "the worker's end", within_s=IDLE_S - 1)


def test_no_more_than_a_few_workers_wait(bed):
    """Each of these keys has a worker of its own, and each login ends at once."""
    count, most = 11, 8
    keys, lines = [], []
    for n in range(count):
        key = str(bed.path("key%d" % n))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        keys.append(key)
        lines.append("restrict,port-forwarding " + open(key + ".pub").read())
    server = bed.aditd(AuthorizedKeysFile=bed.write("keys", "".join(lines)), StrictModes="no")
    seen = set()
    for n, key in enumerate(keys):
        argv = [BIN / "adit"] + bed.client_options(server) + ["-o", "IdentityFile=none", "-i", key]
        argv += ["-N", "-R", "0:127.0.0.1:1", bed.login(server)]
        adit = bed.run([a if a != bed.keys.user() else key for a in argv])
        until(lambda: "Allocated port" in adit.err or not adit.is_alive(), lambda: "the forward: " + adit.err)
        seen |= set(workers_of(server))
        adit.stop()
        server.wait_log("Disconnected from user|Connection closed by user", count=n + 1)
    assert len(seen) >= count, server.log
    assert len(workers_of(server)) <= most + 1  # the last one may be about to end


@pytest.mark.parametrize("isolation, most", [("user", os.cpu_count()), ("key", os.cpu_count()), ("connection", 4)])
def test_isolation_says_who_shares_a_process(bed, isolation, most):
    server = bed.aditd(Isolation=isolation)
    for _ in range(4):
        up(bed, server)
    wait_workers(server, most)


def test_restricted_keys_do_not_share_a_process_with_each_other(bed):
    mine, theirs = bed.keys.user("ed25519"), bed.keys.user("ecdsa256")
    lines = ["restrict,port-forwarding " + open(key + ".pub").read() for key in (mine, theirs)]
    server = bed.aditd(AuthorizedKeysFile=bed.write("keys", "".join(lines)), StrictModes="no")
    for kind in ("ed25519", "ed25519", "ecdsa256"):
        argv = [BIN / "adit"] + bed.client_options(server, user_kind=kind) + ["-N", "-R", "0:127.0.0.1:1", bed.login(server)]
        adit = bed.run(argv)
        until(lambda: "Allocated port" in adit.err, lambda: "the forward: " + adit.err)
    shared = min(2, os.cpu_count())
    wait_workers(server, shared + 1)


def test_what_has_not_logged_in_sits_in_an_empty_root_behind_a_filter(bed):
    server = bed.aditd()
    with connect(server.port) as s:
        s.recv(100)
        pre = [pid for pid in descendants_of(server.pid) if name_of(pid) == "aditd-pre"]
        locked = [pid for pid in pre if status_of(pid, "Seccomp") == ["2"]]
        assert len(locked) >= 1
        for pid in locked:
            assert status_of(pid, "NoNewPrivs") == ["1"]
            if IS_ROOT:
                assert status_of(pid, "Uid")[0] != "0" and status_of(pid, "CapEff") == ["0000000000000000"]
                assert os.listdir("/proc/%d/root" % pid) == []


def test_a_worker_has_the_accounts_uid_and_nothing_of_roots(bed):
    account = login_help.Account(bed)
    account.authorize(open(bed.keys.user() + ".pub").read())
    server = bed.aditd(AuthorizedKeysFile=".ssh/authorized_keys")
    options = ["/usr/bin/ssh"] + bed.client_options(server)
    ssh = bed.run(options + ["-N", "-R", "0:127.0.0.1:1", account.name + "@127.0.0.1"])
    until(lambda: "Allocated port" in ssh.err, lambda: "the forward: " + ssh.err + server.log)
    worker = wait_workers(server, 1)[0]
    assert status_of(worker, "Uid") == [str(account.uid)] * 4
    assert status_of(worker, "CapEff") == ["0000000000000000"] and status_of(worker, "Seccomp") == ["2"]
    argv = options + [account.name + "@127.0.0.1", "id -u; id -G"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)
    assert done.stdout.split()[0] == str(account.uid) and "0" not in done.stdout.split(), (done, server.log)


def test_a_port_below_1024_is_bound_where_permitlisten_names_it_and_nowhere_else(bed):
    account = login_help.Account(bed)
    account.authorize(open(bed.keys.user() + ".pub").read())
    granted, other = free_privileged(), free_privileged()
    server = bed.aditd(AuthorizedKeysFile=".ssh/authorized_keys", PermitListen="%d *:2000-65535" % granted, LogLevel="VERBOSE")
    echo = bed.echo()
    options = ["/usr/bin/ssh"] + bed.client_options(server) + ["-o", "ExitOnForwardFailure=yes", "-N", account.name + "@127.0.0.1"]
    ssh = bed.run(options + ["-R", "%d:127.0.0.1:%d" % (granted, echo.port)])
    until(lambda: listening(granted) or not ssh.is_alive(), lambda: "the port: " + ssh.err + server.log)
    assert ask(granted) == b"hello"
    refused = subprocess.run(options + ["-R", "%d:127.0.0.1:%d" % (other, echo.port)], capture_output=True, text=True, timeout=30, env=bed.env)
    assert refused.returncode == 255 and not listening(other)
    anywhere = bed.aditd(AuthorizedKeysFile=".ssh/authorized_keys")
    options = ["/usr/bin/ssh"] + bed.client_options(anywhere) + ["-o", "ExitOnForwardFailure=yes", "-N", account.name + "@127.0.0.1"]
    refused = subprocess.run(options + ["-R", "%d:127.0.0.1:%d" % (other, echo.port)], capture_output=True, text=True, timeout=30, env=bed.env)
    assert refused.returncode == 255 and not listening(other)
    until(lambda: "wants a PermitListen that names it" in anywhere.log, lambda: "the reason: " + anywhere.log)


def free_privileged():
    for port in random.sample(range(600, 1000), 50):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no port below 1024 is free")


def test_a_signer_with_other_keys_is_replaced(bed):
    key = bed.write("host_key", open(bed.keys.host()).read(), mode=0o600)
    server = bed.aditd(HostKey=key)
    adit, port = up(bed, server)
    signer = [pid for pid in children_of(server.pid) if name_of(pid) == "aditd-sign"]
    workers = workers_of(server)
    bed.at_end(lambda: [os.kill(pid, signal.SIGKILL) for pid in workers + signer if state_of(pid) not in (None, "Z")])
    end(server)
    bed.write("host_key", open(bed.keys.host("ecdsa256")).read(), mode=0o600)
    again = restart(bed, server)
    until(lambda: state_of(signer[0]) in (None, "Z"), "the old signer to end")
    scanned = subprocess.run(["ssh-keyscan", "-p", str(server.port), "127.0.0.1"], capture_output=True, text=True, timeout=30)
    assert "ecdsa-sha2-nistp256" in scanned.stdout and "ssh-ed25519" not in scanned.stdout
    assert again.is_alive() and ask(port) == b"hello"
