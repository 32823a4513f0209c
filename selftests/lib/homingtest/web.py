# SPDX-License-Identifier: GPL-2.0
"""HTTP/1.1 clients that decide themselves what leaves in which segment: RFC 9112, cookies RFC 6265.

Sockets are opened in the namespace `client`; afterwards they work from anywhere.
"""

import selectors
import socket
import time

from . import layout, netns

COOKIE = "homing"
SECONDS = 20.0  # longer than a lost first packet and its first two retransmissions


class Response:
    """One answer: status, header list in order, body, and where it came in."""

    def __init__(self, status, reason, headers, body, raw_head):
        self.status, self.reason, self.headers, self.body, self.raw_head = status, reason, headers, body, raw_head

    def all(self, name):
        """Every value of header `name`."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def member(self):
        """The member whose application answered."""
        return self.body.decode("ascii", "replace").strip()

    def cookie(self, name=COOKIE):
        """The value that a Set-Cookie of this name gives, or None; fails on two of them."""
        values = [line.split(";")[0].split("=", 1)[1] for line in self.all("Set-Cookie")
                  if line.split("=", 1)[0].strip() == name]
        if len(values) > 1:
            raise ValueError(f"Set-Cookie {name} came {len(values)} times")
        return values[0] if values else None


def request(path="/", method="GET", cookies=None, headers=(), body=b"", host=layout.HOST, version="1.1"):
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/{version}", f"Host: {host}"]
    if cookies:
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class Connection:
    """One TCP connection from the client's host to the VIP; a context manager."""

    def __init__(self, port=layout.PORT, six=layout.SIX, seconds=SECONDS, source=None, nodelay=True, options=()):
        family = socket.AF_INET6 if six else socket.AF_INET
        with netns.inside("client"):
            self.socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self.socket.settimeout(seconds)
            if nodelay:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for level, name, value in options:
                self.socket.setsockopt(level, name, value)
            if source:
                self.socket.bind(source)
            self.socket.connect((layout.VIP6 if six else layout.VIP4, port))
        except BaseException:
            self.socket.close()
            raise
        self._rest = b""

    @property
    def port(self):
        """The client's port."""
        return self.socket.getsockname()[1]

    @property
    def ends(self):
        """Both ends, as `homing explain --flow` wants them."""
        near, far = (f"[{host}]:{port}" if self.socket.family == socket.AF_INET6 else f"{host}:{port}"
                     for host, port in (self.socket.getsockname()[:2], self.socket.getpeername()[:2]))
        return f"{near}-{far}"

    def send(self, data):
        """Sends bytes; with TCP_NODELAY each call is a segment of its own."""
        self.socket.sendall(data)

    def send_parts(self, parts, pause=0.0):
        """Sends each part as a segment, `pause` seconds apart."""
        for index, part in enumerate(parts):
            if index and pause:
                time.sleep(pause)
            self.socket.sendall(part)

    def _more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError(f"closed by the server after {len(self._rest)} bytes: {self._rest[:80]!r}")
        self._rest += data

    def head(self):
        """Reads a response head; returns a Response without its body."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        raw, self._rest = self._rest.split(b"\r\n\r\n", 1)
        lines = raw.decode("latin-1").split("\r\n")
        _, status, *reason = lines[0].split(" ", 2)
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return Response(int(status), " ".join(reason), headers, b"", raw)

    def receive(self, method="GET"):
        """Reads one whole response with a Content-Length, chunked, or without a body."""
        response = self.head()
        if method == "HEAD" or response.status in (204, 304):
            return response
        if response.all("Content-Length"):
            length = int(response.all("Content-Length")[0])
            response.body = self.take(length)
        elif "chunked" in "".join(response.all("Transfer-Encoding")).lower():
            response.body = self._chunks()
        else:
            raise ValueError(f"no framing: {response.raw_head!r}")
        return response

    def some(self, most):
        """What comes next, 1 to `most` bytes."""
        if not self._rest:
            self._more()
        part, self._rest = self._rest[:most], self._rest[most:]
        return part

    def pending(self):
        """Whether there is something that was read and not taken."""
        return bool(self._rest)

    def take(self, length):
        """Exactly `length` bytes."""
        parts, have = [self._rest], len(self._rest)
        while have < length:
            data = self.socket.recv(min(1 << 20, max(length - have, 1)))
            if not data:
                raise ConnectionError(f"closed by the server after {have} of {length} bytes")
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self._rest = whole[length:]
        return whole[:length]

    def _line(self):
        while b"\r\n" not in self._rest:
            self._more()
        line, self._rest = self._rest.split(b"\r\n", 1)
        return line

    def _chunks(self):
        body = b""
        while size := int(self._line().split(b";")[0], 16):
            body += self.take(size)
            self.take(2)
        while self._line():
            pass
        return body

    def exchange(self, path="/", method="GET", **rest):
        """One request and its response."""
        self.send(request(path, method, **rest))
        return self.receive(method)

    def close(self, reset=False):
        """Closes; with `reset` by RST instead of FIN."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def in_turn(wanted):
    """Reads `[(connection, bytes)]` all at once: yields (index, part) as they come, until each has as much as wanted."""
    every = [[index, connection, length] for index, (connection, length) in enumerate(wanted) if length]
    with selectors.DefaultSelector() as waiting:
        for entry in every:
            waiting.register(entry[1].socket, selectors.EVENT_READ, entry)
        # What came with a head is there already.
        ready = [entry for entry in every if entry[1].pending()]
        while waiting.get_map():
            ready = ready or [key.data for key, _ in waiting.select(SECONDS)]
            if not ready:
                raise TimeoutError(f"nothing came on {len(waiting.get_map())} connections for {SECONDS:g} s")
            for entry in ready:
                part = entry[1].some(entry[2])
                entry[2] -= len(part)
                if not entry[2]:
                    waiting.unregister(entry[1].socket)
                yield entry[0], part
            ready = []


class Client:
    """A browser's memory: its cookies. Each `get` opens a connection unless one is given."""

    def __init__(self, cookies=None):
        self.cookies = dict(cookies or {})

    @property
    def sid(self):
        """The session id it holds, or None."""
        return self.cookies.get(COOKIE)

    def absorb(self, response):
        """Takes over the Set-Cookie lines of a response."""
        for line in response.all("Set-Cookie"):
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name.strip()] = value.strip()
        return response

    def get(self, path="/", port=layout.PORT, connection=None, six=layout.SIX, seconds=SECONDS, **rest):
        """One request with its cookies; returns the Response and remembers what it sets."""
        if connection is not None:
            return self.absorb(connection.exchange(path, cookies=self.cookies, **rest))
        with Connection(port, six=six, seconds=seconds) as once:
            response = once.exchange(path, cookies=self.cookies, **rest)
            response.port = once.port
            return self.absorb(response)
