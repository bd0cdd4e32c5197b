"""What is typed goes through the smallest window whole: a master in proxy mode, played by the test, is a server
without any cryptography in the way (PROTOCOL.mux 9)."""

import socket
import struct
import threading

import pytest

from bed import ADIT, until
from terminal_help import Terminal

pytestmark = pytest.mark.short

GLOBAL_REQUEST, OPEN, CONFIRMATION, ADJUST, DATA, REQUEST, SUCCESS = 80, 90, 91, 93, 94, 98, 99


def read_exactly(s, n):
    out = b""
    while len(out) < n:
        piece = s.recv(n - len(out))
        if not piece:
            raise EOFError
        out += piece
    return out


def read_frame(s):
    return read_exactly(s, struct.unpack(">I", read_exactly(s, 4))[0])


def send_frame(s, body):
    s.sendall(struct.pack(">I", len(body)) + body)


class Master:
    """Grants `window` bytes at first, and as many again for each that came."""

    def __init__(self, bed, window):
        self.path, self.window, self.typed = str(bed.folder / "ctl"), window, b""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(4)
        bed.at_end(self.listener.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                self.one(self.listener.accept()[0])
        except (OSError, EOFError):
            pass

    def one(self, s):
        send_frame(s, struct.pack(">II", 1, 4))
        try:
            read_frame(s)
        except EOFError:
            return  # it only looked whether somebody is here
        alive = read_frame(s)
        send_frame(s, struct.pack(">I", 0x80000005) + alive[4:8] + struct.pack(">I", 1))
        proxy = read_frame(s)
        send_frame(s, struct.pack(">I", 0x8000000F) + proxy[4:8])
        while True:
            self.packet(s, read_frame(s)[1:])

    def packet(self, s, payload):
        kind = payload[0]
        if kind == OPEN:
            sender = payload[5 + struct.unpack(">I", payload[1:5])[0] :][:4]
            send_frame(s, b"\0" + bytes([CONFIRMATION]) + sender + struct.pack(">III", 7, self.window, 32768))
            self.peer = sender
        elif kind == REQUEST:
            length = struct.unpack(">I", payload[5:9])[0]
            if payload[9 + length]:
                send_frame(s, b"\0" + bytes([SUCCESS]) + self.peer)
        elif kind == DATA:
            data = payload[9:]
            self.typed += data
            if len(data) > self.window:
                raise EOFError("beyond the window")
            send_frame(s, b"\0" + bytes([DATA]) + self.peer + struct.pack(">I", len(data)) + data)
            send_frame(s, b"\0" + bytes([ADJUST]) + self.peer + struct.pack(">I", len(data)))


@pytest.mark.parametrize("window", [1, 2, 3, 100])
@pytest.mark.parametrize("escape", ["~", "none"])
def test_nothing_that_is_typed_is_lost_or_stalls(bed, window, escape):
    master = Master(bed, window)
    t = Terminal(bed, [ADIT, "-F", "none", "-e", escape, "-S", master.path, "-O", "proxy", "-tt", "nobody@nowhere"])
    until(t.is_raw, lambda: "a raw terminal; it shows " + t.text)
    text = "\r~x\r~~y\rab~c\r" * 20 + "end."
    t.type(text)
    until(lambda: master.typed.endswith(b"end."), lambda: "all of it to come; so far %r" % master.typed)
    wanted = text if escape == "none" else text.replace("~~", "~")
    assert master.typed.decode().replace("\n", "\r") == wanted


@pytest.mark.parametrize("window", [1, 2])
def test_what_an_escape_gave_back_does_not_wait_for_the_next_key(bed, window):
    master = Master(bed, window)
    t = Terminal(bed, [ADIT, "-F", "none", "-S", master.path, "-O", "proxy", "-tt", "nobody@nowhere"])
    until(t.is_raw, lambda: "a raw terminal; it shows " + t.text)
    t.type("\r~x")  # nothing is typed after it
    until(lambda: master.typed.endswith(b"~x"), lambda: "all of it to come; so far %r" % master.typed)
