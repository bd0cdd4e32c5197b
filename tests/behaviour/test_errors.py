"""Bad input: one sentence with side, cause and remedy; exit status 255; nobody else is touched."""

import socket
import struct
import subprocess

import pytest

from bed import ADIT, ask, connect, free_port, receive_all

pytestmark = pytest.mark.short


def adit(bed, *args, within_s=30):
    return subprocess.run(
        [ADIT, "-F", "none"] + [str(a) for a in args],
        capture_output=True, text=True, timeout=within_s, env=bed.env, stdin=subprocess.DEVNULL,
    )


def sentences(done):
    return [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(("usage", " "))]


def assert_one_sentence(done):
    assert done.returncode == 255
    assert len(sentences(done)) == 1, "%d lines: %s" % (len(sentences(done)), done.stderr[:300])


@pytest.mark.parametrize(
    "args",
    [
        ("-L", "nonsense"),
        ("-L", "65536:localhost:80"),
        ("-L", "80:localhost:65536"),
        ("-L", "0x50:localhost:80"),
        ("-L", "80:localhost:"),
        ("-L", "80::80"),
        ("-R", "65536:localhost:80"),
        ("-R", "80:local host:80"),
        ("-R", "[::1:80:localhost:80"),
        ("-D", "65536"),
        ("-D", "port"),
        ("-p", "65536"),
        ("-p", "0"),
        ("-p", "2000blah"),
        ("-W", "localhost"),
        ("-W", "localhost:65536"),
        ("-o", "NoSuchWord=1"),
        ("-o", "Ciphers=rot13"),
        ("-o", "RekeyLimit=none none none"),
    ],
    ids=lambda args: " ".join(args),
)
def test_a_wrong_word_on_the_command_line_is_one_sentence_that_names_it(bed, args):
    done = adit(bed, *args, "somebody@127.0.0.1")
    assert_one_sentence(done)
    words = args[1].replace("=", " ").split() if args[0] == "-o" else [args[1]]
    assert any(word in done.stderr for word in words), done.stderr
    assert done.stdout == ""


def test_no_destination_shows_the_usage(bed):
    done = adit(bed)
    assert done.returncode == 255 and "usage" in done.stderr


def test_a_port_where_nobody_listens(bed):
    done = adit(bed, "-N", "-p", free_port(), "127.0.0.1")
    assert done.returncode == 255
    assert len(sentences(done)) == 1 and "Connection refused" in done.stderr


def test_a_name_that_does_not_exist(bed):
    done = adit(bed, "-N", "no-such-host.invalid")
    assert done.returncode == 255
    assert len(sentences(done)) == 1
    assert "Could not resolve hostname no-such-host.invalid" in done.stderr


def test_a_host_name_that_would_be_an_option_or_a_command_is_refused(bed):
    for name in ("-oProxyCommand=touch x", "a`b`"):
        done = adit(bed, "-N", "--", name)
        assert done.returncode == 255
        assert not (bed.folder / "x").exists()


def serving(bed, serve):
    return bed.target(serve).port


