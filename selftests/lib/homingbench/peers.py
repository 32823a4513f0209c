# SPDX-License-Identifier: GPL-2.0
"""Other balancers on m4, each in front of the same server on m5."""

import contextlib
import os
import signal
import time

from homingtest import layout, netns, shell

from .stage import BACKEND, BALANCER

_SERVER = f"{layout.farm4(BACKEND)}:80"
_FOLDER = "/run/homing-bench"
_HAPROXY = f"""\
global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse safe
frontend f
  bind {layout.VIP4}:80
  default_backend b
backend b
  cookie SRV insert indirect nocache
  server m5 {_SERVER} cookie m5
"""
_NGINX = f"""\
user root;
worker_processes 1;
pid {_FOLDER}/nginx.pid;
error_log {_FOLDER}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_timeout 600;
  keepalive_requests 1000000;
  proxy_buffering on;
  client_max_body_size 8m;
  upstream u {{ ip_hash; server {_SERVER}; keepalive 16; keepalive_requests 1000000; }}
  server {{
    listen {layout.VIP4}:80;
    location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


@contextlib.contextmanager
def hop():
    """No balancer: m4 is one more router on the way, as it is one for each packet that IPVS sends on."""
    vip = f"{layout.VIP4}/32"
    with netns.inside(BALANCER):
        netns.write_sysctl({"ipv4.ip_forward": 1, "ipv4.conf.all.send_redirects": 0})
    shell.ip_batch([f"addr del {vip} dev lo", f"route add {vip} via {layout.farm4(BACKEND)}"], ns=BALANCER)
    try:
        yield
    finally:
        shell.ip_batch([f"route del {vip}", f"addr add {vip} dev lo"], ns=BALANCER)
        with netns.inside(BALANCER):
            netns.write_sysctl({"ipv4.ip_forward": 0})


@contextlib.contextmanager
def ipvs(how):
    """IPVS with direct routing ("dr") or through IPIP tunnels ("tun")."""
    shell.run("modprobe", "-a", "ip_vs", "ip_vs_rr", "ipip")
    if how == "tun":
        shell.ip_batch(["link set tunl0 up"], ns=BACKEND)
        with netns.inside(BACKEND):
            netns.write_sysctl({"ipv4.conf.tunl0.rp_filter": 0})
    shell.run("ipvsadm", "-A", "-t", f"{layout.VIP4}:80", "-s", "rr", ns=BALANCER)
    shell.run("ipvsadm", "-a", "-t", f"{layout.VIP4}:80", "-r", _SERVER, "-g" if how == "dr" else "-i", ns=BALANCER)
    try:
        yield
    finally:
        # -C leaves the entries of connections: they go once their time has run out.
        shell.run("ipvsadm", "-C", ns=BALANCER)
        time.sleep(130)
        with netns.inside(BALANCER), open("/proc/net/ip_vs_conn", encoding="ascii") as file:
            left = len(file.read().splitlines()) - 1
        # Entries of connections that were left open live longer, and lead nowhere without a service.
        if left > 4:
            raise RuntimeError(f"{left} entries of IPVS are left")


def _proxy(name, text, command):
    os.makedirs(_FOLDER, exist_ok=True)
    with open(f"{_FOLDER}/{name}.conf", "w", encoding="ascii") as file:
        file.write(text)
    shell.run(*command, f"{_FOLDER}/{name}.conf", ns=BALANCER)


@contextlib.contextmanager
def proxy(name):
    """HAProxy ("haproxy") or nginx ("nginx") as a proxy."""
    if name == "haproxy":
        _proxy(name, _HAPROXY, ["haproxy", "-D", "-f"])
    else:
        _proxy(name, _NGINX, ["nginx", "-e", f"{_FOLDER}/error.log", "-c"])
    try:
        yield
    finally:
        for pid in netns.processes(BALANCER):
            os.kill(pid, signal.SIGKILL)
        time.sleep(5)
