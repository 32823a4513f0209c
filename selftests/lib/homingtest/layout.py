# SPDX-License-Identifier: GPL-2.0
"""Names and addresses of the test farm, in one place.

                       client  10.70.0.2  fd70::2
                          | eth0
                     eth0 | 10.70.0.1  fd70::1
                       router  (one route per VIP: to one member, or ECMP over those alive)
               m1 /       | m2      \\ mN        10.1.K.1   fd01:K::1
            eth0 /        | eth0     \\ eth0     10.1.K.2   fd01:K::2
               m1         m2         mN         VIPs 10.80.0.1 and fd80::1 on lo of each
          farm0 \\        | farm0    / farm0    10.9.0.(10+K)   fd09::(10+K), K in decimal
                 \\- bridge farmbr -/            in the namespace `fabric`
"""

import os

# A run has a family for the service and one for the farm's own traffic: "4", "6", or both digits.
VARIANT = os.environ.get("HOMING_FAMILY") or "4"
SIX, FARM_SIX = VARIANT[0] == "6", VARIANT[-1] == "6"
# What takes many times as long under sanitizers is done in full without them alone.
ALL = bool(os.environ.get("HOMING_FULL"))
FULL = ALL and "debug" not in os.uname().release
BRIEF = VARIANT != "4" and not FULL  # what costs minutes is done in full in one family only

VIP4 = "10.80.0.1"
VIP6 = "fd80::1"
CLIENT4, CLIENT6 = "10.70.0.2", "fd70::2"
VIP, CLIENT = (VIP6, CLIENT6) if SIX else (VIP4, CLIENT4)
HOST = f"[{VIP6}]" if SIX else VIP4  # as a URL and a Host line have it
PREFIX = 128 if SIX else 32  # of one address
ROUTER4, ROUTER6 = "10.70.0.1", "fd70::1"
PORT = 80
SECOND_PORT = 8080  # a second service of the same group
FARM_PORT = 6470
MOST = 8  # members at most: one namespace each, and a guest of 1 GiB

RUN = "/run/homing-farm"
ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))


def members(count):
    """["m1", ..., "mN"]."""
    return [f"m{k}" for k in range(1, count + 1)]


def number(member):
    """The K of "mK"."""
    return int(member[1:])


def farm4(member):
    """The address of a member in the farm network, IPv4."""
    return f"10.9.0.{10 + number(member)}"


def farm6(member):
    """The address of a member in the farm network, IPv6."""
    return f"fd09::{10 + number(member)}"


def farm_address(member, six=FARM_SIX):
    """The address of a member in the farm network that the farm's own traffic uses."""
    return farm6(member) if six else farm4(member)


def folder(member):
    """Where a member's server keeps its files; `access.log` is there."""
    return f"{RUN}/{member}"


def access_log(member):
    """The access log of a member's server."""
    return f"{folder(member)}/access.log"


def big_folder():
    """Files below are served by every member as /big/NAME."""
    return f"{RUN}/files/big"


def url(path="/", port=PORT, six=SIX):
    """The URL of `path` at the virtual address."""
    host = f"[{VIP6}]" if six else VIP4
    return f"http://{host}{path}" if port == 80 else f"http://{host}:{port}{path}"
