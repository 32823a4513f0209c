# SPDX-License-Identifier: GPL-2.0
"""Namespaces, links, addresses and routes of the farm: iproute2 in batches, netlink underneath."""

import contextlib

from . import layout, netns, shell

ALL = ("client", "router", "fabric")  # and one per member
SWITCHES = ("farmbr", "farmbr2")  # of the farm network; nobody is in the second until the farm is divided

# Values a namespace may have inherited from its host are set, not assumed: a host's rp_filter or
# IPv6 switch must not decide a test. No duplicate address detection: an address is usable at once.
_COMMON = {"ipv4.conf.all.rp_filter": 0, "ipv4.conf.default.rp_filter": 0,
           "ipv6.conf.all.disable_ipv6": 0, "ipv6.conf.default.disable_ipv6": 0,
           "ipv6.conf.default.accept_dad": 0, "ipv6.conf.default.dad_transmits": 0,
           "ipv6.conf.default.accept_ra": 0, "ipv6.conf.default.router_solicitations": 0}
_ROUTER = {"ipv4.ip_forward": 1, "ipv6.conf.all.forwarding": 1,
           "ipv4.fib_multipath_hash_policy": 1, "ipv6.fib_multipath_hash_policy": 1,
           "ipv4.conf.all.send_redirects": 0, "ipv4.conf.default.send_redirects": 0}


def mac(network, host):
    """The fixed hardware address of an end of a link: network 0 is the client, K member K, 100+K the farm."""
    return f"02:10:00:00:{network:02x}:{host:02x}"


def _veth(ns_a, name_a, mac_a, ns_b, name_b, mac_b):
    return (f"link add name {name_a} address {mac_a} netns {ns_a} type veth "
            f"peer name {name_b} address {mac_b} netns {ns_b}")


def _links(member):
    k = layout.number(member)
    return [_veth("router", member, mac(k, 1), member, "eth0", mac(k, 2)),
            _veth("fabric", member, mac(100 + k, 1), member, "farm0", mac(100 + k, 2))]


def _router_side(member):
    k = layout.number(member)
    return [f"addr add 10.1.{k}.1/24 dev {member}", f"addr add fd01:{k}::1/64 dev {member} nodad",
            f"link set {member} up"]


def _fabric_side(member):
    return [f"link set {member} master farmbr", f"link set {member} up"]


def _member_side(member):
    k = layout.number(member)
    return ["link set lo up", f"addr add {layout.VIP4}/32 dev lo",
            f"addr add {layout.VIP6}/128 dev lo nodad",
            f"addr add 10.1.{k}.2/24 dev eth0", f"addr add fd01:{k}::2/64 dev eth0 nodad",
            f"addr add {layout.farm4(member)}/24 dev farm0",
            f"addr add {layout.farm6(member)}/64 dev farm0 nodad",
            "link set eth0 up", "link set farm0 up",
            f"route add default via 10.1.{k}.1", f"route add ::/0 via fd01:{k}::1"]


def _prepare(name):
    with netns.inside(name):
        netns.write_sysctl(_COMMON)
        if name == "router":
            netns.write_sysctl(_ROUTER)


