"""What is measured: each task sets up a tunnel of its own, loads it, and gives figures by name."""

import json
import time

import place


class Line:
    """What lies between client and server: a round trip, and a rate in bytes a second (0: any)."""

    def __init__(self, rtt_ms, rate=0):
        self.words = ["delay=%d" % (rtt_ms // 2)] + (["rate=%d" % rate] if rate else [])


class Tunnel:
    """Target, server, client, and what lies between: started here, ended with the block."""

    def __init__(self, peer, way="L", cipher=None, line=None, is_forwarding=True):
        self.peer, self.way, self.cipher, self.line = peer, way, cipher, line
        self.is_forwarding = is_forwarding
        self.load, self.server, self.client = (place.Group(n) for n in ("load", "server", "client"))

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        for group in (self.client, self.server, self.load):
            group.stop()

    def _start(self):
        kit = self.peer.kit
        self.target = place.free_port()
        process = self.load.start([kit.tool("load"), "target", "127.0.0.1:%d" % self.target])
        place.wait_listening(self.target, process, "the target")
        self.server_port = self.target
        if not self.peer.is_direct:
            self.server_port = place.free_port()
            process = self.server.start(self.peer.server(self.server_port, self.target), env=kit.env)
            place.wait_listening(self.server_port, process, self.peer.title + "'s server")
        self.through = self._lay_line() if self.line else self.server_port
        if self.peer.is_direct:
            self.address = "127.0.0.1:%d" % self.through
        elif self.is_forwarding:
            self.address = "127.0.0.1:%d" % self.forward(self.way, self.cipher)
            self.ask("visits", self.address, "count=1")  # the tunnel is up in both directions

    def _lay_line(self):
        port = place.free_port()
        words = ["127.0.0.1:%d" % port, "127.0.0.1:%d" % self.server_port] + self.line.words
        process = self.load.start([self.peer.kit.tool("relay")] + words)
        place.wait_listening(port, process, "the line")
        return port

    def forward(self, way="L", cipher=None):
        """Another client with a forward to the target; the port to come in by."""
        port = place.free_port()
        argv = self.peer.client(self.through, way, port, self.target, cipher)
        process = self.client.start(argv, env=self.peer.kit.env)
        place.wait_listening(port, process, self.peer.title + "'s client")
        return port

    def ask(self, *words, within_s=90):
        return answer(self.load.run([self.peer.kit.tool("load")] + [str(w) for w in words], within_s), words)

    def begin(self, *words, **popen):
        argv = [self.peer.kit.tool("load")] + [str(w) for w in words]
        return self.load.start(argv, stdout=-1, **popen)  # -1: a pipe

    def cpu_s(self):
        return {"client": self.client.cpu_s(), "server": self.server.cpu_s()}


def answer(text, words):
    try:
        found = json.loads(text.splitlines()[-1])
    except (ValueError, IndexError):
        raise place.Trouble("%s said nothing" % " ".join(map(str, words)))
    if "error" in found:
        raise place.Trouble("%s: %s" % (" ".join(map(str, words)), found["error"]))
    return found


def settled(tunnel):
    """CPU seconds once nobody works any more: what was received may not be acknowledged yet."""
    before = tunnel.cpu_s()
    for _ in range(50):
        time.sleep(0.02)
        after = tunnel.cpu_s()
        if sum(after.values()) - sum(before.values()) < 0.0005:
            break
        before = after
    return after


def spent(before, after, who=("client", "server")):
    return sum(after[name] - before[name] for name in who)


# ---- the tasks ----


def bulk(peer, size, direction, way="L", cipher=None, streams=1):
    with Tunnel(peer, way, cipher) as tunnel:
        tunnel.ask("bulk", tunnel.address, direction, "bytes=20000000")  # first pages, first windows
        before = settled(tunnel)
        got = tunnel.ask("bulk", tunnel.address, direction, "bytes=%d" % (size // streams),
                         "streams=%d" % streams, "seconds=8")
        after = settled(tunnel)
        gigabytes = got["bytes"] / 1e9
        return {
            "CPU s/GB": spent(before, after) / gigabytes,
            "client CPU s/GB": spent(before, after, ["client"]) / gigabytes,
            "server CPU s/GB": spent(before, after, ["server"]) / gigabytes,
            "MB/s": got["MB/s"],
            "least share": got["least share"],
        }


def ping(peer, size):
    with Tunnel(peer) as tunnel:
        tunnel.ask("ping", tunnel.address, "count=300")
        before = tunnel.cpu_s()
        got = tunnel.ask("ping", tunnel.address, "count=8000", "seconds=3")
        return {"median us": got["median us"], "p99 us": got["p99 us"],
                "CPU us": spent(before, settled(tunnel)) / got["n"] * 1e6}


def idle(peer, size, channels=1000):
    """Memory of channels that wait, and what they cost one that works."""
    with Tunnel(peer) as tunnel:
        server, client = tunnel.server.memory_kib(), tunnel.client.memory_kib()
        alone = tunnel.ask("ping", tunnel.address, "count=2000", "seconds=3")
        crowd = tunnel.begin("idle", tunnel.address, "count=%d" % channels, stdin=-1)
        opened = answer(crowd.stdout.readline().decode(), ["idle"])["open"]
        settled(tunnel)
        figures = {"server KiB": (tunnel.server.memory_kib() - server) / opened,
                   "client KiB": (tunnel.client.memory_kib() - client) / opened}
        got = tunnel.ask("ping", tunnel.address, "count=2000", "seconds=5")
        crowd.stdin.close()
        crowd.wait(20)
        return dict(figures, **{"median us": got["median us"], "alone us": alone["median us"]})


def visits(peer, size, at_once=64):
    with Tunnel(peer) as tunnel:
        tunnel.ask("visits", tunnel.address, "count=100")
        before = settled(tunnel)
        got = tunnel.ask("visits", tunnel.address, "at_once=%d" % at_once, "count=6000", "seconds=2")
        return {"CPU us": spent(before, settled(tunnel)) / got["n"] * 1e6, "per second": got["per second"],
                "median us": got["median us"], "failed": got["failed"]}


def logins(peer, size, at_once=1):
    with Tunnel(peer, is_forwarding=False) as tunnel:
        words = ["at_once=%d" % at_once, "count=%d" % (20 if at_once == 1 else 64), "seconds=10", "--"]
        words += peer.stdio(tunnel.through, tunnel.target)
        tunnel.ask("logins", "at_once=1", "count=2", *words[3:])
        before = settled(tunnel)
        got = tunnel.ask("logins", *words)
        figures = {"median ms": got["median ms"], "per second": got["per second"], "failed": got["failed"],
                   "client CPU ms": got["client cpu ms"]}
        if place.CONTROL:  # else what served a login has ended and taken its count along
            figures["server CPU ms"] = spent(before, settled(tunnel), ["server"]) / got["n"] * 1e3
        return figures


def memory(peer, size, some=20, many=100):
    """The server's memory for one more connection that waits, by the slope between two counts."""
    with Tunnel(peer, is_forwarding=False) as tunnel:
        sizes = []
        for count in (some, many - some):
            ports = [place.free_port() for _ in range(count)]
            for first in range(0, count, 4):  # dropbear turns away who comes with more
                batch = []
                for port in ports[first:first + 4]:
                    argv = peer.client(tunnel.through, "R", port, tunnel.target)
                    batch.append((port, tunnel.client.start(argv, env=peer.kit.env)))
                for port, process in batch:
                    place.wait_listening(port, process, "a client's -R")
            settled(tunnel)
            sizes.append(tunnel.server.memory_kib())
        return {"server KiB": (sizes[1] - sizes[0]) / (many - some)}


def long_line(peer, size, direction, rtt_ms):
    with Tunnel(peer, line=Line(rtt_ms)) as tunnel:
        got = tunnel.ask("bulk", tunnel.address, direction, "seconds=5", "skip=2")
        return {"MB/s": got["steady MB/s"]}


def beside(peer, size, direction, rtt_ms=20, rate=20_000_000):
    """Round trips of somebody interactive while bulk fills the line, over the same connection."""
    with Tunnel(peer, line=Line(rtt_ms, rate)) as tunnel:
        load = tunnel.begin("bulk", tunnel.address, direction, "seconds=5")
        time.sleep(1.5)  # a measurement of what is steady: bulk fills the line first
        got = tunnel.ask("ping", tunnel.address, "gap_us=10000", "seconds=3", "count=100000")
        full = answer(load.communicate(timeout=60)[0].decode(), ["bulk"])
        return {"median ms": got["median us"] / 1e3, "p99 ms": got["p99 us"] / 1e3, "bulk MB/s": full["MB/s"]}
