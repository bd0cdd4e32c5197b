"""
What processes cost: PSS, so that pages count where they are used and shared ones in parts; or their own
data alone, which does not change with who else shares their programs' pages.
"""

import pathlib
import re


def kib_of(pid, what):
    try:
        text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended
    return int(re.search(r"^%s:\s+(\d+) kB" % what, text, re.M).group(1))


def pss_kib(pid):
    return kib_of(pid, "Pss")


def data_kib(pid):
    return kib_of(pid, "Anonymous")


def settled(look, within, looks=2):
    """Whether so many looks in a row agree: a question for until(), which gives the last one."""
    seen = []

    def has_settled():
        seen.append(look())
        last = seen[-looks:]
        return len(last) == looks and max(last) - min(last) <= within and seen[-1]

    return has_settled
