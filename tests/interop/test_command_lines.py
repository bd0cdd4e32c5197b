"""Command lines that other programs and scripts build for ssh: adit and Debian's ssh get each of them,
at Debian's sshd, and must come to the same status, the same output and the same words on stderr.
"""

import os
import re
import subprocess

import pytest

import bed as b

SSH = "/usr/bin/ssh"
ANSIBLE = ("-C -o ControlMaster=auto -o ControlPersist=60s -o StrictHostKeyChecking=no "
           "-o KbdInteractiveAuthentication=no "
           "-o PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey "
           "-o PasswordAuthentication=no -o 'User=\"$USER\"' -o ConnectTimeout=10 -o 'ControlPath=\"$CTL\"' ")
# $S is the client with the file that knows "peer", $CTL, $NEW and $PID are files; a bash runs the line.
LINES = {
    "ansible, twice over one connection, then its end":
        "$S " + ANSIBLE + "peer '/bin/sh -c '\"'\"'echo one; exit 3'\"'\"''; echo $?; "
        "$S " + ANSIBLE + "-tt peer '/bin/sh -c '\"'\"'tty >/dev/null && echo two'\"'\"''; echo $?; "
        "$S -O stop -o 'ControlPath=\"$CTL\"' peer",
    "git-annex": "$S -S $CTL -o ControlMaster=auto -o ControlPersist=yes -n -T peer \"sh -c 'echo configlist'\"; "
                 "$S -q -O stop -S $CTL -o ControlMaster=auto -o ControlPersist=yes -T peer; echo $?",
    "sshfs": "$S -x -a -oClearAllForwardings=yes -2 peer -s sftp | od -c; echo ${PIPESTATUS[0]}",
    "docker": "$S -o ConnectTimeout=30 -T -- peer echo system dial-stdio",
    "libvirt": "$S -T -e none -- peer sh -c \"'if true; then echo nc; fi'\"",
    "vagrant": "$S peer -o LogLevel=FATAL -o Compression=yes -o DSAAuthentication=yes -o IdentitiesOnly=yes "
               "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -- echo up",
    "gcloud": "$S -T -o CheckHostIP=no -o HashKnownHosts=no -o HostKeyAlias=compute.1 -o IdentitiesOnly=yes "
              "-o StrictHostKeyChecking=no -o UserKnownHostsFile=$NEW peer echo vm; $S -o HostKeyAlias=compute.1 "
              "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=$NEW peer echo known",
    "mosh": "$S -n -tt -S none -o ProxyCommand=\"$S -W %h:%p peer\" peer -- 'tty >/dev/null && echo MOSH CONNECT'",
    "borg": "$S -oServerAliveInterval=10 -oServerAliveCountMax=30 peer echo serve --umask=077",
    "a jump": "$S -J peer peer echo through",
    "words after the host": "$S peer -q -o LogLevel=ERROR -- echo \"a   b\" '\"c   d\"'",
    "no words": "echo 'echo by a shell; exit 6' | $S -T peer; echo $?; $S peer '' </dev/null; echo $?",
    "tar through a pipe": "tar c -C /usr/include/linux . | $S peer 'tar t | sort | md5sum'; echo ${PIPESTATUS[1]}",
    "a reader that has enough": "$S peer 'head -c 5000000 /dev/zero' | head -c 100 | wc -c; echo ${PIPESTATUS[0]}",
    "a writer without end": "yes | $S peer 'head -n 1'; echo ${PIPESTATUS[1]}",
    "a loop that loses its input": "printf 'a\\nb\\nc\\n' | while read l; do $S peer \"echo $l\"; done",
    "a loop with -n": "printf 'a\\nb\\nc\\n' | while read l; do $S -n peer \"echo $l\"; done",
    "descriptors that are closed": "$S peer echo hi <&-; echo $?; $S peer echo hi >&-; echo $?; "
                                   "$S peer 'echo hi; echo err >&2' 2>&-; echo $?; $S -n peer true <&- >&- 2>&-; echo $?",
    "a full disk": "$S peer 'head -c 3000000 /dev/zero' >/dev/full; echo $?",
    "statuses": "$S peer exit 42; echo $?; $S peer 'kill -9 $$'; echo $?; $S -s peer nosuch; echo $?; $S peer 'nosuch'; echo $?",
    "what stays behind": "$S peer 'sleep 60 >/dev/null 2>&1 </dev/null & echo $! >$PID; echo bg'; kill $(cat $PID)",
    "variables": "LC_TEST=zz $S -o SendEnv='LC_*' -o SetEnv=LC_MORE=yy peer 'echo [$LC_TEST$LC_MORE]'",
    "a local command": "$S -o PermitLocalCommand=yes -o LocalCommand='echo here %h' peer true",
    "a key that is not there": "$S -i /nonexistent peer echo still",
    "nobody may be asked": "$S -o IdentityFile=none -o PubkeyAuthentication=no peer true; echo $?",
    "a wrong letter's status": "$S -Z peer true 2>/dev/null; echo $?; $S -o NoSuch=1 peer true 2>/dev/null; echo $?; "
                               "$S -p 99999 peer true 2>/dev/null; echo $?; $S -p 1 127.0.0.1 true 2>/dev/null; echo $?",
}


@pytest.fixture
def peer(bed):
    """A server that both clients know as "peer"; the path of the file that says so."""
    server = bed.sshd(AcceptEnv="LC_*", Subsystem="sftp /usr/lib/openssh/sftp-server")
    lines = ["Host peer", "HostName 127.0.0.1", "Port %d" % server.port, "User " + b.USER, "BatchMode yes",
             "IdentityFile " + bed.keys.user(), "IdentitiesOnly yes",
             "UserKnownHostsFile " + bed.known_hosts(server), "GlobalKnownHostsFile none"]
    return bed.write("home/.ssh/config", "\n".join(lines) + "\n")


def words(text):
    """What differs from one run to the next is made the same."""
    return re.sub(r"channel \d+|pid=\d+", "N", text.replace("\r", ""))


def run(bed, program, config, name, line):
    folder = bed.path(name)
    folder.mkdir()
    names = {"$S": "%s -F %s" % (program, config), "$USER": b.USER}
    names.update(("$" + word, str(folder / word)) for word in ("CTL", "NEW", "PID"))
    line = re.sub(r"\$[A-Z]+", lambda word: names.get(word.group(), word.group()), line)
    done = subprocess.run(["bash", "-c", line], env=bed.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    said = [words(stream.decode().replace(str(folder), "")) for stream in (done.stdout, done.stderr)]
    return [done.returncode] + said


@pytest.mark.parametrize("what", LINES)
def test_adit_comes_to_the_same_as_ssh(bed, peer, what):
    if "-tt" in LINES[what] and not b.IS_ROOT:
        pytest.skip("sshd gives terminals as root only")
    assert run(bed, b.ADIT, peer, "adit", LINES[what]) == run(bed, SSH, peer, "ssh", LINES[what])


def test_ssh_copy_id_finds_adit_in_the_path_and_the_key_in_place(bed, peer):
    folder = bed.path("bin")
    folder.mkdir()
    (folder / "ssh").symlink_to(b.ADIT)
    bed.env["PATH"] = "%s:%s" % (folder, os.environ["PATH"])
    argv = ["ssh-copy-id", "-n", "-i", bed.keys.user() + ".pub", "peer"]
    done = subprocess.run(argv, env=bed.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "already exist on the remote system" in done.stderr, done.stderr
