"""From runs to a table: medians, ranges, and ratios to OpenSSH and to the limit.

A row is one figure of one task for everybody who was measured. Ratios are of medians of the same
interleaved runs, and say how many times as good: above 1 is better than OpenSSH.
"""

import statistics


class Row:
    def __init__(self, title, task, figure, unit, more_is_better=False, limit=None, digits=2):
        self.title, self.task, self.figure, self.unit = title, task, figure, unit
        self.more_is_better, self.digits = more_is_better, digits
        self.limit = limit or (task, "limit")  # whose figure is the limit: (task, who)

    def shown(self, value):
        return "%.*f" % (self.digits, value)


ROWS = [
    Row("bulk, -L up", "bulk L up", "CPU s/GB", "CPU s/GB"),
    Row("bulk, -L down", "bulk L down", "CPU s/GB", "CPU s/GB"),
    Row("bulk, -R up", "bulk R up", "CPU s/GB", "CPU s/GB", limit=("bulk L up", "limit")),
    Row("bulk, -R down", "bulk R down", "CPU s/GB", "CPU s/GB", limit=("bulk L down", "limit")),
    Row("bulk, aes128-gcm, up", "bulk aes128-gcm up", "CPU s/GB", "CPU s/GB", limit=("bulk L up", "limit")),
    Row("bulk, aes128-gcm, down", "bulk aes128-gcm down", "CPU s/GB", "CPU s/GB", limit=("bulk L down", "limit")),
    Row("bulk, chacha20-poly1305, up", "bulk chacha20 up", "CPU s/GB", "CPU s/GB", limit=("bulk L up", "limit")),
    Row("bulk, chacha20-poly1305, down", "bulk chacha20 down", "CPU s/GB", "CPU s/GB",
        limit=("bulk L down", "limit")),
    Row("8 streams, up", "bulk 8 up", "CPU s/GB", "CPU s/GB", limit=("bulk L up", "limit")),
    Row("8 streams, down", "bulk 8 down", "CPU s/GB", "CPU s/GB", limit=("bulk L down", "limit")),
    Row("8 streams, least share, up", "bulk 8 up", "least share", "of the largest", True),
    Row("8 streams, least share, down", "bulk 8 down", "least share", "of the largest", True),
    Row("throughput, -L up", "bulk L up", "MB/s", "MB/s", True, digits=0),
    Row("throughput, -L down", "bulk L down", "MB/s", "MB/s", True, digits=0),
    Row("round trip", "ping", "median us", "us", digits=0),
    Row("round trip, CPU", "ping", "CPU us", "us", digits=1),
    Row("round trip beside 1000 idle channels", "idle", "median us", "us", digits=0),
    Row("connections, 64 at once, CPU each", "visits 64", "CPU us", "us", digits=0),
    Row("login and first byte", "login", "median ms", "ms", digits=1),
    Row("login, server's CPU", "login", "server CPU ms", "ms", digits=1),
    Row("logins, 16 at once", "logins 16", "per second", "a second", True, digits=0),
    Row("server's memory per idle connection", "memory", "server KiB", "KiB", digits=0),
    Row("server's memory per idle channel", "idle", "server KiB", "KiB"),
    Row("client's memory per idle channel", "idle", "client KiB", "KiB"),
] + [
    Row("throughput at a round trip of %d ms, %s" % (rtt, way), "line %d %s" % (rtt, way), "MB/s", "MB/s", True,
        limit=("line %d %s" % (rtt, way), "direct"), digits=0)
    for rtt in (20, 100, 200) for way in ("up", "down")
] + [
    Row("round trip beside bulk, %s (20 MB/s, 20 ms)" % way, "beside %s" % way, "median ms", "ms", digits=0)
    for way in ("up", "down")
]


class Results:
    """Runs, as JSON lines hold them: {"task", "who", "round", "figures"}; the first line is the machine."""

    def __init__(self, lines):
        self.machine = next((line["machine"] for line in lines if "machine" in line), {})
        self.runs = [line for line in lines if "figures" in line]
        self.troubles = [line for line in lines if "trouble" in line]

    def values(self, task, who, figure):
        return [run["figures"][figure] for run in self.runs
                if run["task"] == task and run["who"] == who and figure in run["figures"]]

    def median(self, task, who, figure):
        values = self.values(task, who, figure)
        return statistics.median(values) if values else None

    def who(self, task):
        seen = []
        for run in self.runs:
            if run["task"] == task and run["who"] not in seen:
                seen.append(run["who"])
        return sorted(seen, key=ORDER.index)

    def gain(self, row, who, other_task, other):
        """How many times as good as the other: above 1 is better."""
        mine, theirs = self.median(row.task, who, row.figure), self.median(other_task, other, row.figure)
        if not mine or not theirs:
            return None
        return mine / theirs if row.more_is_better else theirs / mine


ORDER = ["adit", "openssh", "dropbear", "stunnel", "limit", "direct"]


def format_table(results, titles):
    lines = []
    for row in ROWS:
        present = [who for who in results.who(row.task) if results.values(row.task, who, row.figure)]
        if not present:
            continue
        lines.append("%s [%s]" % (row.title, row.unit))
        for who in present:
            values = results.values(row.task, who, row.figure)
            text = "    %-10s %9s  [%s..%s] of %d" % (
                titles.get(who, who), row.shown(statistics.median(values)), row.shown(min(values)),
                row.shown(max(values)), len(values))
            against = results.gain(row, who, row.task, "openssh") if who != "openssh" else None
            limit = results.gain(row, who, *row.limit) if (row.task, who) != row.limit else None
            text = "%-52s" % text
            text += "  %5.2f x OpenSSH" % against if against else " " * 16
            text += "  %5.2f of the limit" % limit if limit else ""
            lines.append(text.rstrip())
    for one in results.troubles:
        lines.append("not measured: %s, %s, round %d: %s" % (one["task"], one["who"], one["round"], one["trouble"]))
    return "\n".join(lines)
