"""What a server may say of a channel in any order, and what a forward makes of it."""

import pytest

from bed import ADIT, connect, free_port, until, wait_listen
from master_help import CLOSE, EOF, OPEN, REQUEST, SUCCESS, Master, string

pytestmark = pytest.mark.short


class Server(Master):
    """Remembers what came."""

    def __init__(self, bed):
        self.came = []
        super().__init__(bed)

    def packet(self, kind, payload):
        if kind == OPEN:
            self.confirm(payload, 1 << 20)
        self.came.append(kind)


def test_who_asks_for_an_answer_behind_the_end_of_both_sides_gets_it(bed):
    server, port = Server(bed), free_port()
    argv = [ADIT, "-F", "none", "-S", server.path, "-O", "proxy", "-N", "-L", "127.0.0.1:%d:any:1" % port, "nobody@nowhere"]
    wait_listen(bed.run(argv), port)
    with connect(port):
        until(lambda: OPEN in server.came, "the visitor's channel")
        server.send(EOF)
        server.send(REQUEST, string(b"eow@openssh.com") + b"\1")
        until(lambda: CLOSE in server.came, "the end of both sides")
        assert server.came[-3:] == [EOF, SUCCESS, CLOSE]
