"""A master in proxy mode, played by the test: a server without any cryptography in the way (PROTOCOL.mux 9)."""

import socket
import struct
import threading

OPEN, CONFIRMATION, ADJUST, DATA, EXTENDED_DATA, EOF, CLOSE, REQUEST, SUCCESS = 90, 91, 93, 94, 95, 96, 97, 98, 99


def u32(*numbers):
    return struct.pack(">%dI" % len(numbers), *numbers)


def string(body):
    return u32(len(body)) + body


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


class Master:
    """Knows one channel; what comes is for packet(kind, payload) of whoever inherits."""

    def __init__(self, bed):
        self.path = str(bed.folder / "ctl")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(4)
        bed.at_end(self.listener.close)
        threading.Thread(target=self._serve, daemon=True).start()

    def packet(self, kind, payload):
        raise NotImplementedError

    def send(self, kind, body=b""):
        """To the channel."""
        self._send_frame(b"\0" + bytes([kind]) + self.peer + body)

    def confirm(self, opening, window, max_packet=32768):
        self.peer = opening[5 + struct.unpack(">I", opening[1:5])[0] :][:4]
        self.send(CONFIRMATION, u32(7, window, max_packet))

    def grant_request(self, request):
        length = struct.unpack(">I", request[5:9])[0]
        if request[9 + length]:
            self.send(SUCCESS)

    def _send_frame(self, body):
        self.socket.sendall(string(body))

    def _serve(self):
        try:
            while True:
                self.socket = self.listener.accept()[0]
                self._one()
        except OSError:
            pass

    def _one(self):
        self._send_frame(u32(1, 4))
        try:
            read_frame(self.socket)
            alive = read_frame(self.socket)
            self._send_frame(u32(0x80000005) + alive[4:8] + u32(1))
            proxy = read_frame(self.socket)
            self._send_frame(u32(0x8000000F) + proxy[4:8])
            while True:
                payload = read_frame(self.socket)[1:]
                self.packet(payload[0], payload)
        except EOFError:
            pass  # it only looked whether somebody is here, or has ended