def build(names):
    """Makes the whole network for the members `names`; nothing of it may exist yet."""
    everything = [*ALL, *names]
    shell.ip_batch([f"netns add {name}" for name in everything])
    for name in everything:
        _prepare(name)
    links = [_veth("client", "eth0", mac(0, 2), "router", "eth0", mac(0, 1))]
    for name in names:
        links += _links(name)
    shell.ip_batch(links)
    jobs = {
        "client": ["link set lo up", f"addr add {layout.CLIENT4}/24 dev eth0",
                   f"addr add {layout.CLIENT6}/64 dev eth0 nodad", "link set eth0 up",
                   f"route add default via {layout.ROUTER4}",
                   f"route add ::/0 via {layout.ROUTER6}"],
        # The last resort keeps a dead member silent: no route at all would be an ICMP error.
        "router": ["link set lo up", f"addr add {layout.ROUTER4}/24 dev eth0",
                   f"addr add {layout.ROUTER6}/64 dev eth0 nodad", "link set eth0 up",
                   f"route add blackhole {layout.VIP4}/32 metric 4096",
                   f"route add blackhole {layout.VIP6}/128 metric 4096",
                   *[line for name in names for line in _router_side(name)]],
        "fabric": ["link set lo up",
                   *[line for switch in SWITCHES for line in (
                       f"link add {switch} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                       f"link set {switch} up")],
                   *[line for name in names for line in _fabric_side(name)]],
        **{name: _member_side(name) for name in names}}
    # The far ends need the near ends up for IPv6 routes, so members and client come last.
    for name in ("router", "fabric"):
        shell.ip_batch(jobs.pop(name), ns=name)
    netns.in_parallel([(None, lambda n=name, lines=lines: shell.ip_batch(lines, ns=n))
                       for name, lines in jobs.items()])


def add_member(name):
    """Builds one member's namespace and links again, as after a power cycle."""
    shell.ip_batch([f"netns add {name}"])
    _prepare(name)
    shell.ip_batch(_links(name))
    shell.ip_batch(_router_side(name), ns="router")
    shell.ip_batch(_fabric_side(name), ns="fabric")
    shell.ip_batch(_member_side(name), ns=name)


def unplug(name):
    """Cuts both cables of a member; from here on nothing it sends is seen by anybody."""
    shell.ip_batch([f"link del {name}"], ns="router", force=True)
    shell.ip_batch([f"link del {name}"], ns="fabric", force=True)


def route(names):
    """Sends all packets to the VIPs to the members `names`: one of them, or hashed over several."""
    four, six = [], []
    for name in names:
        k = layout.number(name)
        four.append(f"via 10.1.{k}.2 dev {name}")
        six.append(f"via fd01:{k}::2 dev {name}")
    if not names:
        # Nobody left: the standing blackhole route answers.
        shell.ip_batch([f"route del {layout.VIP4}/32 metric 1024", f"route del {layout.VIP6}/128 metric 1024"],
                       ns="router", force=True)
        return
    if len(names) > 1:
        four = [f"nexthop {hop}" for hop in four]
        six = [f"nexthop {hop}" for hop in six]
    shell.ip_batch([f"route replace {layout.VIP4}/32 metric 1024 {' '.join(four)}",
                    f"route replace {layout.VIP6}/128 metric 1024 {' '.join(six)}"], ns="router")


def farm_port(name, forward):
    """Puts a member's cable into the farm's switch or pulls it; pulled, the carrier stays, frames vanish."""
    # A port state would be undone by the bridge itself: without STP every port forwards.
    shell.ip_batch([f"link set {name} master farmbr" if forward else f"link set {name} nomaster"], ns="fabric")


def farm_switches(parts):
    """Puts the members' cables into the farm's switches, `{member: 0 or 1}`: which of the two, all at once."""
    shell.ip_batch([f"link set {name} master {SWITCHES[part]}" for name, part in parts.items()], ns="fabric")


def offload(names, on):
    """Switches segmentation, receive merging and checksum offload of every link on or off."""
    value = "on" if on else "off"
    ends = [("client", ["eth0"]), ("router", ["eth0", *names]), ("fabric", list(names)),
            *[(name, ["eth0", "farm0"]) for name in names]]

    def switch(ns, devices):
        for device in devices:
            shell.run("ethtool", "-K", device, "gso", value, "tso", value, "gro", value, "tx", value, ns=ns)

    netns.in_parallel([(None, lambda ns=ns, devices=devices: switch(ns, devices)) for ns, devices in ends])


def delete_namespaces(names):
    """Removes the named namespaces where they exist."""
    present = [name for name in names if netns.exists(name)]
    if present:
        with contextlib.suppress(shell.Failed):
            shell.ip_batch([f"netns del {name}" for name in present], force=True)
