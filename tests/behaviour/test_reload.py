"""
SIGHUP: a new configuration holds for connections that are there; one with errors changes nothing.
"""

import signal
import subprocess

from bed import ask, connect, listening, receive_all, until


def reload(bed, server, **options):
    """Rewrites the server's file with these options in front, and waits until it is taken or refused."""
    path = server.process.argv[server.process.argv.index("-f") + 1]
    text = "".join("%s %s\n" % (key, value) for key, value in options.items())
    old = open(path).read().splitlines(keepends=True)
    kept = "".join(line for line in old if line.split()[0] not in options)
    bed.write(path, text + kept)
    said = server.log.count("SIGHUP") + server.log.count("the new one has errors")
    server.process.signal(signal.SIGHUP)
    until(
        lambda: server.log.count("SIGHUP") + server.log.count("the new one has errors") > said,
        lambda: "the new configuration: " + server.log,
    )


def carries_nothing(port):
    """A visitor gets an end or a reset, and no byte."""
    try:
        with connect(port) as s:
            s.sendall(b"hello")
            return receive_all(s) == b""
    except ConnectionError:
        return True


def test_a_forward_that_is_no_longer_permitted_ends_and_the_others_stay(bed):
    server = bed.aditd(LogLevel="VERBOSE")
    echo = bed.echo()
    adit, going = bed.remote(server, echo.port)
    other, staying = bed.remote(server, echo.port)
    _, local = bed.local(server, echo.port)
    assert ask(going) == ask(staying) == ask(local) == b"hello"
    with connect(staying) as open_stream:
        open_stream.sendall(b"before")
        assert open_stream.recv(10) == b"before"
        reload(bed, server, PermitListen=staying)
        until(lambda: not listening(going), "the forward to go")
        assert ask(staying) == ask(local) == b"hello"
        open_stream.sendall(b"after")
        assert open_stream.recv(10) == b"after"
    assert adit.is_alive() and other.is_alive()


def test_what_may_be_opened_changes_under_a_live_connection(bed):
    server = bed.aditd()
    echo = bed.echo()
    _, port = bed.local(server, echo.port)
    assert ask(port) == b"hello"
    reload(bed, server, PermitOpen="127.0.0.1:1")
    assert carries_nothing(port)
    reload(bed, server, PermitOpen="127.0.0.1:%d" % echo.port)
    assert ask(port) == b"hello"


def test_a_keys_own_restrictions_outlive_every_reload(bed):
    keys = "".join("restrict " + line + "\n" for line in open(bed.keys.authorized).read().splitlines())
    server = bed.aditd(AuthorizedKeysFile=bed.write("keys", keys), StrictModes="no")
    adit, port = bed.local(server, bed.echo().port)
    for _ in range(2):
        assert carries_nothing(port)
        reload(bed, server, PermitOpen="any", AllowTcpForwarding="yes")
    assert adit.is_alive()


def test_a_configuration_with_errors_changes_nothing(bed):
    server = bed.aditd()
    adit, port = bed.remote(server, bed.echo().port)
    reload(bed, server, AllowTcpForwarding="perhaps", PermitListen="none")
    assert "the configuration is not changed" in server.log
    assert ask(port) == b"hello" and adit.is_alive()
    fresh, more = bed.remote(server, bed.echo().port)
    assert ask(more) == b"hello" and fresh.is_alive()


def test_the_new_configuration_holds_for_who_comes_next(bed):
    server = bed.aditd()
    reload(bed, server, DenyUsers="*")
    argv = ["/usr/bin/ssh"] + bed.client_options(server) + [bed.login(server), "true"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=bed.env)
    assert done.returncode == 255 and "DenyUsers" in server.log
