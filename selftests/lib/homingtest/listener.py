# SPDX-License-Identifier: GPL-2.0
"""Server applications of a test's own: a thread in a member's namespace, scripted by a function."""

import socket
import threading

from . import layout, netns

IPPROTO_MPTCP = 262  # linux/in.h


class Listener:
    """Listens on the VIP in namespace `member`; for each connection calls `serve(connection)` in a thread.

    `address` is where it is bound instead of the VIP; one with a colon in it makes a socket of IPv6,
    which takes IPv4 too where it can. `prepare(socket)` runs before bind. With `keep`,
    `received[(address, port)]` has the bytes that came in over each connection through `Talk.read`.
    """

    def __init__(self, member, port, serve, six=layout.SIX, backlog=128, options=(), protocol=0,
                 address=None, prepare=None, keep=True):
        self.member, self._serve, self.received, self.accepted, self.keep = member, serve, {}, 0, keep
        address = address or (layout.VIP6 if six else layout.VIP4)
        with netns.inside(member):
            self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for level, name, value in options:
            self.socket.setsockopt(level, name, value)
        if prepare:
            prepare(self.socket)
        self.socket.bind((address, port))
        self.socket.listen(backlog)
        # Not every kind of listener wakes up from accept() when it is shut down: it looks now and then.
        self.socket.settimeout(0.3)
        self._closed = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                connection, peer = self.socket.accept()
            except TimeoutError:
                if self._closed:
                    return
                continue
            except OSError:
                return
            self.accepted += 1
            talk = Talk(self, connection, peer[:2])
            threading.Thread(target=talk.run, args=(self._serve,), daemon=True).start()

    def close(self):
        """Stops listening; the socket is gone when this returns."""
        self._closed = True
        self._thread.join(5)
        self.socket.close()


class Talk:
    """The server's side of one connection."""

    def __init__(self, listener, connection, peer):
        self.listener, self.member, self.socket, self.peer = listener, listener.member, connection, peer
        self._rest = b""
        listener.received[peer] = b""

    def run(self, serve):
        """Serves, closes; a client that goes away ends it quietly."""
        with self.socket:
            try:
                self.socket.settimeout(60)
                serve(self)
            except OSError:
                pass

    def read(self, size=1 << 16):
        """What comes next; b"" at the end."""
        data = self.socket.recv(size)
        if self.listener.keep:
            self.listener.received[self.peer] += data
        return data

    def request(self):
        """The next request head with its terminating empty line, or b"" at the end."""
        while b"\r\n\r\n" not in self._rest:
            data = self.read()
            if not data:
                return b""
            self._rest += data
        head, self._rest = self._rest.split(b"\r\n\r\n", 1)
        return head + b"\r\n\r\n"

    def body(self, length):
        """The next `length` bytes after a head."""
        while len(self._rest) < length:
            data = self.read()
            if not data:
                break
            self._rest += data
        body, self._rest = self._rest[:length], self._rest[length:]
        return body

    def skip(self, length):
        """Takes the next `length` bytes without keeping any, `received` too; says how many came."""
        taken = min(length, len(self._rest))
        self._rest = self._rest[taken:]
        while taken < length:
            count = len(self.socket.recv(min(length - taken, 1 << 18)))
            if not count:
                break
            taken += count
        return taken

    def send(self, data):
        """Sends bytes as they are."""
        self.socket.sendall(data)

    def answer(self, body=None, headers=b"", status=b"200 OK"):
        """Sends one response; its body is the member's name unless given."""
        body = f"{self.member}\n".encode() if body is None else body
        self.send(b"HTTP/1.1 " + status + b"\r\n" + headers +
                  f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


def on_all(members, port, serve, **rest):
    """The same application on every member; a dict by member."""
    return {member: Listener(member, port, serve, **rest) for member in members}
