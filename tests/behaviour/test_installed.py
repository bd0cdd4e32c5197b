"""What "make install" brings besides the programs: the configuration for tunnels, and units."""

import subprocess

from bed import ADITD, BUILD, ROOT, free_port, wait_listen

CONFIG = ROOT / "dist/aditd_config"
KEEP = ROOT / "dist/keep_config"
CLOSED = {
    "permitsession": "no", "permitrootlogin": "no", "passwordauthentication": "no", "kbdinteractiveauthentication": "no",
    "gatewayports": "no", "allowagentforwarding": "no", "permittunnel": "no", "x11forwarding": "no", "compression": "no",
    "allowstreamlocalforwarding": "local", "permituserenvironment": "no",
    "logingracetime": "20", "clientaliveinterval": "15", "clientalivecountmax": "3", "persourcemaxstartups": "20",
}


def test_the_installed_configuration_is_closed_and_without_a_warning():
    done = subprocess.run([ADITD, "-T", "-f", CONFIG], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert {key: said[key] for key in CLOSED} == CLOSED


def test_with_the_installed_configuration_tunnels_work_and_commands_do_not(bed):
    own = [line for line in CONFIG.read_text().splitlines() if line.split(" ")[0] not in ("Port", "PidFile", "PermitRootLogin")]
    server = bed.aditd(args=["-o", "PermitRootLogin=prohibit-password"],
                       Include=bed.write("installed", "\n".join(own) + "\n"))
    words = ["/usr/bin/ssh"] + bed.client_options(server)
    done = subprocess.run(words + [bed.login(server), "id"], env=bed.env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "no commands here" in done.stderr and done.stdout == ""
    port = free_port()
    ssh = bed.run(words + ["-N", "-R", "*:%d:127.0.0.1:%d" % (port, bed.echo().port), bed.login(server)])
    assert wait_listen(ssh, port) <= {"127.0.0.1", "::1"}


def test_a_configuration_that_is_there_is_kept(tmp_path):
    there = tmp_path / "etc/adit/aditd_config"
    for _ in range(2):
        subprocess.run([KEEP, CONFIG, "/etc/adit"], env={"DESTDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True)
        if there.read_text() != "mine":
            assert there.read_text() == CONFIG.read_text() and there.stat().st_mode & 0o777 == 0o644
            there.write_text("mine")
    assert there.read_text() == "mine"


def test_units_name_programs_and_keep_who_is_logged_in():
    for name in ("aditd.service", "aditd-tunnel.service"):
        text = (BUILD / "dist" / name).read_text()
        assert "@" not in text and "ExecStart=/" in text
        assert "KillMode=process" in text and "RuntimeDirectoryPreserve=yes" in text and "Type=notify" in text
    assert "NoNewPrivileges=yes" in (BUILD / "dist/aditd-tunnel.service").read_text()
    assert "NoNewPrivileges=yes" not in (BUILD / "dist/aditd.service").read_text()