def test_a_server_that_is_no_ssh_server(bed):
    port = serving(bed, lambda s: s.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n") or receive_all(s))
    done = adit(bed, "-N", "-o", "ConnectTimeout=3", "-p", port, "127.0.0.1")
    assert_one_sentence(done)


def test_a_server_that_sends_binary_garbage(bed):
    port = serving(bed, lambda s: s.sendall(bytes(range(256)) * 16) or receive_all(s))
    done = adit(bed, "-N", "-o", "ConnectTimeout=3", "-p", port, "127.0.0.1")
    assert_one_sentence(done)


def test_a_server_that_sends_64_kib_of_banner(bed):
    line = b"x" * 62 + b"\r\n"
    port = serving(bed, lambda s: s.sendall(line * 1024) or receive_all(s))
    done = adit(bed, "-N", "-o", "ConnectTimeout=3", "-p", port, "127.0.0.1")
    assert_one_sentence(done)


def test_a_server_that_hangs_up_at_once(bed):
    done = adit(bed, "-N", "-p", serving(bed, lambda s: None), "127.0.0.1")
    assert done.returncode == 255 and len(sentences(done)) == 1
    assert "identified itself" in done.stderr


def test_a_server_that_says_nothing_meets_connecttimeout(bed):
    port = serving(bed, receive_all)
    done = adit(bed, "-N", "-o", "ConnectTimeout=1", "-p", port, "127.0.0.1")
    assert done.returncode == 255 and len(sentences(done)) == 1 and "timed out" in done.stderr


def test_garbage_after_the_identification(bed):
    port = serving(bed, lambda s: s.sendall(b"SSH-2.0-garbage\r\n" + b"\xff" * 4096) or receive_all(s))
    done = adit(bed, "-N", "-o", "ConnectTimeout=3", "-p", port, "127.0.0.1")
    assert_one_sentence(done)


def test_an_old_protocol_is_refused(bed):
    port = serving(bed, lambda s: s.sendall(b"SSH-1.5-old\r\n") or receive_all(s))
    done = adit(bed, "-N", "-o", "ConnectTimeout=3", "-p", port, "127.0.0.1")
    assert_one_sentence(done)


def test_a_server_that_leaves_before_there_are_keys_is_quoted(bed):
    payload = b"\x01" + struct.pack(">I", 12) + struct.pack(">I", 8) + b"too many" + struct.pack(">I", 0)
    padding = 8 + -(5 + len(payload)) % 8
    packet = struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)
    port = serving(bed, lambda s: s.sendall(b"SSH-2.0-busy\r\n" + packet) or receive_all(s))
    done = adit(bed, "-N", "-p", port, "127.0.0.1")
    assert done.returncode == 255
    assert sentences(done)[0] == "Received disconnect from 127.0.0.1 port %d:12: too many" % port


def run_with_key(bed, key):
    server = bed.aditd()
    known = bed.known_hosts(server)
    return adit(
        bed, "-N", "-p", server.port, "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
        "-o", "UserKnownHostsFile=" + known, bed.login(server),
    )


def test_a_key_file_that_is_not_there(bed):
    done = run_with_key(bed, "/no/such/key")
    assert done.returncode == 255
    assert "/no/such/key" in done.stderr and "No such file" in done.stderr and "Permission denied" in done.stderr


def test_a_key_file_that_is_no_key(bed):
    path = bed.write("broken", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    done = run_with_key(bed, path)
    assert done.returncode == 255 and path in done.stderr


def test_a_key_file_that_others_may_read(bed):
    path = bed.write("open_key", open(bed.keys.user()).read(), mode=0o644)
    done = run_with_key(bed, path)
    assert done.returncode == 255 and path in done.stderr and "0644" in done.stderr


def test_a_key_that_the_server_does_not_know(bed):
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", str(bed.path("other"))], check=True)
    done = run_with_key(bed, str(bed.path("other")))
    assert done.returncode == 255 and "Permission denied (publickey" in done.stderr


def test_no_common_algorithm_is_one_sentence(bed):
    server = bed.aditd(Ciphers="aes128-ctr")
    adit_ = bed.adit(server, "-o", "Ciphers=aes256-ctr")
    assert adit_.wait() == 255
    assert len(adit_.err.splitlines()) == 1 and "cipher" in adit_.err.lower(), adit_.err


def test_a_command_is_not_silently_ignored(bed):
    done = adit(bed, "somebody@127.0.0.1", "uptime")
    assert done.returncode == 255 and len(sentences(done)) == 1


def test_a_fault_of_one_tunnel_touches_no_other(bed):
    server, echo = bed.aditd(), bed.echo()
    _, port = bed.local(server, echo.port)
    with connect(port) as s:
        s.sendall(b"before")
        assert s.recv(6) == b"before"
        run_with_key(bed, "/no/such/key")
        with connect(server.port) as garbage:
            garbage.sendall(b"\0" * 1000 + b"\n")
            garbage.shutdown(socket.SHUT_WR)
            try:
                receive_all(garbage)
            except ConnectionResetError:
                pass
        s.sendall(b"after")
        assert s.recv(5) == b"after"
    assert ask(port) == b"hello"
