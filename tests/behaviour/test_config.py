"""ssh_config as people have it: Host blocks, comments in any language, stock files, faults named."""

import subprocess

import pytest

from bed import ADIT, USER, ask, free_port, wait_listen

pytestmark = pytest.mark.short


def adit(bed, *args):
    return subprocess.run([ADIT] + list(args), capture_output=True, text=True, timeout=30, env=bed.env)


def host_block(bed, server, text, name="config"):
    head = """\
# 家里的服务器：两个端口一条连接
Host home  # 注释
    HostName 127.0.0.1
    Port %d
    User %s
    IdentityFile %s
    IdentitiesOnly yes
    UserKnownHostsFile %s
    GlobalKnownHostsFile none
""" % (server.port, USER, bed.keys.user(), bed.known_hosts(server))
    return bed.write(name, head + text)


@pytest.mark.parametrize("server", ["aditd", "sshd"])
def test_a_host_block_with_two_remote_forwards_and_chinese_comments(bed, server):
    one, two, first, second = bed.echo(), bed.echo(), free_port(), free_port()
    config = host_block(
        bed, bed.server(server),
        "    # 网页服务\n    RemoteForward %d 127.0.0.1:%d\n    # 数据库\n    RemoteForward %d localhost:%d\n"
        "    ServerAliveInterval 30\n    ExitOnForwardFailure yes\n" % (first, one.port, second, two.port),
    )
    process = bed.run([ADIT, "-F", config, "-N", "home"])
    for port in (first, second):
        wait_listen(process, port)
        assert ask(port) == b"hello"


def test_local_and_dynamic_forwards_in_a_block(bed):
    echo, local, dynamic = bed.echo(), free_port(), free_port()
    config = host_block(bed, bed.aditd(), "    LocalForward 127.0.0.1:%d 127.0.0.1:%d\n    DynamicForward=%d\n" % (local, echo.port, dynamic))
    process = bed.run([ADIT, "-F", config, "-N", "home"])
    wait_listen(process, dynamic)
    assert ask(local) == b"hello"


def test_the_users_own_config_is_read_without_F(bed):
    """The account's ~/.ssh/config, found by HOME."""
    config = host_block(bed, bed.aditd(), "", name="home/.ssh/config")
    echo, port = bed.echo(), free_port()
    assert config
    process = bed.run([ADIT, "-N", "-L", "%d:127.0.0.1:%d" % (port, echo.port), "home"])
    wait_listen(process, port)


@pytest.mark.parametrize(
    "line,word,nearest",
    [
        ("RemoteForwrd 1 a:2", "RemoteForwrd", "RemoteForward"),
        ("ServerAliveIntervall 3", "ServerAliveIntervall", "ServerAliveInterval"),
    ],
)
def test_an_unknown_word_is_named_with_file_line_column_and_neighbour(bed, line, word, nearest):
    path = bed.write("config", "Host a\n\n    %s\n" % line)
    done = adit(bed, "-F", path, "-G", "a")
    assert done.returncode == 255
    assert path in done.stderr and word in done.stderr and nearest in done.stderr
    assert "3" in done.stderr.split(path, 1)[1].split(word)[0], "line 3 is not named: " + done.stderr
    assert "5" in done.stderr.split(path, 1)[1].split(word)[0], "column 5 is not named: " + done.stderr


def test_ignoreunknown_is_honoured(bed):
    path = bed.write("config", "IgnoreUnknown Foo*\nFooBar yes\nPort 2222\n")
    done = adit(bed, "-F", path, "-G", "a")
    assert done.returncode == 0 and "port 2222" in done.stdout


def test_debians_stock_file_loads(bed):
    done = adit(bed, "-F", "/etc/ssh/ssh_config", "-G", "a")
    assert done.returncode == 0, done.stderr


def test_G_prints_what_holds_and_reads_it_back_to_the_same(bed):
    path = bed.write("config", "Host a\n  HostName example.org\n  User tunnel\n  RekeyLimit 1G 1h\n  RemoteForward 80 localhost:8080\n")
    first = adit(bed, "-F", path, "-G", "a")
    assert first.returncode == 0
    for line in ("hostname example.org", "user tunnel", "rekeylimit 1073741824 3600"):
        assert line in first.stdout.splitlines()
    again = bed.write("again", first.stdout)
    second = adit(bed, "-F", again, "-G", "a")
    assert second.stdout == first.stdout


def test_the_command_line_wins_over_the_file(bed):
    path = bed.write("config", "Port 1111\nUser nobody\n")
    out = adit(bed, "-F", path, "-p", "2222", "-l", "me", "-G", "a").stdout.splitlines()
    assert "port 2222" in out and "user me" in out


def test_include_with_a_pattern(bed):
    bed.write("parts/one.conf", "Host a\n  Port 3333\n")
    path = bed.write("config", "Include %s/parts/*.conf\n" % bed.folder)
    assert "port 3333" in adit(bed, "-F", path, "-G", "a").stdout.splitlines()


def test_a_config_that_is_not_there_is_an_error(bed):
    done = adit(bed, "-F", str(bed.path("nothing")), "-G", "a")
    assert done.returncode == 255 and "nothing" in done.stderr


def test_Q_lists_only_what_openssh_knows_too(bed):
    for what in ("kex", "cipher", "mac"):
        ours = set(adit(bed, "-Q", what).stdout.split())
        theirs = set(subprocess.run(["ssh", "-Q", what], capture_output=True, text=True).stdout.split())
        assert ours and ours <= theirs


def test_version_goes_to_stderr_as_with_ssh(bed):
    done = adit(bed, "-V")
    assert done.returncode == 0 and done.stderr.startswith("adit ") and done.stdout == ""
