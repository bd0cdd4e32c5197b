"""The table as a drawing (SVG): for each figure a group of bars, each group with a scale of its own."""

import html

import table

WIDTH, LABEL, VALUES = 860, 262, 150
BAR, GAP, GROUP_GAP, HEAD, FOOT = 11, 3, 11, 70, 120
TITLES = {"adit": "adit + aditd", "openssh": "OpenSSH", "dropbear": "dropbear", "stunnel": "stunnel",
          "limit": "two copying relays, no crypto", "direct": "no tunnel"}
# What the drawing shows of the table's rows; the table has the rest.
SHOWN = [
    "bulk, -L up", "bulk, -L down", "bulk, aes128-gcm, up", "bulk, chacha20-poly1305, up", "8 streams, up",
    "round trip", "round trip beside 1000 idle channels", "connections, 64 at once, CPU each",
    "login and first byte", "login, server's CPU", "logins, 16 at once",
    "server's memory per idle connection", "server's memory per idle channel",
    "round trip time 20 ms, up", "round trip time 100 ms, up", "round trip time 200 ms, up",
    "round trip beside bulk, up (20 MB/s, 20 ms)", "round trip beside bulk, down (20 MB/s, 20 ms)",
]
STYLE = """
text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #1f2328 }
.paper { fill: #ffffff } .title { font-size: 15px; font-weight: 600 } .small { font-size: 11px; fill: #57606a }
.value { font-size: 11px; font-variant-numeric: tabular-nums } .ours { font-weight: 600 }
.adit { fill: #0969da } .openssh { fill: #bf5700 } .dropbear { fill: #8250df } .stunnel { fill: #1a7f37 }
.limit, .direct { fill: #afb8c1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .paper { fill: #0d1117 } .small { fill: #9198a1 }
  .adit { fill: #4493f8 } .openssh { fill: #e0823d } .dropbear { fill: #a887f0 } .stunnel { fill: #3fb950 }
  .limit, .direct { fill: #59636e }
}
"""


def text(x, y, words, kind="", anchor="start"):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (
        x, y, kind, anchor, html.escape(words))


def rectangle(x, y, width, height, kind):
    return '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5" class="%s"/>' % (x, y, width, height, kind)


def group(results, row, top):
    """One figure's bars; (SVG, its height)."""
    medians = [(who, results.median(row.task, who, row.figure)) for who in results.who(row.task)]
    limit_task, limit = row.limit
    if limit not in (who for who, _ in medians):
        medians.append((limit, results.median(limit_task, limit, row.figure)))
    medians = [(who, value) for who, value in medians if value is not None]
    most = max(value for _, value in medians)
    room = WIDTH - LABEL - VALUES - 16
    parts, y = [], top
    better = "more is better" if row.more_is_better else ""
    parts.append(text(LABEL - 12, y + BAR - 1, row.title, "", "end"))
    parts.append(text(LABEL - 12, y + 2 * BAR + 2, ", ".join(w for w in (row.unit, better) if w), "small", "end"))
    for who, value in medians:
        width = max(room * max(value, 0) / most, 1.5) if most else 1.5
        gain = results.gain(row, who, row.task, "openssh") if who == "adit" else None
        words = row.shown(value) + ("   %.*f x OpenSSH" % (1 if gain >= 1.95 else 2, gain) if gain else "")
        parts.append(rectangle(LABEL, y, width, BAR, who))
        parts.append(text(LABEL + width + 6, y + BAR - 1.5, words, "value ours" if who == "adit" else "value"))
        y += BAR + GAP
    return "\n".join(parts), max(y - top, 2 * (BAR + GAP) + 2)


def legend(results, y):
    parts, x = [], LABEL
    for who in table.ORDER:
        if any(run["who"] == who for run in results.runs):
            parts.append(rectangle(x, y - 9, 10, 10, who))
            parts.append(text(x + 15, y, TITLES[who], "small"))
            x += 30 + 6.2 * len(TITLES[who])
    return "\n".join(parts)


def caption(results):
    m = results.machine
    versions = ", ".join(m.get("versions", {}).values())
    rounds = 1 + max(run["round"] for run in results.runs)
    return [
        "Measured %s on %s (%d cores), %s, Linux %s, TCP %s, both ends on one machine over loopback." % (
            m["date"], m["cpu"], m["cores"], m["system"], m["kernel"], m["congestion"]),
        "adit %s (%s). %s." % (m["revision"], m["build"], versions),
        "Medians of %d rounds, all interleaved, in turn forwards and backwards. CPU is user and system time of client" % rounds,
        "and server together, TCP's work on loopback included. Each group has its own scale; bars are shorter where",
        "less is better. x OpenSSH: how many times as good as Debian's OpenSSH in the same run. Long lines by a relay",
        "that delays and TCP does not see. doc/BENCH.md says what each row is, and how to measure it again.",
    ]


def drawing(results):
    """The whole file, as text."""
    parts, y = [], HEAD
    rows = {row.title: row for row in table.ROWS}
    for title in SHOWN:
        row = rows[title]
        if results.median(row.task, "adit", row.figure) is None:
            continue
        part, height = group(results, row, y)
        parts.append(part)
        y += height + GROUP_GAP
    foot = "\n".join(text(20, y + 22 + 15 * i, line, "small") for i, line in enumerate(caption(results)))
    head = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">' % (WIDTH, y + FOOT),
        "<title>What adit's tunnels cost, beside others'</title>",
        "<style>%s</style>" % STYLE,
        rectangle(0, 0, WIDTH, y + FOOT, "paper"),
        text(20, 28, "What a tunnel costs", "title"),
        legend(results, 50),
    ]
    return "\n".join(head + parts + [foot, "</svg>", ""])
