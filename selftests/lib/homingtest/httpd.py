# SPDX-License-Identifier: GPL-2.0
"""A member's server on Python's unmodified http.server: answers any path with the member's name.

Run as a program: `httpd.py MEMBER [--mptcp] [--reuseport]`; prints `ready` when its sockets listen.
"""

import argparse
import http.server
import os
import shutil
import socket
import socketserver
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from homingtest import layout  # noqa: E402  (the path is set above)

IPPROTO_MPTCP = 262  # linux/in.h


class Handler(http.server.BaseHTTPRequestHandler):
    """Keep-alive, any method; one line per request in the format of the other servers."""

    protocol_version = "HTTP/1.1"
    member = ""
    log = None

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length:
            self.rfile.read(length)
        big = f"{layout.RUN}/files{self.path}" if self.path.startswith("/big/") else None
        if big and ".." not in big and os.path.isfile(big):
            self.send_response(200)
            self.send_header("Content-Length", str(os.path.getsize(big)))
            self.end_headers()
            with open(big, "rb") as file:
                shutil.copyfileobj(file, self.wfile, 1 << 16)
            return
        body = f"{self.member}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _answer

    def log_request(self, code="-", size="-"):
        status = int(code) if isinstance(code, int) else code.value
        line = f'{self.client_address[0]} {self.client_address[1]} "{self.requestline}" {status}\n'
        Handler.log.write(line)
        Handler.log.flush()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """One listening socket, a thread per connection."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, family, address, mptcp, reuseport):
        self.address_family = family
        super().__init__(address, Handler, bind_and_activate=False)
        if mptcp:
            self.socket.close()
            self.socket = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuseport:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.bind(address)
        self.server_name, self.server_port = address
        self.server_activate()


def main():
    """Opens the sockets of both families and both ports, says so, serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("member")
    parser.add_argument("--mptcp", action="store_true")
    parser.add_argument("--reuseport", action="store_true")
    options = parser.parse_args()
    Handler.member = options.member
    Handler.log = open(layout.access_log(options.member), "a", encoding="utf-8")
    servers = [Server(family, (host, port), options.mptcp, options.reuseport)
               for family, host in ((socket.AF_INET, layout.VIP4), (socket.AF_INET6, layout.VIP6))
               for port in (layout.PORT, layout.SECOND_PORT)]
    print("ready", flush=True)
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
