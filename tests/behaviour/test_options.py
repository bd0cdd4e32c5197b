"""Options that no other file is about, explain, and what adit says of a forward that was not meant so."""

import os
import pathlib
import socket
import subprocess

import pytest

from bed import ADIT, free_port, until, wait_listen

pytestmark = pytest.mark.short


def run(bed, server, *words, options=(), given=b""):
    argv = [ADIT] + bed.client_options(server) + list(options) + [bed.login(server)] + list(words)
    return subprocess.run(argv, input=given, capture_output=True, timeout=60, env=bed.env)


def said(bed, *args):
    return subprocess.run([ADIT] + list(args), capture_output=True, text=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("fits,other", [("-4", "-6"), ("-oAddressFamily=inet", "-oAddressFamily=inet6")])
def test_the_family_of_the_servers_address(bed, fits, other):
    server = bed.sshd()
    assert run(bed, server, "exit 3", options=[fits]).returncode == 3
    done = run(bed, server, "exit 3", options=[other])
    assert done.returncode == 255 and b"unknown" not in done.stderr


def test_stdinnull_leaves_the_input_alone(bed):
    done = run(bed, bed.sshd(), "cat", options=["-oStdinNull=yes"], given=b"not for the server")
    assert (done.returncode, done.stdout) == (0, b"")


def test_requesttty_force_gets_a_terminal_without_one(bed):
    done = run(bed, bed.sshd(), "tty", options=["-oRequestTTY=force"])
    assert done.returncode == 0 and done.stdout.startswith(b"/dev/")


def test_sessiontype_none_opens_none(bed):
    echo, port = bed.echo(), free_port()
    options = ["-oSessionType=none", "-L", "%d:127.0.0.1:%d" % (port, echo.port)]
    server = bed.sshd()
    process = bed.run([ADIT] + bed.client_options(server) + options + [bed.login(server)])
    wait_listen(process, port)
    assert process.is_alive()


def test_forkafterauthentication_returns_while_the_command_runs(bed):
    begun, ended = bed.path("begun"), bed.path("ended")
    go = bed.path("go")
    command = "touch %s; while ! test -e %s; do sleep 0.05; done; touch %s" % (begun, go, ended)
    server = bed.sshd()
    argv = [ADIT] + bed.client_options(server) + ["-oForkAfterAuthentication=yes", bed.login(server), command]
    null = subprocess.DEVNULL  # the command's output is the child's
    assert subprocess.run(argv, stdin=null, stdout=null, stderr=null, timeout=60, env=bed.env).returncode == 0
    until(begun.exists, 10)
    assert not ended.exists()
    go.touch()
    until(ended.exists, 10)


def test_clearallforwardings_binds_nothing(bed):
    port = free_port()
    server = bed.sshd()
    done = run(bed, server, "exit 4", options=["-oClearAllForwardings=yes", "-L", "%d:127.0.0.1:1" % port, "-v"])
    assert done.returncode == 4 and b":%d" % port not in done.stderr


def test_a_tag_chooses_blocks(bed):
    path = bed.write("config", "Match tagged home\n  Port 3\nMatch tagged \"\"\n  Port 4\n")
    assert "port 3" in said(bed, "-F", path, "-P", "home", "-G", "h").stdout.splitlines()
    assert "port 4" in said(bed, "-F", path, "-G", "h").stdout.splitlines()
    path = bed.write("config", "Host a\n  Tag home\nMatch tagged home\n  Port 3\n")
    assert "port 3" in said(bed, "-F", path, "-G", "a").stdout.splitlines()


def test_match_runs_a_program_for_its_host_only(bed):
    mark = bed.path("mark")
    path = bed.write("config", 'Match host a exec "touch %s; test %%h.%%p = a.22"\n  Port 3\n' % mark)
    assert "port 22" in said(bed, "-F", path, "-G", "b").stdout.splitlines()
    assert not mark.exists()
    assert "port 3" in said(bed, "-F", path, "-G", "a").stdout.splitlines()
    assert mark.exists()


def test_match_knows_networks_commands_and_kinds_of_session(bed):
    text = "Match localnetwork 127.0.0.0/8 command up*\n  Port 3\nMatch sessiontype none\n  Port 4\nMatch version OpenSSH_*\n  User v\n"
    path = bed.write("config", text)
    assert "port 3" in said(bed, "-F", path, "-G", "h", "uptime").stdout.splitlines()
    assert "port 22" in said(bed, "-F", path, "-G", "h", "ls").stdout.splitlines()
    out = said(bed, "-F", path, "-N", "-G", "h").stdout.splitlines()
    assert "port 4" in out and "user v" in out


NAMES = "10.9.9.1 web.one.example.\n10.9.9.2 www.far.example alias.one.example.\n127.0.0.1 localhost\n"  # asked for with the dot, as by ssh


def canonical(bed, text, host):
    """hostname of -G, where NAMES is all that is known of names; None: refused."""
    hosts = bed.write("hosts", NAMES)
    nss = bed.write("nsswitch.conf", "hosts: files\n")
    path = bed.write("config", text)
    script = "mount --bind %s /etc/hosts && mount --bind %s /etc/nsswitch.conf && exec %s -F %s -G %s" % (hosts, nss, ADIT, path, host)
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, timeout=30, env=bed.env)
    found = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("hostname ")]
    return found[0] if done.returncode == 0 else None


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, for a hosts file of its own")
@pytest.mark.parametrize(
    "more,host,name",
    [
        ("", "web", "web.one.example"),
        ("CanonicalizeMaxDots 0\n", "a.web", "a.web"),
        ("CanonicalizeMaxDots 1\nCanonicalDomains example\n", "web.one", "web.one.example"),
        ("CanonicalizeFallbackLocal no\n", "nobody", None),
        ("", "nobody", "nobody"),
        ("CanonicalizePermittedCNAMEs *.one.example:*.far.example\n", "alias", "www.far.example"),
        ("CanonicalizePermittedCNAMEs *.two.example:*.far.example\n", "alias", "alias.one.example"),
        ("Match canonical host web.one.example\n  HostKeyAlias x\n", "web", "web.one.example"),
    ],
)
def test_names_are_made_canonical(bed, more, host, name):
    assert canonical(bed, more.partition("Match")[0] + "CanonicalizeHostname yes\nCanonicalDomains one.example\n" + "".join(more.partition("Match")[1:]), host) == name


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, for a system log of its own")
def test_y_logs_to_the_system_with_the_facility_that_was_asked_for(bed):
    dev = bed.path("dev")  # what /dev is to adit: a log that is ours, and what else it needs
    dev.mkdir()
    binds = []
    for name in ("null", "urandom", "random"):
        (dev / name).touch()
        binds.append("mount --bind /dev/%s %s/%s" % (name, dev, name))
    options = "-F none -y -v -oSyslogFacility=LOCAL3 -oBatchMode=yes -p %d 127.0.0.1" % free_port()
    script = " && ".join(binds + ["mount --rbind %s /dev" % dev, "exec %s %s" % (ADIT, options)])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(dev / "log"))
        log.settimeout(10)
        argv = ["unshare", "--mount", "sh", "-c", script]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL)
        line = log.recv(8192).decode()
    assert done.returncode == 255 and done.stderr == ""
    assert line.startswith("<15") and "adit[" in line, line  # 19 * 8 and the severity


