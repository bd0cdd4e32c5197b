"""adit -G prints what ssh -G prints, for the same files and the same command line."""

import os
import subprocess

import pytest

from bed import ADIT

pytestmark = pytest.mark.short

# What only one of the two knows: ours, and words of OpenSSH 10.5, which Debian's is older than.
OURS_ALONE = {"aditconnections", "aditwindow", "channeltimeout", "obscurekeystroketiming", "revokedhostkeys", "tag", "refuseconnection", "versionaddendum", "warnweakcrypto"}


# Debian's ssh prints a socket's forward as a dynamic one, too, and a dynamic one of -R as it cannot read it.
KNOWN_FAULTS = {"dynamicforward": ["80"], "remoteforward": ["1080 [socks]:0"]}


def is_fault(keyword, values):
    return values == KNOWN_FAULTS.get(keyword) or (keyword == "dynamicforward" and values[0].startswith("/"))


def options(program, bed, args):
    done = subprocess.run([program] + args, capture_output=True, text=True, timeout=30, env=dict(bed.env, FOO="bar"), stdin=subprocess.DEVNULL)
    found = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword.lower(), []).append(value)
    if "setenv" in found:  # ssh prints a line for each, and reads back the first alone
        found["setenv"] = " ".join(found["setenv"]).split(" ")
    return done, found


def compare(bed, text, args):
    path = bed.write("config", text)
    home = os.environ.get("HOME")  # ssh asks the account's entry, not HOME
    bed.env["HOME"] = home
    plain = ["-F", "none", "-G", "somehost"]
    ours_usual, theirs_usual = (options(p, bed, plain)[1] for p in (ADIT, "/usr/bin/ssh"))
    ours_done, ours = options(ADIT, bed, ["-F", path, "-G"] + args)
    theirs_done, theirs = options("/usr/bin/ssh", bed, ["-F", path, "-G"] + args)
    assert (ours_done.returncode == 0) == (theirs_done.returncode == 0), (ours_done.stderr, theirs_done.stderr)
    if theirs_done.returncode:
        return
    theirs = {keyword: values for keyword, values in theirs.items() if not is_fault(keyword, values)}
    assert set(theirs) - set(ours) == set() and set(ours) - set(theirs) - set(KNOWN_FAULTS) <= OURS_ALONE
    for keyword, values in theirs.items():
        is_usual = values == theirs_usual.get(keyword) and ours[keyword] == ours_usual.get(keyword)
        assert is_usual or ours[keyword] == values, keyword
    again = bed.write("again", ours_done.stdout)
    back = subprocess.run([ADIT, "-F", again, "-G", args[-1]], capture_output=True, text=True, env=bed.env, timeout=30)
    assert back.stdout.split("\n", 1)[1] == ours_done.stdout.split("\n", 1)[1]


