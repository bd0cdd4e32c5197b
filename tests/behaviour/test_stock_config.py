"""Debian's stock sshd_config, and every keyword of its sshd: aditd reads the same, and prints the same."""

import re
import subprocess

import pytest

from bed import ADITD, ROOT, SSHD

pytestmark = pytest.mark.short

STOCK = "/etc/ssh/sshd_config"

# Keys whose value is another than Debian's sshd 9.2 prints, each for a reason.
OTHERWISE = {
    "ciphers": "the order of OpenSSH 10.5: GCM in front of CTR",
    "macs": "what is built, in OpenSSH's order",
    "kexalgorithms": "what is built, in OpenSSH's order",
    "hostkeyalgorithms": "what is built, in OpenSSH's order",
    "pubkeyacceptedalgorithms": "what is built, in OpenSSH's order",
    "hostbasedacceptedalgorithms": "what is built, in OpenSSH's order",
    "casignaturealgorithms": "what is built, in OpenSSH's order",
    "ipqos": "the default of OpenSSH 10.5; Debian patches its own",
}

# Each keyword of sshd 9.2 with a value that is not the default.
VALUES = {
    "AcceptEnv": "FOO BAR_*", "AddressFamily": "inet", "AllowAgentForwarding": "no", "AllowGroups": "wheel staff",
    "AllowStreamLocalForwarding": "local", "AllowTcpForwarding": "remote", "AllowUsers": "anna bob@10.0.0.0/8",
    "AuthenticationMethods": "publickey,password publickey,keyboard-interactive", "AuthorizedKeysCommand": "/bin/true %u %f",
    "AuthorizedKeysCommandUser": "nobody", "AuthorizedKeysFile": ".ssh/a /etc/keys/%u", "AuthorizedPrincipalsCommand": "/bin/true %u",
    "AuthorizedPrincipalsCommandUser": "nobody", "AuthorizedPrincipalsFile": "/etc/p/%u", "Banner": "/etc/issue",
    "ChrootDirectory": "/srv/%u", "ClientAliveCountMax": "7", "ClientAliveInterval": "1m30s",
    "Compression": "delayed", "DenyGroups": "guests", "DenyUsers": "mallory eve@192.0.2.*", "DisableForwarding": "yes",
    "ExposeAuthInfo": "yes", "FingerprintHash": "md5", "ForceCommand": "echo \"a  b\" c", "GatewayPorts": "clientspecified",
    "GSSAPIAuthentication": "yes", "GSSAPICleanupCredentials": "no", "GSSAPIKeyExchange": "yes", "GSSAPIStrictAcceptorCheck": "no",
    "HostbasedAuthentication": "yes", "HostbasedUsesNameFromPacketOnly": "yes", "HostKeyAgent": "/run/agent", "IgnoreRhosts": "shosts-only",
    "IgnoreUserKnownHosts": "yes", "IPQoS": "af21 cs1", "KbdInteractiveAuthentication": "no", "KerberosAuthentication": "yes",
    "KerberosOrLocalPasswd": "no", "KerberosTicketCleanup": "no", "ListenAddress": "127.0.0.1:2200", "LoginGraceTime": "2m",
    "LogLevel": "DEBUG2", "MaxAuthTries": "3", "MaxSessions": "2", "MaxStartups": "5:50:20", "ModuliFile": "/etc/moduli",
    "PasswordAuthentication": "no", "PermitEmptyPasswords": "yes", "PermitListen": "8080 localhost:9000", "PermitOpen": "db:5432 [::1]:80",
    "PermitRootLogin": "forced-commands-only", "PermitTTY": "no", "PermitTunnel": "ethernet", "PermitUserEnvironment": "LANG,LC_*",
    "PermitUserRC": "no", "PerSourceMaxStartups": "4", "PerSourceNetBlockSize": "24:56", "PidFile": "/tmp/p", "Port": "2222",
    "PrintLastLog": "no", "PrintMotd": "no", "PubkeyAuthentication": "no", "PubkeyAuthOptions": "verify-required touch-required",
    "RekeyLimit": "1G 1h", "RequiredRSASize": "3072", "RevokedKeys": "/etc/revoked", "SecurityKeyProvider": "/usr/lib/sk.so",
    "SetEnv": "A=1 B=2", "StreamLocalBindMask": "0117", "StreamLocalBindUnlink": "yes", "StrictModes": "no",
    "Subsystem": "sftp /usr/lib/openssh/sftp-server -l INFO", "SyslogFacility": "LOCAL3", "TCPKeepAlive": "no",
    "TrustedUserCAKeys": "/etc/ca.pub", "UnusedConnectionTimeout": "5m", "UseDNS": "yes", "UsePAM": "yes", "VersionAddendum": "hello world",
    "X11DisplayOffset": "20", "X11Forwarding": "yes", "X11UseLocalhost": "no", "XAuthLocation": "/usr/bin/x",
    "ChannelTimeout": "session:*=5m agent-connection=10s",
    "ChallengeResponseAuthentication": "no", "PubkeyAcceptedKeyTypes": "ssh-ed25519", "HostbasedAcceptedKeyTypes": "ssh-ed25519",
    "PubkeyAcceptedAlgorithms": "ssh-ed25519", "HostbasedAcceptedAlgorithms": "ssh-ed25519", "HostKeyAlgorithms": "ssh-ed25519",
    "CASignatureAlgorithms": "ssh-ed25519", "Ciphers": "aes256-ctr,aes128-ctr", "MACs": "hmac-sha2-512", "KexAlgorithms": "curve25519-sha256",
    "HostCertificate": "/etc/ssh/host-cert.pub", "LogVerbose": "kex.c:*:1000",
    "KeyRegenerationInterval": "3600", "Protocol": "2", "UsePrivilegeSeparation": "sandbox", "ServerKeyBits": "1024", "UseLogin": "no",
    "RhostsRSAAuthentication": "no", "RSAAuthentication": "yes",
}

