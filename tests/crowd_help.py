"""An echo server for thousands at once, as a process of its own: python3 crowd_help.py PORT."""

import resource
import select
import socket
import sys


def serve(listener):
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    visitors = {}
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                s, _ = listener.accept()
                visitors[s.fileno()] = s
                poll.register(s.fileno(), select.EPOLLIN)
                continue
            try:
                piece = visitors[fd].recv(65536)
                if piece:
                    visitors[fd].sendall(piece)
                    continue
            except ConnectionError:
                pass
            poll.unregister(fd)
            visitors.pop(fd).close()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", int(sys.argv[1])))
        listening.listen(4096)
        serve(listening)