VALUES = """
AddKeysToAgent yes|AddKeysToAgent ask|AddKeysToAgent confirm|AddKeysToAgent confirm 1h|AddKeysToAgent 90m|AddKeysToAgent maybe
AddressFamily inet|AddressFamily inet6|AddressFamily ipx|BatchMode maybe|BindAddress 10.0.0.1|BindInterface lo
CanonicalDomains a.example b.example|CanonicalizeFallbackLocal no|CanonicalizeMaxDots 3|CASignatureAlgorithms ssh-ed25519
CertificateFile ~/c1|CertificateFile /c1\nCertificateFile /c2\nCertificateFile /c1|CheckHostIP yes|Ciphers aes256-ctr,aes128-ctr
Ciphers nonesuch|ClearAllForwardings yes\nLocalForward 80 a:80|Compression yes|ConnectionAttempts 3|ConnectionAttempts 0
ConnectTimeout 10|ConnectTimeout 1m30s|ConnectTimeout none|ControlMaster yes|ControlMaster auto|ControlMaster ask
ControlMaster autoask|ControlPath /tmp/%C-%h|ControlPath ~/.ssh/%r@%h:%p|ControlPath none|ControlPath %z|ControlPersist yes
ControlPersist 0|ControlPersist 5m|ControlPersist no|DynamicForward 1080|DynamicForward *:1080|DynamicForward [::1]:1080
DynamicForward /run/s|EnableEscapeCommandline yes|EscapeChar none|EscapeChar x|EscapeChar ab|ExitOnForwardFailure yes
FingerprintHash md5|FingerprintHash sha1024|ForwardAgent yes|ForwardAgent /a/%h|ForwardAgent $FOO
ForwardX11 yes|ForwardX11Trusted no|GatewayPorts yes|GlobalKnownHostsFile /a /b|GlobalKnownHostsFile none|HashKnownHosts yes
HostKeyAlgorithms ssh-ed25519|HostKeyAlias alias|HostName real.example|HostName %h.example|HostName REAL|IdentitiesOnly yes
IdentityAgent none|IdentityAgent SSH_AUTH_SOCK|IdentityAgent $FOO|IdentityAgent ~/agent-%u|IdentityFile ~/.ssh/a\nIdentityFile /b
IgnoreUnknown Foo*\nFooBar 1|IPQoS af21 cs1|IPQoS ef|IPQoS 0x20|IPQoS frob|KbdInteractiveAuthentication no|KbdInteractiveDevices pam,bsd
ChallengeResponseAuthentication no|KexAlgorithms curve25519-sha256|KnownHostsCommand /bin/x %H %t|LocalCommand echo "%n" %h # x
LocalForward 80 a:80|LocalForward 127.0.0.1:80 [::1]:81|LocalForward [::1]:80 a:81|LocalForward /a/%h /b|LocalForward 80 /s
LocalForward *:80 a:80|LocalForward :80 a:80|LocalForward localhost:80 a:80|LocalForward 80 a|LocalForward 0 a:1|LocalForward 80 a:80\nLocalForward 80 a:80
LogLevel DEBUG3|LogLevel quiet|LogLevel verbose|LogLevel fatal|LogLevel loud|MACs hmac-sha2-256|MACs umac-64@openssh.com,hmac-sha2-512
NoHostAuthenticationForLocalhost yes|NumberOfPasswordPrompts 1|PasswordAuthentication no|PermitLocalCommand yes|PermitRemoteOpen a:80 b:*
PermitRemoteOpen none|PermitRemoteOpen any|Port 2222|Port 0|Port 65536|Port 22x|PreferredAuthentications publickey,password
ProxyCommand nc %h %p # x|ProxyCommand none|ProxyJump a|ProxyJump u@a:22,b|ProxyJump none|ProxyJump a\nProxyCommand b|ProxyCommand b\nProxyJump a
ProxyJump none\nProxyCommand b|ProxyUseFdpass yes|PubkeyAcceptedAlgorithms ssh-ed25519|PubkeyAuthentication no|PubkeyAuthentication unbound
PubkeyAuthentication host-bound|RekeyLimit 1G 1h|RekeyLimit default none|RekeyLimit 16|RekeyLimit 15|RekeyLimit 1k|RekeyLimit default 1w
RemoteCommand echo %h ${FOO}|RemoteForward 80 a:80|RemoteForward 0 a:80|RemoteForward 1080|RemoteForward *:80 a:80|RemoteForward /s /t
RemoteForward 10.0.0.1:80 /t|RequestTTY yes|RequestTTY force|RequestTTY no|RequiredRSASize 2048|SecurityKeyProvider /x|SendEnv LANG LC_*
SendEnv A B\nSendEnv -A|SendEnv A=1|ServerAliveCountMax 5|ServerAliveInterval 1m|SessionType none|SessionType subsystem|SetEnv A=1 B=2
SetEnv A|StdinNull yes|StreamLocalBindMask 0007|StreamLocalBindMask 9|StreamLocalBindUnlink yes|StrictHostKeyChecking accept-new
StrictHostKeyChecking off|StrictHostKeyChecking yes|SyslogFacility LOCAL3|SyslogFacility NONE|TCPKeepAlive no|KeepAlive no|Tunnel yes|Tunnel ethernet
TunnelDevice 1|TunnelDevice any:3|TunnelDevice x|UpdateHostKeys ask|UpdateHostKeys no|User me|UserKnownHostsFile ~/a /b|UserKnownHostsFile none
UserKnownHostsFile /a/%h/${FOO}|VerifyHostKeyDNS ask|VerifyHostKeyDNS yes|VisualHostKey yes|XAuthLocation /x|GSSAPIAuthentication yes
GSSAPIDelegateCredentials yes|HostbasedAuthentication yes|EnableSSHKeysign yes|PKCS11Provider /p.so|LogVerbose kex.c:*:1000|UseRoaming yes
CanonicalizePermittedCNAMEs none|CanonicalizePermittedCNAMEs ab|ForwardX11Timeout 10m|ObscureNonsense yes|Port=2222|Port = 2222|Port "2222"
HostKeyAlias "x|  \tport\t7  |Port 7 # c|Port|Port 1\nPort 2|Protocol 2|Cipher 3des|RSAAuthentication yes|Foo
"""


@pytest.mark.parametrize("text", [case for line in VALUES.strip().split("\n") for case in line.split("|")])
def test_each_value_as_ssh_reads_it(bed, text):
    compare(bed, text.replace("\\n", "\n") + "\n", ["somehost"])