# Keywords that sshd 9.2 refuses in a Match block and later ones take.
LATER_IN_MATCH = {"Subsystem": "9.5", "RequiredRSASize": "10"}


def run(program, *args):
    return subprocess.run([program, *args], capture_output=True, text=True, timeout=30)


def values(bed, program, *args):
    done = run(program, "-T", "-h", bed.keys.host(), *args)
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key.lower(), []).append(value)
    return found


def test_the_stock_file_is_taken_as_it_is(bed):
    done = run(ADITD, "-t", "-f", STOCK, "-h", bed.keys.host())
    assert done.returncode == 0, done.stderr


def test_every_key_of_sshd_T_is_there_with_the_same_value(bed):
    theirs, ours = values(bed, SSHD, "-f", STOCK), values(bed, ADITD, "-f", STOCK)
    assert len(theirs) > 80
    for key, value in theirs.items():
        assert key in ours, "%s is missing" % key
        if key not in OTHERWISE:
            assert ours[key] == value, key
    for key in OTHERWISE:
        assert ours[key], key
        if key != "ipqos":  # what is there is sshd's, too, or newer than it
            assert set(ours[key][0].split(",")) & set(theirs[key][0].split(",")), key


@pytest.mark.parametrize("keyword", sorted(VALUES))
def test_a_keyword_of_sshd_means_the_same(bed, keyword):
    """In the file and, where sshd lets it stand there, in a Match block; and -T reads back to itself."""
    line = "%s %s\n" % (keyword, VALUES[keyword])
    if keyword == "AuthorizedKeysCommand" or keyword == "AuthorizedPrincipalsCommand":
        line += "%sUser nobody\n" % keyword
    path = bed.write("plain", line)
    theirs, ours = values(bed, SSHD, "-f", path), values(bed, ADITD, "-f", path)
    for key in [key for key in theirs if theirs[key] != values_of_nothing(bed).get(key)]:
        wanted = [" ".join(theirs[key])] if key == "setenv" else theirs[key]  # ours reads back where the first line wins
        assert ours.get(key) == wanted, key
    again = bed.write("again", run(ADITD, "-T", "-f", path, "-h", bed.keys.host()).stdout)
    assert run(ADITD, "-T", "-f", again).stdout == run(ADITD, "-T", "-f", path, "-h", bed.keys.host()).stdout
    inside = bed.write("inside", "Match User x\n" + line)
    theirs_in, ours_in = run(SSHD, "-t", "-f", inside, "-h", bed.keys.host()), run(ADITD, "-t", "-f", inside, "-h", bed.keys.host())
    if keyword not in LATER_IN_MATCH:
        assert (ours_in.returncode == 0) == (theirs_in.returncode == 0), ours_in.stderr + theirs_in.stderr


