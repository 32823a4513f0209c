# SPDX-License-Identifier: GPL-2.0
"""The HTTP servers of the members: those that Debian ships, as it ships them, and Python's http.server."""

import os
import select
import signal
import subprocess
import sys

from . import layout, netns, shell, wait

# What a kind needs besides Python; "mptcp" is Python with such listeners.
PROGRAMS = {"nginx": ("nginx",), "apache": ("apache2",), "lighttpd": ("lighttpd",), "haproxy": ("haproxy", "nginx"),
            "caddy": ("caddy",), "node": ("node",), "python": (), "mptcp": (), "none": ()}
KINDS = tuple(PROGRAMS)

# Any path answers the member's name; below /big/ a file of the test bed, once there is one.
# `return` and an unbuffered access_log: the line is in the file when the answer is on its way.
# No limit of the server's stands in the way of what is tried: long heads, large bodies, many connections.
_NGINX = """\
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_rlimit_nofile 33000;
events {{ worker_connections 16384; }}
http {{
  log_format homing '$remote_addr $remote_port "$request" $status';
  access_log {folder}/access.log homing;
  default_type text/plain;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 600;
  client_max_body_size 0;
  large_client_header_buffers 4 32k;
  server {{
{listens}
    location / {{ return 200 "{member}\\n"; }}
    location /big/ {{ root {files}; try_files $uri @member; }}
    location @member {{ return 200 "{member}\\n"; }}
  }}
}}
"""


_APACHE = """\
ServerRoot {folder}
ServerName {member}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
User www-data
Group www-data
Include {modules}
Listen {vip4}:80
Listen [{vip6}]:80
Listen {vip4}:8080
Listen [{vip6}]:8080
LogFormat "%a %{{remote}}p \\"%r\\" %>s" homing
CustomLog {folder}/access.log homing
KeepAliveTimeout 600
DocumentRoot {folder}/www
<Directory />
  Require all granted
</Directory>
Alias /big/ {files}/big/
RewriteEngine on
RewriteRule !^/big/ /member [L]
"""
_APACHE_MODULES = ("mpm_event", "authz_core", "alias", "rewrite")

_LIGHTTPD = """\
server.modules = ("mod_rewrite", "mod_alias", "mod_accesslog")
server.document-root = "{folder}/www"
server.errorlog = "{folder}/error.log"
server.pid-file = "{folder}/lighttpd.pid"
server.max-keep-alive-idle = 600
server.max-keep-alive-requests = 1000
server.bind = "{vip4}"
server.port = 80
$SERVER["socket"] == "{vip4}:8080" {{ }}
$SERVER["socket"] == "[{vip6}]:80" {{ }}
$SERVER["socket"] == "[{vip6}]:8080" {{ }}
alias.url = ("/big/" => "{files}/big/")
url.rewrite-once = ("^/(?!big/)" => "/member")
accesslog.filename = "{folder}/access.log"
accesslog.format = "%h %{{remote}}p \\"%r\\" %s"
"""

# In front of nginx, as people use it; the log is its standard output.
_HAPROXY = """\
global
  log stdout format raw local0
defaults
  mode http
  log global
  log-format '%ci %cp "%HM %HU %HV" %ST'
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
frontend clients
  bind {vip4}:80
  bind [{vip6}]:80
  bind {vip4}:8080
  bind [{vip6}]:8080
  default_backend application
backend application
  server nginx 127.0.0.1:8081
"""

_CADDY = """\
{{
  admin off
  auto_https off
}}
http://:80, http://:8080 {{
  bind {vip4} {vip6}
  log {{
    output file {folder}/access.log
    format json
  }}
  handle /big/* {{
    root * {files}
    file_server
  }}
  handle {{
    root * {folder}/www
    rewrite * /member
    file_server
  }}
}}
"""

_NODE = """\
const fs = require("fs"), http = require("http"), [folder, files, ...ends] = process.argv.slice(2);
const member = fs.readFileSync(folder + "/www/member");
function answer(request, response) {{
  const big = request.url.startsWith("/big/") ? files + request.url : null;
  const size = big ? fs.statSync(big).size : member.length, tag = '"' + size + '"';
  const same = request.headers["if-none-match"] === tag;
  request.resume().on("end", () => {{
    response.writeHead(same ? 304 : 200, same ? {{ ETag: tag }} : {{ ETag: tag, "Content-Length": size }});
    const from = request.socket, line = request.method + " " + request.url + " HTTP/" + request.httpVersion;
    fs.appendFileSync(folder + "/access.log",
      from.remoteAddress + " " + from.remotePort + ' "' + line + '" ' + response.statusCode + "\\n");
    if (same || request.method === "HEAD") response.end();
    else if (big) fs.createReadStream(big).pipe(response);
    else response.end(member);
  }});
}}
for (const end of ends)
  for (const port of [80, 8080]) {{
    const server = http.createServer(answer);
    server.keepAliveTimeout = 600000;
    server.listen(port, end);
  }}
"""


