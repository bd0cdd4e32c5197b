#!/usr/bin/python3
"""Measures adit beside Debian's peers on this machine, prints a table and draws it.

usage: bench/run.py [--out FILE] [--draw FILE] [--rounds N] [--tasks WORD,...] [--peers NAME,...]
       bench/run.py --show FILE... [--draw FILE]     what was measured before, in one run or in parts

Each round runs every task for everybody in turn, every other round backwards, so that whatever the
machine does meanwhile meets all of them. doc/BENCH.md says what each row is and how far to trust it.
"""

import argparse
import functools
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
sys.dont_write_bytecode = True

import draw  # noqa: E402
import peers  # noqa: E402
import place  # noqa: E402
import table  # noqa: E402
import tasks  # noqa: E402

BUILD = pathlib.Path(os.environ.get("ADIT_BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else ROOT / BUILD
LOOSE_ROUNDS = 3  # of tasks that take long and vary little


class Task:
    def __init__(self, name, who, run, is_loose=False):
        self.name, self.who, self.run, self.is_loose = name, who.split(), run, is_loose


def all_tasks():
    found = []
    for way in ("up", "down"):
        bulk = functools.partial(functools.partial, tasks.bulk, direction=way)
        found += [
            Task("bulk L " + way, "adit openssh dropbear stunnel limit", bulk()),
            Task("bulk R " + way, "adit openssh", bulk(way="R")),
            Task("bulk aes128-gcm " + way, "adit openssh stunnel", bulk(cipher="aes128-gcm")),
            Task("bulk chacha20 " + way, "adit openssh stunnel", bulk(cipher="chacha20")),
            Task("bulk 8 " + way, "adit openssh", bulk(streams=8)),
        ]
    found += [
        Task("ping", "adit openssh dropbear stunnel limit", tasks.ping),
        Task("idle", "adit openssh", tasks.idle),
        Task("visits 64", "adit openssh dropbear stunnel limit", tasks.visits),
        Task("login", "adit openssh dropbear", tasks.logins),
        Task("logins 16", "adit openssh", functools.partial(tasks.logins, at_once=16)),
        Task("memory", "adit openssh dropbear", tasks.memory, True),
    ]
    for rtt in (20, 100, 200):
        for way in ("up", "down"):
            run = functools.partial(tasks.long_line, direction=way, rtt_ms=rtt)
            found.append(Task("line %d %s" % (rtt, way), "adit openssh direct", run, True))
    for way in ("up", "down"):
        run = functools.partial(tasks.beside, direction=way)
        found.append(Task("beside " + way, "adit openssh", run, True))
    return found


# ---- the machine ----


def first(pattern, text):
    found = re.search(pattern, text, re.M)
    return found.group(1).strip() if found else ""


def machine(present):
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    revision = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    options = subprocess.run(["meson", "introspect", "--buildoptions", BUILD], capture_output=True, text=True).stdout
    kind = next((o["value"] for o in json.loads(options or "[]") if o["name"] == "buildtype"), "")
    release = pathlib.Path("/etc/os-release").read_text() if os.path.exists("/etc/os-release") else ""
    return {
        "cpu": first(r"^model name\s*:(.*)$", cpu) or platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "system": first(r'^PRETTY_NAME="?([^"\n]*)', release),
        "date": time.strftime("%Y-%m-%d"),
        "congestion": pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "revision": revision.stdout.strip(),
        "build": kind,
        "counts": "control groups" if place.CONTROL else "living processes",
        "versions": {name: peer.version() for name, peer in present.items() if peer.version()},
    }


def enter_own_network():
    """A loopback of our own, with the kernel's usual congestion control: no port of somebody else's,
    and no pacing that a machine's setting brings. It goes with the last process in it."""
    if not place.IS_ROOT or os.environ.get("ADIT_BENCH_INSIDE"):
        return
    probe = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True)
    if probe.returncode != 0:
        print("no network namespace of our own here: this machine's loopback is used", file=sys.stderr)
        return
    script = 'ip link set lo up; echo cubic >/proc/sys/net/ipv4/tcp_congestion_control 2>/dev/null; exec "$@"'
    os.environ["ADIT_BENCH_INSIDE"] = "yes"
    sys.stdout.flush()
    os.execvp("unshare", ["unshare", "--net", "sh", "-c", script, "sh", sys.executable, "-B"] + sys.argv)


# ---- the run ----


def choose(names, kit):
    present = {}
    for name in names:
        peer = peers.PEERS[name](kit)
        why = peer.missing()
        if why:
            print("left out: %s (%s)" % (peer.title, why), file=sys.stderr)
        else:
            present[name] = peer
    return present


def measure(task, name, peer, number, size, write):
    line = {"task": task.name, "who": name, "round": number}
    began = time.monotonic()
    try:
        line["figures"] = task.run(peer, size)
    except place.Trouble as trouble:
        line["trouble"] = str(trouble)
    line["took"] = round(time.monotonic() - began, 2)
    write(line)
    said = line.get("trouble") or ", ".join("%s %.4g" % pair for pair in line["figures"].items())
    print("%2d  %-22s %-9s %s" % (number, task.name, peer.title, said), file=sys.stderr, flush=True)


def run_all(chosen, present, rounds, size, write):
    for number in range(rounds):
        for task in chosen:
            if task.is_loose and number >= LOOSE_ROUNDS:
                continue
            order = [name for name in task.who if name in present]
            for name in order if number % 2 == 0 else order[::-1]:
                measure(task, name, present[name], number, size, write)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="JSON lines go here, each as it is measured")
    parser.add_argument("--draw", help="the drawing (SVG) goes here")
    parser.add_argument("--show", nargs="+", help="measure nothing: show these files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=500_000_000, help="bytes of a bulk run")
    parser.add_argument("--tasks", default="", help="only those with one of these words in their names")
    parser.add_argument("--peers", default=",".join(peers.PEERS))
    return parser.parse_args()


def read(paths):
    return [json.loads(line) for path in paths for line in pathlib.Path(path).read_text().splitlines()]


def measure_all(args):
    words = [word for word in args.tasks.split(",") if word]
    chosen = [task for task in all_tasks() if not words or any(word in task.name for word in words)]
    lines = []
    with tempfile.TemporaryDirectory(prefix="adit-bench-") as folder:
        os.chmod(folder, 0o755)
        kit = peers.Kit(folder, BUILD)
        present = choose(args.peers.split(","), kit)
        out = open(args.out, "w") if args.out else None

        def write(line):
            lines.append(line)
            if out:
                print(json.dumps(line), file=out, flush=True)

        write({"machine": machine(present)})
        if not place.CONTROL:
            print("without control groups: no server's CPU for logins", file=sys.stderr)
        run_all(chosen, present, args.rounds, args.size, write)
        if out:
            out.close()
    return lines


def leave(number, frame):
    sys.exit(128 + number)  # through the blocks that end what was started


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    args = arguments()
    if args.show:
        lines = read(args.show)
    else:
        enter_own_network()
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True) if place.IS_ROOT else None
        lines = measure_all(args)
    results = table.Results(lines)
    print(table.format_table(results, {name: peer.title for name, peer in peers.PEERS.items()}))
    if args.draw:
        pathlib.Path(args.draw).write_text(draw.drawing(results))
    return 1 if not results.runs else 0


sys.exit(main())
