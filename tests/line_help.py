"""A line that is long, windows that grow over it, and streams through them."""

import collections
import contextlib
import re
import socket
import threading
import time

from bed import connect, send_stream

WAY_S = 0.05  # from one end to the other
GROWTH = re.compile(r"window (\d+) -> (\d+), round trip (\d+) us")


class Line:
    """One direction: what comes goes on WAY_S later, however much is under way."""

    def __init__(self, source, sink):
        self.under_way = collections.deque()
        self.changed = threading.Condition()
        self.source, self.sink = source, sink
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        piece = True
        while piece:
            try:
                piece = self.source.recv(1 << 18)
            except OSError:
                piece = b""
            with self.changed:
                self.under_way.append((time.monotonic() + WAY_S, piece))
                self.changed.notify()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                with self.changed:
                    self.changed.wait_for(lambda: self.under_way)
                    due, piece = self.under_way.popleft()
                time.sleep(max(0, due - time.monotonic()))
                if not piece:
                    self.sink.shutdown(socket.SHUT_WR)
                    return
                self.sink.sendall(piece)


def serve_long_line(to_port):
    def serve(near):
        far = connect(to_port)
        far.settimeout(None)
        back = threading.Thread(target=Line(far, near).run, daemon=True)
        back.start()
        Line(near, far).run()
        back.join()
        far.close()

    return serve


def over_a_long_line(bed, server, client, target_port, *args):
    """-L through the line: (the client's process, its port)."""
    far = bed.target(serve_long_line(server.port))
    return bed.local(server, target_port, *args, client=client, port=far.port)


def serve_stream(total):
    def serve(s):
        send_stream(s, 7, total)
        s.shutdown(socket.SHUT_WR)

    return serve


def sizes(log):
    """Of the windows, as they followed one another."""
    return [int(after) for _, after, _ in GROWTH.findall(log)]
