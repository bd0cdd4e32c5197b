"""A server for tests: commands, direct-tcpip and tcpip-forward over paramiko, until it is ended.

usage: paramiko_server.py ADDRESS PORT HOSTKEY AUTHORIZED_KEYS
"""

import contextlib
import socket
import subprocess
import sys
import threading

import paramiko

PIECE = 32768


def pump(source, sink, end):
    """All that source gives goes to sink; end() tells sink that this was all."""
    with contextlib.suppress(OSError, EOFError):
        while piece := source.recv(PIECE):
            sink.sendall(piece)
    with contextlib.suppress(OSError, EOFError):
        end()


def join(channel, s):
    back = threading.Thread(target=pump, args=(s, channel, channel.shutdown_write), daemon=True)
    back.start()
    pump(channel, s, lambda: s.shutdown(socket.SHUT_WR))
    back.join()
    s.close()
    channel.close()


def run(channel, command):
    """A command by the shell, its three streams and its status."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, shell=True, bufsize=0, **pipes) as process:
        def feed():
            with contextlib.suppress(OSError):
                while piece := channel.recv(PIECE):
                    process.stdin.write(piece)
            process.stdin.close()

        def complain():
            while piece := process.stderr.read(PIECE):
                channel.sendall_stderr(piece)

        threading.Thread(target=feed, daemon=True).start()
        errors = threading.Thread(target=complain, daemon=True)
        errors.start()
        while piece := process.stdout.read(PIECE):
            channel.sendall(piece)
        errors.join()
        status = process.wait()
        channel.send_exit_status(status if status >= 0 else 128 - status)
        channel.close()  # ends feed(), which holds a pipe


class Server(paramiko.ServerInterface):
    def __init__(self, transport, keys):
        self.transport, self.keys = transport, keys
        self.targets = {}  # channel id -> the socket that waits for it
        self.listeners = {}

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        known = "%s %s" % (key.get_name(), key.get_base64()) in self.keys
        return paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel, command):
        threading.Thread(target=run, args=(channel, command), daemon=True).start()
        return True

    def check_channel_shell_request(self, channel):
        return self.check_channel_exec_request(channel, "/bin/sh")

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        try:
            self.targets[chanid] = socket.create_connection(destination, timeout=10)
        except OSError:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        self.targets[chanid].settimeout(None)
        return paramiko.OPEN_SUCCEEDED

    def check_port_forward_request(self, address, port):
        bound = "127.0.0.1" if address in ("", "localhost") else address
        try:
            listener = socket.create_server((bound, port))
        except OSError:
            return False
        port = listener.getsockname()[1]
        self.listeners[(address, port)] = listener
        threading.Thread(target=self.accept, args=(listener, address, port), daemon=True).start()
        return port

    def cancel_port_forward_request(self, address, port):
        listener = self.listeners.pop((address, port), None)
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def accept(self, listener, address, port):
        with contextlib.suppress(OSError):
            while True:
                visitor, who = listener.accept()
                threading.Thread(target=self.forward, args=(visitor, who, (address, port)), daemon=True).start()

    def forward(self, visitor, who, where):
        try:
            channel = self.transport.open_forwarded_tcpip_channel(who, where)
        except paramiko.SSHException:
            visitor.close()
            return
        join(channel, visitor)


def serve(connection, host_key, keys):
    transport = paramiko.Transport(connection)
    transport.add_server_key(host_key)
    server = Server(transport, keys)
    try:
        transport.start_server(server=server)
    except (paramiko.SSHException, EOFError) as e:
        print("no login: %s" % e, file=sys.stderr, flush=True)
        return
    print("remote version %s" % transport.remote_version, file=sys.stderr, flush=True)
    while transport.is_active():
        channel = transport.accept(1)
        target = server.targets.pop(channel.get_id(), None) if channel else None
        if target:
            threading.Thread(target=join, args=(channel, target), daemon=True).start()
    for address, port in list(server.listeners):
        server.cancel_port_forward_request(address, port)


def main():
    address, port, host_key_path, keys_path = sys.argv[1:5]
    host_key = paramiko.Ed25519Key.from_private_key_file(host_key_path)
    with open(keys_path, encoding="ascii") as f:
        keys = {" ".join(line.split()[:2]) for line in f}
    listener = socket.create_server((address, int(port)))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, host_key, keys), daemon=True).start()


main()
