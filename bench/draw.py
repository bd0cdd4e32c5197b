"""The table as a drawing (SVG): for each figure a group of bars, each group with a scale of its own."""

import html
import textwrap

import table

WIDTH, LABEL, VALUES = 880, 300, 150
BAR, GAP, GROUP_GAP, HEAD, LINE = 11, 3, 11, 74, 15
TITLES = {"adit": "adit + aditd", "openssh": "OpenSSH", "dropbear": "dropbear", "stunnel": "stunnel",
          "limit": "two copying relays, no crypto", "direct": "no tunnel"}
# What the drawing shows of the table's rows; the table has the rest.
SHOWN = [
    "bulk, -L up", "bulk, -L down", "bulk, aes128-gcm, up", "bulk, chacha20-poly1305, up", "8 streams, up",
    "round trip", "round trip beside 1000 idle channels", "connections, 64 at once, CPU each",
    "login and first byte", "login, server's CPU", "logins, 16 at once",
    "server's memory per idle connection", "server's memory per idle channel",
    "throughput at a round trip of 20 ms, up", "throughput at a round trip of 100 ms, up", "throughput at a round trip of 200 ms, up",
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
        words = row.shown(value) + ("  (%.*f x OpenSSH)" % (1 if gain >= 1.95 else 2, gain) if gain else "")
        parts.append(rectangle(LABEL, y, width, BAR, who))
        parts.append(text(LABEL + width + 6, y + BAR - 1.5, words, "value ours" if who == "adit" else "value"))
        y += BAR + GAP
    return "\n".join(parts), max(y - top, 2 * (BAR + GAP) + 2)


def legend(results, y):
    parts, x = [], 20
    for who in table.ORDER:
        if any(run["who"] == who for run in results.runs):
            parts.append(rectangle(x, y - 9, 10, 10, who))
            parts.append(text(x + 15, y, TITLES[who], "small"))
            x += 30 + 6.2 * len(TITLES[who])
    return "\n".join(parts)


def caption(results):
    m = results.machine
    counts = [len(results.values(row.task, "adit", row.figure)) for row in table.ROWS]
    counts = sorted({count for count in counts if count})
    runs = "%d" % counts[0] if len(counts) == 1 else "%d to %d" % (counts[0], counts[-1])
    paragraphs = [
        "Measured %s on %s (%d cores), %s, Linux %s, TCP %s, all on one machine over loopback. adit is %s (%s) of this "
        "repository, the others Debian's packages: %s." % (
            m["date"], m["cpu"], m["cores"], m["system"], m["kernel"], m["congestion"], m["revision"], m["build"],
            ", ".join(words for name, words in m["versions"].items() if name != "adit")),
        "Medians of %s runs, interleaved, forwards and backwards in turn. CPU is user and system time of client and "
        "server together, TCP's work included. Each group has a scale of its own; shorter is better, except where it "
        "says more is. \"x OpenSSH\" is how many times as good as OpenSSH in the same run. Long lines are a relay that "
        "delays, which TCP does not see. doc/BENCH.md says what each row is; \"make bench\" draws this again." % runs,
    ]
    return [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, 138)]


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
    words = caption(results)
    foot = "\n".join(text(20, y + 22 + LINE * i, line, "small") for i, line in enumerate(words))
    height = y + 26 + LINE * len(words)
    head = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">' % (WIDTH, height),
        "<title>What a tunnel costs: adit beside others</title>",
        "<style>%s</style>" % STYLE,
        rectangle(0, 0, WIDTH, height, "paper"),
        text(20, 28, "What a tunnel costs", "title"),
        legend(results, 50),
    ]
    return "\n".join(head + parts + [foot, "</svg>", ""])
