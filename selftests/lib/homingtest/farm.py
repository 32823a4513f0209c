# SPDX-License-Identifier: GPL-2.0
"""The verbs of the test farm: up, entry, kill, start, connect, down; `selftests/farm` is their command line.

Tests call them in their own process: a new Python per verb costs a second in an emulated guest.
"""

import contextlib
import shutil
import signal
import sys

from . import cli, config, layout, module, netns, servers, state, topology, wait


class Refused(Exception):
    """The command makes no sense now; the text says why."""


def need_farm():
    """The state of the farm that is up."""
    farm = state.load()
    if farm is None:
        raise Refused("no farm is up: start one with `selftests/farm up`")
    return farm


def need_member(farm, name):
    """The entry of member `name`."""
    if name not in farm["members"]:
        raise Refused(f"no member {name}; there are {' '.join(farm['members'])}")
    return farm["members"][name]


def apply_entry(farm):
    """Points the router where the farm's state says."""
    living = state.alive(farm)
    topology.route(living if farm["entry"] == "spread" else
                   [name for name in living if name == farm["entry"]])


def up(count=3, with_config=True, kind=None, seconds=240.0, **options):
    """Builds the farm within `seconds`; on failure says why, and leaves what there is for `down`.

    `options`: policy (one of the module's), push (bool), scale, nic_offload (on, off), weights ({"m1": 50}),
    farm_family (4, 6), insert (bool).
    """
    deadline = wait.Deadline(seconds)  # one for all, so that a farm that cannot come up says so in time
    options = {"policy": None, "push": True, "scale": None, "nic_offload": "on", "weights": {}, "farm_family": 4,
               "insert": True, **options}
    if not 1 <= count <= layout.MOST:
        raise Refused(f"a farm has 1 to {layout.MOST} members, not {count}")
    if state.load() is not None:
        raise Refused("a farm is up already (or half-built): `selftests/farm down` first")
    names = layout.members(count)
    taken = [name for name in (*topology.ALL, *names) if netns.exists(name)]
    if taken:
        raise Refused(f"namespaces with the farm's names exist and are not the farm's: {' '.join(taken)}")
    if with_config and cli.program() is None:
        raise Refused("the tool `homing` is not on the path; `--no-config` builds a farm without it")
    kind = kind or servers.default_kind()
    farm = {"members": {name: {"alive": True, "cut": False} for name in names}, "entry": "spread",
            "servers": kind, "config": with_config, "loaded": False, "options": options}
    state.save(farm)  # before the first step, so that `down` knows what there may be
    if with_config:
        farm["loaded"] = module.load()
        state.save(farm)
    topology.build(names)
    if options["nic_offload"] == "off":
        topology.offload(names, on=False)
    apply_entry(farm)
    netns.in_parallel([(None, lambda n=name: servers.start(n, kind, deadline)) for name in names])
    if with_config:
        config.make_key()
        config.configure_all(names, farm, deadline)
        config.wait_up(names, deadline.left())


def entry(target):
    """Points the router at member `target`, or with "spread" at all that live."""
    farm = need_farm()
    if target != "spread":
        need_member(farm, target)
    farm["entry"] = target
    apply_entry(farm)
    state.save(farm)


def kill(name):
    """Powers a member off."""
    farm = need_farm()
    member = need_member(farm, name)
    if not member["alive"]:
        return
    member["alive"] = False
    member["cut"] = False
    state.save(farm)
    topology.unplug(name)
    servers.power_off(name)
    topology.delete_namespaces([name])
    apply_entry(farm)


def start(name, with_config=True):
    """Powers a member on again, configured as before unless told otherwise; returns when all see each other up."""
    farm = need_farm()
    member = need_member(farm, name)
    if member["alive"]:
        return
    member["alive"] = True
    state.save(farm)
    topology.add_member(name)
    if farm["options"]["nic_offload"] == "off":
        topology.offload([name], on=False)
    servers.start(name, farm["servers"])
    with_config = with_config and farm["config"]
    if with_config:
        config.configure(name, farm)
    apply_entry(farm)
    if with_config and not any(other["cut"] for other in farm["members"].values()):
        config.wait_up(state.alive(farm))


def connect(name, joined):
    """Puts a member into the farm network, or takes it out."""
    farm = need_farm()
    member = need_member(farm, name)
    if not member["alive"]:
        raise Refused(f"{name} is powered off")
    member["cut"] = not joined
    topology.farm_port(name, forward=joined)
    state.save(farm)


def divide(*apart):
    """Divides the farm network: the members named on one side, those that are left on the other; named none, it is whole."""
    farm = need_farm()
    for name in apart:
        if not need_member(farm, name)["alive"]:
            raise Refused(f"{name} is powered off")
    living = state.alive(farm)
    for name in living:
        farm["members"][name]["cut"] = name in apart
    topology.farm_switches({name: int(name in apart) for name in living})
    state.save(farm)


def down():
    """Removes whatever there is of the farm; never fails, says on stderr what it could not do."""
    farm = state.load()
    if farm is None:
        return
    everything = [*topology.ALL, *farm["members"]]
    for name in farm["members"]:
        with contextlib.suppress(Exception):
            topology.unplug(name)
    for name in everything:
        with contextlib.suppress(Exception):
            if name in farm["members"]:
                servers.power_off(name)
            else:
                netns.wait_gone(servers.signal_all(name, signal.SIGKILL))
    with contextlib.suppress(Exception):
        topology.delete_namespaces(everything)
    if farm["loaded"]:
        try:
            reason = module.unload()
        except Exception as error:  # whatever it is, the rest of the farm still has to go
            reason = str(error)
        if reason:
            print(f"farm: the module stays loaded: {reason}", file=sys.stderr)
    shutil.rmtree(layout.RUN, ignore_errors=True)