_nothing = {}


def values_of_nothing(bed):
    if not _nothing:
        _nothing.update(values(bed, SSHD, "-f", "/dev/null"))
    return _nothing


def test_what_is_not_supported_is_named(bed):
    path = bed.write("x11", "X11Forwarding yes\nKerberosAuthentication no\n")
    done = run(ADITD, "-T", "-f", path, "-h", bed.keys.host())
    assert "line 1: X11Forwarding" in done.stderr and "no effect" in done.stderr
    assert "Kerberos" not in done.stderr
    assert "x11forwarding yes" in done.stdout.splitlines()


def test_a_connection_s_own_options_are_printed(bed):
    path = bed.write(
        "match",
        "MaxSessions 5\nMatch Group root Address 10.0.0.0/8\nMaxSessions 1\n"
        "Match Invalid-User\nMaxSessions 2\nMatch LocalPort 2200 RDomain vrf\nMaxSessions 3\nMatch All\nMaxAuthTries 9\n",
    )
    for spec, wanted in (
        ("user=root,addr=10.1.1.1", "1"),
        ("user=root,addr=11.1.1.1", "5"),
        ("user=nobody,addr=10.1.1.1", "5"),
        ("user=x,invalid-user", "2"),
        ("user=x,lport=2200,rdomain=vrf,host=h,laddr=127.0.0.1", "3"),
    ):
        found = values(bed, ADITD, "-f", path, "-C", spec)
        assert (found["maxsessions"], found["maxauthtries"]) == ([wanted], ["9"]), spec
    assert run(ADITD, "-T", "-f", path, "-h", bed.keys.host(), "-C", "user=x,what=y").returncode != 0


def test_no_keyword_of_sshd_is_forgotten_here(bed):
    forgotten = set(values_of_nothing(bed)) - {name.lower() for name in VALUES}
    assert forgotten == {"hostkey", "gssapikexalgorithms", "gssapistorecredentialsonrekey"}


def test_the_page_of_keywords_has_each_of_them_and_no_other():
    """doc/sshd_config.md says of every row of the table what it is, and what may stand in Match."""
    source = (ROOT / "config/option_server.c").read_text()
    source = source[source.index("option_server_rows[]"):]
    rows = re.findall(r'(BUILT\w*|IDLE|ACCEPTED|ALIAS|DEPRECATED\w*|BLOCK|\.name =)[ (]*(?:OPTION_\w+,\s*)?"(\w+)"(?=([^"]*))', source)
    known = {name: kind == "DEPRECATED_IN_MATCH" or (kind != "ALIAS" and re.search(r"\bMATCH\b", rest) is not None) for kind, name, rest in rows}
    page = (ROOT / "doc/sshd_config.md").read_text()
    said = {name: "M" in mark for name, mark in re.findall(r"^\| `(\w+)`[^|]*\|([ M]*)\|", page, re.M)}
    assert len(known) > 130
    assert said == known
