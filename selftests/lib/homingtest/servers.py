# SPDX-License-Identifier: GPL-2.0
"""The HTTP servers of the members: nginx as Debian ships it, or Python's http.server."""

import os
import signal
import subprocess
import sys

from . import layout, netns, shell

KINDS = ("nginx", "python", "mptcp", "none")

# Any path answers the member's name; below /big/ a file of the test bed, once there is one.
# `return` and an unbuffered access_log: the line is in the file when the answer is on its way.
_NGINX = """\
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  log_format homing '$remote_addr $remote_port "$request" $status';
  access_log {folder}/access.log homing;
  default_type text/plain;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 600;
  server {{
    listen {vip4}:80;
    listen [{vip6}]:80 ipv6only=on;
    listen {vip4}:8080;
    listen [{vip6}]:8080 ipv6only=on;
    location / {{ return 200 "{member}\\n"; }}
    location /big/ {{ root {files}; try_files $uri @member; }}
    location @member {{ return 200 "{member}\\n"; }}
  }}
}}
"""


def default_kind():
    """nginx where it is installed, else Python."""
    return "nginx" if shell.have("nginx") else "python"


def _start_nginx(member):
    folder = layout.folder(member)
    with open(f"{folder}/nginx.conf", "w", encoding="ascii") as file:
        file.write(_NGINX.format(folder=folder, member=member, vip4=layout.VIP4, vip6=layout.VIP6,
                                 files=f"{layout.RUN}/files"))
    # It puts itself into the background after its sockets listen.
    shell.run("nginx", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log", ns=member)


def _start_python(member, mptcp):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "httpd.py")
    command = [sys.executable, script, member] + (["--mptcp"] if mptcp else [])
    with netns.inside(member), open(f"{layout.folder(member)}/error.log", "ab") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=log, start_new_session=True)
    if server.stdout.readline() != b"ready\n":
        raise RuntimeError(f"{member}: the Python server did not start, see {log.name}")
    server.stdout.close()
    server.returncode = 0  # it outlives this program; `down` ends it by its namespace


def start(member, kind):
    """Starts the server of `member`; returns when its sockets listen."""
    os.makedirs(layout.folder(member), exist_ok=True)
    os.makedirs(layout.big_folder(), exist_ok=True)
    open(layout.access_log(member), "ab").close()
    if kind == "nginx":
        _start_nginx(member)
    elif kind in ("python", "mptcp"):
        _start_python(member, kind == "mptcp")


def stop(member):
    """Ends every process of the member's namespace, as a shutdown would."""
    signal_all(member, signal.SIGKILL)
    netns.wait_gone(netns.processes(member))


def signal_all(namespace, number):
    """Sends signal `number` to every process in `namespace`; returns their ids."""
    pids = netns.processes(namespace)
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    return pids


def power_off(member):
    """Ends processes and sockets at once. Call it with the cables out: closing sends FIN and RST.

    A socket that still has something to send outlives its process and keeps the namespace alive
    for minutes. So the processes are stopped, their sockets destroyed under them, then killed.
    """
    signal_all(member, signal.SIGSTOP)
    shell.run("ss", "--kill", "--tcp", "state", "all", ns=member, check=False)
    left = netns.wait_gone(signal_all(member, signal.SIGKILL))
    if left:
        raise RuntimeError(f"{member}: processes {left} do not end")
