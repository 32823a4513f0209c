# SPDX-License-Identifier: GPL-2.0
"""Long transfers over bad networks: whether every byte arrives, and for how long nothing does."""

import contextlib
import hashlib
import socket
import time

from . import homes, listener, netem, netns, tap, web

PLAIN, PLAIN_PORT = "plain", 8110  # no service
_UNIT = bytes(range(251)) * 400  # a size that no power of two divides
_TCP_RTO_MAX_MS = 44


def _content(size):
    """The parts of a body of `size` bytes."""
    for at in range(0, size, len(_UNIT)):
        yield _UNIT[:size - at]


def _digest(parts):
    """Of a body's parts."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()


class Apps:
    """Two services with one home each, and an application of the entry member's that is behind none.

    `ports` has their ports by the home's name and by "plain".
    """

    def __init__(self, context):
        self._gap = 0.0  # the longest silence that the application saw in an upload
        # Nothing of a hundred megabytes is kept.
        self._homes = homes.Homes(context, self._serve, keep=False)
        self._plain = listener.Listener(homes.ENTRY, PLAIN_PORT, self._serve, keep=False)
        self.ports = {PLAIN: PLAIN_PORT, **self._homes.ports}
        self._members = context.members

    def _serve(self, talk):
        """GET /N answers N bytes; POST answers the digest of what came."""
        while head := talk.request():
            method, path = head.split(b" ")[:2]
            if method == b"GET":
                size = int(path[1:])
                talk.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
                for part in _content(size):
                    talk.send(part)
            else:
                left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                total, last, self._gap = hashlib.sha256(), time.monotonic(), 0.0
                while left:
                    part = talk.body(min(left, 1 << 16))
                    if not part:
                        return
                    now = time.monotonic()
                    self._gap, last = max(self._gap, now - last), now
                    total.update(part)
                    left -= len(part)
                talk.answer(total.hexdigest().encode())

    def down(self, name, size):
        """Downloads `size` bytes as the first response; returns the longest silence in seconds."""
        with web.Connection(self.ports[name], seconds=120) as connection:
            connection.send(web.request(f"/{size}"))
            response = connection.head()
            tap.equal(bool(response.cookie()), name != PLAIN, "Set-Cookie")
            total, left, gap, last = hashlib.sha256(), size, 0.0, time.monotonic()
            while left:
                part = connection.some(left)
                now = time.monotonic()
                gap, last = max(gap, now - last), now
                total.update(part)
                left -= len(part)
            tap.equal(total.hexdigest(), _digest(_content(size)), "digest of the download")
            return gap

    def up(self, name, size):
        """Uploads `size` bytes on a connection that is shifted; returns the longest silence in seconds."""
        with web.Connection(self.ports[name], seconds=120) as connection:
            tap.equal(bool(connection.exchange("/10").cookie()), name != PLAIN, "Set-Cookie")
            connection.send(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
            for part in _content(size):
                connection.send(part)
            tap.equal(connection.receive().body.decode(), _digest(_content(size)), "digest of the upload")
            return self._gap

    @contextlib.contextmanager
    def _short_timers(self):
        """No retransmission waits for more than a second: the client's, and those of sockets that come from the listeners.

        So a client tries to connect more often: of a thousand, one loses seven in a row, on the way there or back.
        """
        listeners = [app.socket for app in [*self._homes.apps, self._plain]]
        before = [each.getsockopt(socket.IPPROTO_TCP, _TCP_RTO_MAX_MS) for each in listeners]
        with netns.sysctl("ipv4.tcp_rto_max_ms", 1000, "client"), netns.sysctl("ipv4.tcp_syn_retries", 30, "client"):
            for each in listeners:
                each.setsockopt(socket.IPPROTO_TCP, _TCP_RTO_MAX_MS, 1000)
            try:
                yield
            finally:
                for each, old in zip(listeners, before):
                    each.setsockopt(socket.IPPROTO_TCP, _TCP_RTO_MAX_MS, old)

    @contextlib.contextmanager
    def lossy(self, percent, seed=1):
        """Both directions of the client's link lose packets, 5 ms away; the same ones for the same seed.

        Where a retransmission fails in more than every third case, timers that double each time, and measure round trips
        that were none, keep any TCP silent for minutes now and then. There they end at a second. What one transfer has
        found out about the network is not told to the next: each is for itself.
        """
        def words(number):
            return "delay 5ms" + (f" loss {percent}% seed {number}" if percent else "")
        with contextlib.ExitStack() as stack:
            stack.enter_context(netns.sysctl("ipv4.tcp_no_metrics_save", 1, "client", *self._members))
            if percent >= 20:
                stack.enter_context(self._short_timers())
            stack.enter_context(netem.on(("client", "eth0", words(seed)), ("router", "eth0", words(seed + 100))))
            yield