def test_explain_says_who_listens_who_reaches_it_and_who_looks_names_up(bed):
    out = said(bed, "explain", "-L", "4406:db:3306", "-R", "*:80:localhost:8080", "-D", "1080", "vps").stdout
    for words in ("127.0.0.1 and ::1, port 4406: this machine only", "vps, which looks up db itself", "All its addresses are asked for", "SOCKS 4 and 5"):
        assert words in out
    assert said(bed, "explain", "-L", "nonsense", "vps").returncode == 255


def test_explain_takes_the_hosts_block(bed):
    path = bed.write("config", "Host home\n  LocalForward 4406 db:3306\n")
    assert "-L 4406:db:3306" in said(bed, "explain", "-F", path, "home").stdout


def test_what_was_probably_not_meant_is_said_before_the_run(bed):
    port = free_port()
    server = bed.sshd()
    done = run(bed, server, "true", options=["-g", "-R", "%d:localhost:1" % port])
    assert b"GatewayPorts (-g) does nothing for -R" in done.stderr
    done = run(bed, server, "true", options=["-R", "%d:127.0.0.1:1" % port])
    assert b"GatewayPorts (-g)" not in done.stderr


def test_a_keyword_that_is_no_part_of_adit_is_told_once_where_it_asks_for_something(bed):
    path = bed.write("config", "ForwardX11 yes\nForwardX11Trusted no\nGSSAPIAuthentication no\nHostbasedAuthentication yes\n")
    done = said(bed, "-v", "-F", path, "-G", "h")
    told = [line for line in done.stderr.splitlines() if "no part of adit" in line]
    assert done.returncode == 0 and len(told) == 3 and "GSSAPI" not in done.stderr
    assert said(bed, "-F", path, "-G", "h").stderr == ""


