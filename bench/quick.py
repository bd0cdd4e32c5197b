#!/usr/bin/python3
"""The short look at what a change costs: instructions that our own code takes, and CPU seconds per GB.

usage: bench/quick.py [--write]     --write: what was counted becomes the reference, bench/quick.ref

Instructions are counted by valgrind for the protocol between two ends in memory (bench/path.c), in our
own code alone: libcrypto and libc choose their code by the processor. They are the same each time, so a
count of more than 10 % above the reference fails. CPU seconds are shown beside those of two bare relays,
and decide nothing: too much of the machine is in them.
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
sys.dont_write_bytecode = True

import peers  # noqa: E402
import place  # noqa: E402
import tasks  # noqa: E402

BUILD = pathlib.Path(os.environ.get("ADIT_BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else ROOT / BUILD
REFERENCE = ROOT / "bench" / "quick.ref"
MOST = 1.10
MB, LOGINS, ROUNDS, SIZE = 32, 20, 3, 300_000_000

# name of the count -> (arguments of path, by how many it is divided)
COUNTS = {
    "aes128-gcm, per MB": (["bulk", "aes128-gcm@openssh.com", str(MB)], MB),
    "chacha20-poly1305, per MB": (["bulk", "chacha20-poly1305@openssh.com", str(MB)], MB),
    "aes128-ctr with HMAC, per MB": (["bulk", "aes128-ctr", str(MB)], MB),
    "login, both ends": (["logins", str(LOGINS)], LOGINS),
}


# ---- instructions ----


def cost_by_object(text):
    """Own cost of each object file's functions, from callgrind's output (its format's "ob=" and costs)."""
    names, costs, current, skip = {}, {}, "", False
    for line in text.splitlines():
        found = re.match(r"ob=\((\d+)\)(?: (.*))?$", line)
        if found:
            if found.group(2):
                names[found.group(1)] = found.group(2)
            current = names.get(found.group(1), "")
            continue
        found = re.match(r"c?ob=\((\d+)\) (.*)$", line)
        if found:
            names[found.group(1)] = found.group(2)
        if line.startswith("calls="):
            skip = True  # the line behind it is what was called, with all it called
        elif re.match(r"[+\-*\d]", line):
            if not skip:
                words = line.split()
                costs[current] = costs.get(current, 0) + (int(words[1]) if len(words) > 1 else 0)
            skip = False
    return costs


def count(arguments):
    """Instructions of our own code, and of all the rest."""
    program = str(BUILD / "bench" / "path")
    with tempfile.TemporaryDirectory(prefix="adit-quick-") as folder:
        out = pathlib.Path(folder) / "out"
        argv = ["valgrind", "--tool=callgrind", "--toggle-collect=counted", "--callgrind-out-file=%s" % out]
        done = subprocess.run(argv + [program] + arguments, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit("path did not run under valgrind:\n" + done.stderr)
        costs = cost_by_object(out.read_text())
    ours = sum(cost for name, cost in costs.items() if name == program)
    if not ours:
        sys.exit("nothing was counted in %s, only in %s" % (program, sorted(costs)))
    return ours, sum(costs.values()) - ours


def built_with():
    """Counts hold for one compiler and one kind of build."""
    argv = ["meson", "introspect", "--buildoptions", BUILD]
    options = subprocess.run(argv, capture_output=True, text=True, check=True)
    kind = next(o["value"] for o in json.loads(options.stdout) if o["name"] == "buildtype")
    note = subprocess.run(["readelf", "-p", ".comment", BUILD / "bench" / "path"], capture_output=True, text=True)
    compiler = re.search(r"(GCC|clang)\D*([\d.]+)", note.stdout)
    return "%s %s, %s, %s" % (compiler.group(1), compiler.group(2), kind, os.uname().machine)


def read_reference():
    if not REFERENCE.exists():
        return "", {}
    made_with, counts = "", {}
    for line in REFERENCE.read_text().splitlines():
        name, _, value = line.rpartition(": ")
        if name == "built with":
            made_with = value
        elif name and not line.startswith("#"):
            counts[name] = int(value)
    return made_with, counts


def write_reference(counts):
    lines = ["# Instructions of our own code; bench/quick.py --write makes this file.", "built with: " + built_with()]
    lines += ["%s: %d" % item for item in counts.items()]
    REFERENCE.write_text("\n".join(lines) + "\n")


def count_all(is_writing):
    """True: nothing takes more than it may."""
    made_with, reference = read_reference()
    now = built_with()
    holds, counts = True, {}
    is_comparable = made_with == now
    if not is_comparable and not is_writing:
        print("the reference is of: %s. This build: %s. Not held against it." % (made_with or "nothing", now))
    print("%-32s %10s %10s %7s %14s" % ("instructions of our own code", "now", "reference", "", "of libraries"))
    for name, (arguments, divisor) in COUNTS.items():
        ours, others = (value // divisor for value in count(arguments))
        counts[name] = ours
        before = reference.get(name)
        ratio = ours / before if before else None
        verdict = "" if ratio is None else "%6.2f%s" % (ratio, " TOO MUCH" if ratio > MOST and is_comparable else "")
        print("%-32s %10d %10s %7s %14d" % (name, ours, before or "-", verdict, others), flush=True)
        holds = holds and not (is_comparable and not is_writing and (ratio is None or ratio > MOST))
    if is_writing:
        write_reference(counts)
    return holds


# ---- CPU seconds ----


def cpu_per_gb():
    runs = {}
    with tempfile.TemporaryDirectory(prefix="adit-quick-") as folder:
        os.chmod(folder, 0o755)
        kit = peers.Kit(folder, BUILD)
        pair = [("adit", peers.Adit(kit)), ("limit", peers.Limit(kit))]
        for number in range(ROUNDS):
            for direction in ("up", "down"):
                for name, peer in pair if number % 2 == 0 else pair[::-1]:
                    got = tasks.bulk(peer, SIZE, direction)
                    runs.setdefault((name, direction), []).append(got["CPU s/GB"])
    print("%-32s %10s %10s %7s" % ("CPU seconds per GB, -L", "adit", "limit", ""))
    for direction in ("up", "down"):
        ours, limit = (statistics.median(runs[name, direction]) for name in ("adit", "limit"))
        print("%-32s %10.2f %10.2f %6.2f" % (direction, ours, limit, ours / limit))


def main():
    is_writing = sys.argv[1:] == ["--write"]
    if sys.argv[1:] and not is_writing:
        print(__doc__, file=sys.stderr)
        return 2
    holds = count_all(is_writing)
    cpu_per_gb()
    if not holds:
        print("our own code takes more than %.0f %% of the reference" % (MOST * 100))
    return 0 if holds else 1


sys.exit(main())