BLOCKS = [
    "Host some*\n Port 3\nHost * !somehost\n User x\n",
    "Host other\n Port 3\nHost somehost\n Port 4\nHost *\n Port 5\n",
    "Host SOMEHOST\n Port 3\n",
    "Host !somehost\n Port 3\n",
    "Host =somehost\n Port 3\n",
    "Match host somehost\n Port 3\nMatch host other,some*\n User x\n",
    "Match !host somehost\n Port 3\nMatch all\n Port 4\n",
    "HostName h2\nMatch host h2\n Port 3\nMatch originalhost somehost\n User y\n",
    "Match user root\n Port 3\nMatch localuser root\n Compression yes\n",
    'Match exec "test %h = somehost"\n Port 3\nMatch exec false\n Port 4\nMatch exec "exit 1"\n User x\n',
    'Match !exec "test -n \'%u\'"\n Port 3\nMatch all\n Port 9\n',
    "Match final\n Port 3\nMatch canonical\n User x\n",
    "HostName h2\nHost h2\n Port 3\nMatch final host h2\n Compression yes\n",
    "Match !final\n Port 3\nMatch final all\n User x\n",
    "CanonicalizeHostname yes\nCanonicalizeMaxDots 0\nHost somehost\n Port 4\nMatch canonical\n User x\n",
    "Match host somehost all\n Port 3\n",
    "Match frobnicate x\n Port 3\n",
    "Match host\n Port 3\n",
    "Match\n Port 3\n",
    "Host\n Port 3\n",
    "Host other\n Frob 1\n",
    "Host other\n Port x\n",
    "Port 1\nInclude /nonexistent/*.conf\nUser x\n",
    "Include\n",
]


@pytest.mark.parametrize("text", BLOCKS)
def test_each_block_as_ssh_reads_it(bed, text):
    compare(bed, text, ["somehost"])


LINES = """
-p 22 h|-p 0 h|-l me h|me@h|-l a b@h|-o User=c -l a b@h|ssh://me@h:2222|ssh://h|ssh://h:22/|ssh://h/x|-4 h|-6 h|-4 -6 h|-A h|-a h
-A -a h|-B lo h|-b 127.0.0.1 h|-C h|-c aes128-ctr h|-c nope h|-D 1080 h|-D *:1080 h|-e none h|-e x h|-f h true|-g h|-i /nokey h
-J a h|-J u@a:22,b:2222 h|-J ssh://a:22 h|-J none h|-J a -o ProxyCommand=x h|-o ProxyCommand=x -J a h|-k h|-L 80:a:80 h|-L [::1]:80:[::2]:80 h
-L /s:a:80 h|-L 80:/s h|-L /s:/t h|-L 80:a h|-L x h|-M h|-MM h|-m hmac-sha2-256 h|-N h|-n h|-N -T h|-O check h|-O frob h|-o Port=3 h|-o "Port 3" h
-o Nope=3 h|-o Port h|-q h|-R 80:a:80 h|-R 0:a:80 h|-R 1080 h|-R *:80:a:80 h|-R /s:/t h|-S /x/%h h|-S none h|-s h sftp|-s h|-N -s h x|-s -N h x
-T h|-t h|-tt h|-t -T h|-T -t h|-v h|-vvv h|-q -v h|-v -q h|-W a:22 h|-W a h|-W [::1]:22 h|-W a:22 -o ExitOnForwardFailure=no h|-w 0 h|-w any:1 h|-w x h
-x h|-y h|h -p 7|h -p 7 true -p 8|h true -p 8|-- h|h -- true|-fN h|-NfgL 80:a:80 h|-Z h|-o IdentityFile=/a -i /dev/null h|-F none h|-o LogLevel=DEBUG -q h
-tto RequestTTY=no h|-o ForwardAgent=no -A h|a$(x)@h|h$(x)|-l a;b h|-oHostName=x;y h|u@-h|-J a;b h|-W a:22 -O check h|-o ControlPersist=3 -S /x h|999.999.999.999
"""


@pytest.mark.parametrize("line", [case for line in LINES.strip().split("\n") for case in line.split("|")])
def test_each_command_line_as_ssh_reads_it(bed, line):
    words = line.replace('"Port 3"', "Port~3").split(" ")
    args = [word.replace("~", " ") for word in words]
    own_file = ["-F"] == args[:1]
    path = bed.write("config", "")
    plain = ["-F", "none", "-G", "h"]
    usual = [options(p, bed, plain)[1] for p in (ADIT, "/usr/bin/ssh")]
    both = [options(p, bed, (["-G"] if own_file else ["-F", path, "-G"]) + args) for p in (ADIT, "/usr/bin/ssh")]
    (ours_done, ours), (theirs_done, theirs) = both
    assert (ours_done.returncode == 0) == (theirs_done.returncode == 0), (ours_done.stderr, theirs_done.stderr)
    if theirs_done.returncode:
        assert ours_done.returncode == theirs_done.returncode and ours_done.stderr
        return
    for keyword, values in theirs.items():
        if keyword == "userknownhostsfile" or is_fault(keyword, values):
            continue  # HOME is the test's own
        is_usual = values == usual[1].get(keyword) and ours.get(keyword) == usual[0].get(keyword)
        assert is_usual or ours.get(keyword) == values, keyword