@pytest.mark.parametrize("letter", ["-X", "-Y", "-K", "-I/x"])
def test_a_letter_that_is_no_part_of_adit_is_refused(bed, letter):
    done = said(bed, letter, "-G", "h")
    assert done.returncode == 255 and "no part of adit" in done.stderr


@pytest.mark.parametrize(
    "alias,value,line",
    [
        ("ChallengeResponseAuthentication", "no", "kbdinteractiveauthentication no"),
        ("SKeyAuthentication", "no", "kbdinteractiveauthentication no"),
        ("TISAuthentication", "no", "kbdinteractiveauthentication no"),
        ("DSAAuthentication", "no", "pubkeyauthentication false"),
        ("IdentityFile2", "/x", "identityfile /x"),
        ("KeepAlive", "no", "tcpkeepalive no"),
        ("PubkeyAcceptedKeyTypes", "ssh-ed25519", "pubkeyacceptedalgorithms ssh-ed25519"),
        ("HostbasedKeyTypes", "ssh-ed25519", "hostbasedacceptedalgorithms ssh-ed25519"),
        ("HostbasedAcceptedKeyTypes", "ssh-ed25519", "hostbasedacceptedalgorithms ssh-ed25519"),
        ("SmartcardDevice", "/x", "pkcs11provider /x"),
    ],
)
def test_other_spellings(bed, alias, value, line):
    assert line in said(bed, "-F", "none", "-o%s=%s" % (alias, value), "-G", "h").stdout.splitlines()


def test_Q_answers_each_question(bed):
    for what in said(bed, "-Q", "help").stdout.split():
        done = said(bed, "-Q", what)
        assert done.returncode == 0 and done.stdout.strip(), what
    done = said(bed, "-Q", "nothing")
    assert done.returncode == 255 and 'Unsupported query "nothing"' in done.stderr
    assert said(bed, "-Q", "KEXALGORITHMS").stdout == said(bed, "-Q", "kex").stdout


def test_tokens_reach_the_shell_and_the_server(bed):
    server = bed.sshd(AcceptEnv="*")
    done = run(bed, server, options=["-oRemoteCommand=echo %n %p", "-oSetEnv=WHERE=%h"])
    assert done.stdout.split() == [bed.login(server).rpartition("@")[2].encode(), str(server.port).encode()]
    assert run(bed, server, "echo $WHERE", options=["-oSetEnv=WHERE=%h"]).stdout.strip() == b"127.0.0.1"
    made = pathlib.Path(bed.write("made", ""))
    made.unlink()
    options = ["-oPermitLocalCommand=yes", "-oLocalCommand=echo %%T %%r > %s" % made]
    options[-1] = "-oLocalCommand=echo %T %r > " + str(made)
    assert run(bed, server, "true", options=options).returncode == 0
    assert made.read_text().split()[0] == "NONE"
