"""adit -W whose target has ended its own side long before it reads: nothing of the upload may be lost with status 0."""

import hashlib
import os
import socket
import subprocess
import threading

import pytest

from bed import ADIT


@pytest.mark.parametrize("server", ["aditd", "sshd"])
def test_stdio_leaves_only_when_the_other_side_has_taken_all(bed, server):
    payload = os.urandom(3000000)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    bed.at_end(listener.close)
    got, left = [], threading.Event()

    def target():
        s, _ = listener.accept()
        with s:
            s.shutdown(socket.SHUT_WR)
            left.wait(1.5)  # adit must not have gone before we begin to read
            got.append(hashlib.sha256(b"".join(iter(lambda: s.recv(65536), b""))).digest())

    reader = threading.Thread(target=target)
    reader.start()
    there = bed.server(server)
    argv = [ADIT] + bed.client_options(there) + ["-W", "127.0.0.1:%d" % listener.getsockname()[1], bed.login(there)]
    done = subprocess.run(argv, input=payload, stdout=subprocess.PIPE, timeout=30)
    left.set()
    reader.join(10)
    assert done.returncode == 0
    assert got == [hashlib.sha256(payload).digest()]