def default_kind():
    """nginx where it is installed, else Python."""
    return "nginx" if shell.have("nginx") else "python"


def _write(member, name, form, **more):
    """Writes a configuration file; returns its path."""
    folder = layout.folder(member)
    os.makedirs(f"{folder}/www", exist_ok=True)
    with open(f"{folder}/www/member", "w", encoding="ascii") as file:
        file.write(f"{member}\n")
    path = f"{folder}/{name}"
    with open(path, "w", encoding="ascii") as file:
        file.write(form.format(folder=folder, member=member, vip4=layout.VIP4, vip6=layout.VIP6,
                               files=f"{layout.RUN}/files", **more))
    return path


def _start_nginx(member, deadline, listens=("80", "[::]:80 ipv6only=on", "8080", "[::]:8080 ipv6only=on"), log="access.log"):
    # On every address, so that it can be asked past the service, too.
    path = _write(member, "nginx.conf", _NGINX.replace("access.log", log),
                  listens="\n".join(f"    listen {one};" for one in listens))
    # It puts itself into the background after its sockets listen.
    shell.run("nginx", "-c", path, "-e", f"{layout.folder(member)}/error.log", ns=member, timeout=deadline.left())


def _start_apache(member, deadline):
    modules = _write(member, "modules.conf", "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in _APACHE_MODULES))
    shell.run("apache2", "-f", _write(member, "apache.conf", _APACHE, modules=modules), "-k", "start", ns=member,
              timeout=deadline.left())


def _start_lighttpd(member, deadline):
    shell.run("lighttpd", "-f", _write(member, "lighttpd.conf", _LIGHTTPD), ns=member, timeout=deadline.left())


def _start_haproxy(member, deadline):
    _start_nginx(member, deadline, ("127.0.0.1:8081",), log="nginx.log")
    _background(member, deadline, "haproxy", "-db", "-f", _write(member, "haproxy.conf", _HAPROXY),
                output=layout.access_log(member))


def _start_caddy(member, deadline):
    # Go makes MPTCP listeners by itself where a program is built for Go 1.24 or later.
    _background(member, deadline, "caddy", "run", "--adapter", "caddyfile",
                "--config", _write(member, "caddy.conf", _CADDY),
                environment={"GODEBUG": "multipathtcp=2", "HOME": layout.folder(member)})


def _start_node(member, deadline):
    _background(member, deadline, "node", _write(member, "server.js", _NODE), layout.folder(member),
                f"{layout.RUN}/files", layout.VIP4, layout.VIP6)


def _background(member, deadline, *command, output=None, environment=None):
    """Starts a program that stays in the foreground; returns when it listens on every VIP and port."""
    folder = layout.folder(member)
    with netns.inside(member), open(f"{folder}/error.log", "ab") as log, open(output or log.name, "ab") as out:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True,
                                  env={**os.environ, **(environment or {})})
    wanted = {f"{end}:{port}" for end in (layout.VIP4, f"[{layout.VIP6}]") for port in (layout.PORT, layout.SECOND_PORT)}

    def listens():
        if server.poll() is not None:
            raise RuntimeError(f"{member}: {command[0]} ended with {server.returncode}, see {folder}/error.log")
        lines = shell.run("ss", "-Hltn", ns=member).stdout.splitlines()
        return wanted <= {line.split()[3] for line in lines} or wait.Explained(f"{lines}")
    wait.until(f"{command[0]} of {member} listens", listens, seconds=deadline.left(), pause=0.2)
    server.returncode = 0  # it outlives this program; `down` ends it by its namespace


def _start_python(member, deadline, mptcp):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "httpd.py")
    command = [sys.executable, script, member] + (["--mptcp"] if mptcp else [])
    with netns.inside(member), open(f"{layout.folder(member)}/error.log", "ab") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=log, start_new_session=True)
    if not select.select([server.stdout], [], [], deadline.left())[0]:
        raise wait.TimedOut(f"{member}: the Python server said nothing, see {log.name}")
    if server.stdout.readline() != b"ready\n":
        raise RuntimeError(f"{member}: the Python server did not start, see {log.name}")
    server.stdout.close()
    server.returncode = 0  # it outlives this program; `down` ends it by its namespace


def start(member, kind, deadline=None):
    """Starts the server of `member`; returns when its sockets listen."""
    deadline = deadline or wait.Deadline(120)
    os.makedirs(layout.folder(member), exist_ok=True)
    os.makedirs(layout.big_folder(), exist_ok=True)
    open(layout.access_log(member), "ab").close()
    if kind in ("python", "mptcp"):
        _start_python(member, deadline, kind == "mptcp")
    elif kind != "none":
        {"nginx": _start_nginx, "apache": _start_apache, "lighttpd": _start_lighttpd, "haproxy": _start_haproxy,
         "caddy": _start_caddy, "node": _start_node}[kind](member, deadline)


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
