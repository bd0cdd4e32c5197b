"""What is typed goes through the smallest window whole."""

import pytest

from bed import ADIT, until
from master_help import ADJUST, DATA, OPEN, REQUEST, Master, string, u32
from terminal_help import Terminal

pytestmark = pytest.mark.short


class Echo(Master):
    """Grants `window` bytes at first, and as many again for each that came."""

    def __init__(self, bed, window):
        self.window, self.typed = window, b""
        super().__init__(bed)

    def packet(self, kind, payload):
        if kind == OPEN:
            self.confirm(payload, self.window)
        elif kind == REQUEST:
            self.grant_request(payload)
        elif kind == DATA:
            data = payload[9:]
            self.typed += data
            if len(data) > self.window:
                raise EOFError("beyond the window")
            self.send(DATA, string(data))
            self.send(ADJUST, u32(len(data)))


@pytest.mark.parametrize("window", [1, 2, 3, 100])
@pytest.mark.parametrize("escape", ["~", "none"])
def test_nothing_that_is_typed_is_lost_or_stalls(bed, window, escape):
    master = Echo(bed, window)
    t = Terminal(bed, [ADIT, "-F", "none", "-e", escape, "-S", master.path, "-O", "proxy", "-tt", "nobody@nowhere"])
    until(t.is_raw, lambda: "a raw terminal; it shows " + t.text)
    text = "\r~x\r~~y\rab~c\r" * 20 + "end."
    t.type(text)
    until(lambda: master.typed.endswith(b"end."), lambda: "all of it to come; so far %r" % master.typed)
    wanted = text if escape == "none" else text.replace("~~", "~")
    assert master.typed.decode().replace("\n", "\r") == wanted


@pytest.mark.parametrize("window", [1, 2])
def test_what_an_escape_gave_back_does_not_wait_for_the_next_key(bed, window):
    master = Echo(bed, window)
    t = Terminal(bed, [ADIT, "-F", "none", "-S", master.path, "-O", "proxy", "-tt", "nobody@nowhere"])
    until(t.is_raw, lambda: "a raw terminal; it shows " + t.text)
    t.type("\r~x")  # nothing is typed after it
    until(lambda: master.typed.endswith(b"~x"), lambda: "all of it to come; so far %r" % master.typed)
