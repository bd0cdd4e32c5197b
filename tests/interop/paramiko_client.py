"""A client for tests: one -L or -R over paramiko, until it is ended.

usage: paramiko_client.py ADDRESS PORT USER KEYFILE "HOST KEY" -L|-R SPEC
"""

import socket
import sys
import threading

import paramiko

KEYS = {"ssh-ed25519": paramiko.Ed25519Key, "ssh-rsa": paramiko.RSAKey}


def load_key(path):
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key_file(path)
        except paramiko.SSHException:
            continue
    raise SystemExit("no such key: " + path)


def join(one, other):
    def pump(source, sink):
        while True:
            piece = source.recv(32768)
            if not piece:
                break
            sink.sendall(piece)
        if isinstance(sink, socket.socket):
            sink.shutdown(socket.SHUT_WR)
        else:
            sink.shutdown_write()

    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join()
    one.close()
    other.close()


def main():
    address, port, user, key_path, host_key, kind, spec = sys.argv[1:8]
    words = spec.split(":")
    listen_port, target = int(words[-3]), (words[-2], int(words[-1]))
    transport = paramiko.Transport(socket.create_connection((address, int(port))))
    transport.start_client(timeout=20)
    shown = transport.get_remote_server_key()
    if "%s %s" % (shown.get_name(), shown.get_base64()) != host_key:
        raise SystemExit("another host key: " + shown.get_base64())
    transport.auth_publickey(user, load_key(key_path))
    print("remote version %s cipher %s" % (transport.remote_version, transport.remote_cipher), file=sys.stderr, flush=True)
    if kind == "-R":
        transport.request_port_forward("", listen_port)
        while True:
            channel = transport.accept(3600)
            local = socket.create_connection(target)
            threading.Thread(target=join, args=(channel, local), daemon=True).start()
    listener = socket.create_server(("127.0.0.1", listen_port))
    while True:
        visitor, who = listener.accept()
        channel = transport.open_channel("direct-tcpip", target, who)
        threading.Thread(target=join, args=(visitor, channel), daemon=True).start()


main()
