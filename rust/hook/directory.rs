// SPDX-License-Identifier: GPL-2.0

//! Packets of connections that nobody here knows: their directory members are asked whose they are.
//!
//! An owner lists its connections with two members each, soon after they begin and again from time
//! to time; so when a router begins to deliver a connection's packets elsewhere, its new entry
//! member finds the owner with one question.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu::{self, Guard},
        Arc,
        ArcBorrow, //
    },
};

use super::{
    answer,
    classify::Tcp,
    encap::{self, With},
    exchange,
    host::Host,
    lost,
    push, //
};
use crate::{
    decide::{
        directory::{self, Asked, Unknown, LIST_MS, PLACES},
        flow::{Flow as Status, State},
        limits::LISTED_S,
        reason::Reason,
    },
    kapi::{
        hash::Ref,
        nf::{HookPacket, Verdict},
        time,
        work::Job,
    },
    table::{
        config::Config,
        directory::{Batch, Entry, FRESH},
        flow::{Flow, Terms},
        member::{Member, State as MemberState},
    },
    wire::{
        addr::Tuple,
        control::{self, Answer, Listed, MAX_LISTED},
        tcp::flags,
    },
};

/// The farm's milliseconds, modulo 2^32: slower when the farm is scaled.
fn now_ms(config: &Config) -> u32 {
    let scale = u64::from(config.farm.scale).max(1);
    time::boot_ms().checked_div(scale).unwrap_or(0) as u32
}

/// The members that can be directory members: those that were not down at the last interval.
fn ids(config: &Config) -> impl Iterator<Item = u16> + use<'_> {
    let down = MemberState::Down as u32;
    let there = move |m: &&Arc<Member>| m.local || m.live.announced.load(Relaxed) != down;
    config.members.iter().filter(there).map(|m| m.id())
}

/// The directory members of a connection.
pub(super) fn places(config: &Config, tuple: &Tuple) -> [Option<u16>; PLACES] {
    directory::places(directory::digest(config.farm.id, tuple), ids(config))
}

/// A number for the present set of directory members; see [`directory::view`].
pub(super) fn view(config: &Config) -> u8 {
    directory::view(ids(config))
}

/// A packet in the middle of a connection that is not known here. Softirq.
pub(super) fn unknown(
    host: &Host,
    guard: &Guard,
    config: &Config,
    mut packet: HookPacket,
    tcp: &Tcp<'_>,
) -> Verdict {
    let net = &host.net;
    let now = now_ms(config);
    let Some(strangers) = net.strangers.read(guard) else {
        // There from the first configuration on.
        net.count(Reason::UnknownDropped);
        return packet.drop();
    };
    let seen = strangers.get(&tcp.tuple);
    let (what, next) = directory::unknown(seen, tcp.payload_len > 0, now);
    // The first RST is mostly somebody's who looks for open ports. A client that has given up a
    // connection sends one for each segment of its server.
    let rst = tcp.has(flags::RST);
    let ignored = rst && (seen.is_none() || what == Unknown::Reset);
    if what == Unknown::Ask && !ignored && !strangers.may_ask(&tcp.tuple, seen.is_some(), now) {
        if let Some(next) = directory::not_asked(seen, now) {
            strangers.put(&tcp.tuple, next);
        }
        net.count(Reason::AskLimited);
        net.count(Reason::UnknownDropped);
        return packet.drop();
    }
    strangers.put(&tcp.tuple, next);
    if tcp.has(flags::ACK) {
        strangers.note(&tcp.tuple, tcp.seg.ack);
    }
    match what {
        _ if ignored => net.count(Reason::RstBeforeData),
        Unknown::Reset => answer::reset(host, tcp, &packet, Reason::UnknownReset),
        Unknown::Wait => net.count(Reason::UnknownDropped),
        Unknown::Ask => {
            let known = ask(host, guard, config, &tcp.tuple, next, None);
            if matches!(known, Known::Gone) && !rst {
                answer::reset(host, tcp, &packet, Reason::UnknownReset);
                return packet.drop();
            }
            if let Known::Elsewhere(terms) = known {
                // This member was the one to ask.
                if packet.trim(tcp.total_len()).is_err() {
                    net.count(Reason::DropNoMemory);
                    return packet.drop();
                }
                let (packet, verdict) = packet.steal();
                let (tuple, l4) = (&tcp.tuple, tcp.l4());
                encap::relay(host, guard, config, packet, tuple, l4, &terms, With::Relay);
                return verdict;
            }
            net.count(Reason::UnknownDropped);
        }
    }
    packet.drop()
}

/// What this member can say at once about a connection that it does not know.
enum Known {
    /// Nothing: others were asked, or nobody is left to be asked.
    No,
    /// Its owner is another member; its packets are relayed from now on.
    Elsewhere(Terms),
    /// Its owner is gone, and the connection with it.
    Gone,
}

/// Asks a directory member of a connection, of which `so_far` is known and `no` has just said that
/// it does not know it. What this member knows itself is the answer at once.
fn ask(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tuple: &Tuple,
    so_far: Asked,
    no: Option<u16>,
) -> Known {
    let places = places(config, tuple);
    if places.contains(&Some(config.local)) {
        if let Some((owner, client_isn)) = known(host, guard, tuple) {
            match found(host, guard, config, tuple, owner, client_isn) {
                Known::No => {}
                known => return known,
            }
        }
    }
    let others = places
        .into_iter()
        .flatten()
        .filter(|id| *id != config.local);
    let next = match directory::next(others, so_far, no) {
        Some((id, next)) => {
            if let Some(to) = config.member(id) {
                push::send(host, guard, config, to, |buf, header| {
                    control::emit_ask(buf, header, tuple)
                });
                host.net.count(Reason::AskSent);
            }
            next
        }
        None => directory::nobody(so_far, now_ms(config)),
    };
    if let Some(strangers) = host.net.strangers.read(guard) {
        strangers.put(tuple, next);
    }
    Known::No
}

/// Whose a connection is, as far as this member knows: its owner and the client's ISN.
fn known(host: &Host, guard: &Guard, tuple: &Tuple) -> Option<(u16, u32)> {
    let net = &host.net;
    if let Some(flow) = net.flows.get(guard, tuple) {
        if flow.status().state != State::Closed {
            return Some((flow.owner(), flow.client_isn()));
        }
    }
    owner(host, guard, net.config(guard)?, tuple)
}

/// Who has listed a connection here: its owner and the client's ISN. Under RCU.
pub(super) fn owner(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tuple: &Tuple,
) -> Option<(u16, u32)> {
    let entry = host.net.directory.get(guard, tuple)?;
    is_current(config, &entry).then_some(entry.owner())
}

/// Whether what an owner listed is of its present start.
fn is_current(config: &Config, entry: &Entry) -> bool {
    let (owner, _) = entry.owner();
    config
        .member(owner)
        .is_some_and(|m| m.local || m.live.nonce.load(Relaxed) == entry.nonce())
}

/// An owner was found: from now on its packets are relayed. [`Known::No`] when that leads
/// nowhere.
fn found(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tuple: &Tuple,
    owner: u16,
    client_isn: u32,
) -> Known {
    let net = &host.net;
    let Some(member) = config.member(owner).filter(|m| !m.local) else {
        return Known::No;
    };
    if lost::is_gone(host, guard, config, member) {
        let nobody = Asked::Nobody { at: now_ms(config) };
        if let Some(strangers) = net.strangers.read(guard) {
            strangers.put(tuple, nobody);
        }
        return Known::Gone;
    }
    if member.state(guard, config, &net.clock(config)) == MemberState::Down {
        return Known::No;
    }
    let terms = Terms {
        client_isn,
        owner,
        entry: config.local,
        start: member.live.start(),
        ..Terms::NONE
    };
    let now = net.uptime();
    let stored = net
        .flows
        .store(guard, tuple, &terms, Status::found(), now, &net.edits);
    match stored {
        Ok(flow) => {
            net.count(Reason::OwnerFound);
            Known::Elsewhere(flow.terms())
        }
        Err(_) => {
            net.count(Reason::FlowFull);
            Known::No
        }
    }
}

/// Another member's connection whose first segment, which begins behind the client's number
/// `client_isn`, comes in here once more: its owner has listed it. From now on its packets are relayed.
pub(super) fn begun(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tuple: &Tuple,
    client_isn: u32,
) -> Option<Terms> {
    let (owner, isn) = owner(host, guard, config, tuple)?;
    if isn != client_isn {
        return None;
    }
    match found(host, guard, config, tuple, owner, isn) {
        Known::Elsewhere(terms) => Some(terms),
        Known::No | Known::Gone => None,
    }
}

/// Another member asks whose a connection is. Under RCU.
pub(super) fn asked(host: &Host, guard: &Guard, config: &Config, from: &Member, tuple: &Tuple) {
    host.net.count(Reason::Asked);
    // What the asker itself is said to own it has lost.
    let (owner, client_isn) = known(host, guard, tuple)
        .filter(|(owner, _)| *owner != from.id())
        .unwrap_or((0, 0));
    let answer = Answer {
        tuple: *tuple,
        client_isn,
        owner,
    };
    push::send(host, guard, config, from, |buf, header| {
        control::emit_answer(buf, header, &answer)
    });
}

/// A directory member has answered; or the owner that was chosen here says who has the connection.
/// Under RCU.
pub(super) fn answered(host: &Host, guard: &Guard, config: &Config, from: &Member, a: &Answer) {
    let net = &host.net;
    if let Some(flow) = net.flows.get(guard, &a.tuple) {
        let status = flow.status();
        let chosen = flow.owner() == from.id() && flow.client_isn() == a.client_isn;
        if chosen && status.state == State::Decided && !status.kept() && a.owner != from.id() {
            net.flows.remove(guard, flow, &net.edits);
            found(host, guard, config, &a.tuple, a.owner, a.client_isn);
        }
        return;
    }
    // Only to a question: the connection may be known by now, or begun anew.
    let Some(strangers) = net.strangers.read(guard) else {
        return;
    };
    let Some(waiting @ Asked::Waiting(_)) = strangers.get(&a.tuple) else {
        return;
    };
    let (tuple, isn) = (&a.tuple, a.client_isn);
    let ack = strangers.ack(tuple);
    let mut known = match a.owner {
        0 => Known::No,
        owner => found(host, guard, config, tuple, owner, isn),
    };
    if matches!(known, Known::No) {
        // Each costs as much as the first did. When it is too much, a later packet asks.
        if !strangers.may_ask(tuple, true, now_ms(config)) {
            return net.count(Reason::AskLimited);
        }
        known = ask(host, guard, config, tuple, waiting, Some(from.id()));
    }
    if let (Known::Gone, Some(ack)) = (known, ack) {
        // Nobody will send what the client waits for, and it need not say more to hear that.
        answer::end(host, tuple, ack, Reason::LostReset);
    }
}

/// An owner says that a connection is over. Under RCU.
pub(super) fn owner_gone(
    host: &Host,
    guard: &Guard,
    from: &Member,
    tuple: &Tuple,
    client_isn: u32,
) {
    let net = &host.net;
    let flow = net.flows.get(guard, tuple);
    if let Some(flow) = flow.filter(|f| f.owner() == from.id() && f.client_isn() == client_isn) {
        flow.on(net.uptime(), Status::on_owner_gone);
    }
}

/// An owner lists connections here. Under RCU.
pub(super) fn listed(host: &Host, guard: &Guard, from: &Member, listing: control::Listing<'_>) {
    let net = &host.net;
    let nonce = from.live.nonce.load(Relaxed);
    for said in listing {
        let noted = net
            .directory
            .note(guard, from.id(), nonce, &said, net.uptime());
        net.count(match noted {
            Ok(()) => Reason::Listed,
            Err(_) => Reason::DirectoryFull,
        });
    }
}

/// A packet was relayed to this member, of a connection that it does not have: the entry member is
/// told, and those who say that it is here. Under RCU.
pub(super) fn not_here(
    host: &Host,
    guard: &Guard,
    config: &Config,
    from: &Member,
    tuple: &Tuple,
    client_isn: u32,
) {
    tell(host, guard, config, tuple, client_isn);
    push::send(host, guard, config, from, |buf, header| {
        control::emit_unknown(buf, header, tuple)
    });
}

/// A member has chosen this one for a connection that came in here before, and that this one has given
/// to another: it is told to whom. Under RCU.
pub(super) fn not_ours(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    tuple: &Tuple,
    flow: &Flow,
) {
    let answer = Answer {
        tuple: *tuple,
        client_isn: flow.client_isn(),
        owner: flow.owner(),
    };
    push::send(host, guard, config, to, |buf, header| {
        control::emit_answer(buf, header, &answer)
    });
}

/// Tells the directory members of one connection that it is gone.
pub(super) fn tell(host: &Host, guard: &Guard, config: &Config, tuple: &Tuple, client_isn: u32) {
    let gone = Listed {
        tuple: *tuple,
        client_isn,
        gone: true,
    };
    let places = places(config, tuple);
    for to in places.iter().flatten().filter_map(|id| config.member(*id)) {
        if !to.local {
            push::send(host, guard, config, to, |buf, header| {
                control::emit_list(buf, header, &[gone])
            });
        }
    }
}

/// The owner of a connection says that it does not have it. Under RCU.
pub(super) fn disowned(host: &Host, guard: &Guard, from: &Member, tuple: &Tuple) {
    let net = &host.net;
    let Some(flow) = net.flows.get(guard, tuple) else {
        return;
    };
    if flow.owner() != from.id() {
        return;
    }
    let (status, terms) = (flow.status(), flow.terms());
    let keep = match status.state {
        State::Decided => true,
        // What can go on elsewhere is kept; of the rest others may know more.
        State::Live => lost::keep(host, guard, &flow),
        // A tombstone guards against late copies of the first segment, as long as its cookie is good.
        State::Closed => net.keys.read(guard).is_some_and(|keys| {
            keys.verify_cookie(tuple, terms.client_isn, terms.cookie, None, net.now_s())
                .is_some()
        }),
    };
    if !keep {
        net.flows.remove(guard, flow, &net.edits);
    }
}

/// Tells the entry member of a connection that it is over at this owner, if it cannot know. Under RCU.
fn tell_entry(host: &Host, guard: &Guard, config: &Config, flow: &Flow, tuple: &Tuple) {
    if flow.status().ends_unseen() {
        let entry = config.member(flow.entry()).filter(|m| !m.local);
        if let Some(entry) = entry {
            push::flow_gone(host, guard, config, entry, tuple, flow.client_isn());
        }
    }
}

/// Lists connections of this member with their directory members; those that are over as gone, or
/// not at all. Under RCU.
fn list(host: &Host, guard: &Guard, config: &Config, batch: &Batch, closed_too: bool) {
    let mut at = [[None; PLACES]; FRESH];
    for (places_of, tuple) in at.iter_mut().zip(batch.as_slice()) {
        *places_of = places(config, tuple);
    }
    for to in config.others() {
        let here = at.iter().map(|p| p.contains(&Some(to.id())));
        let tuples = batch.as_slice().iter().zip(here);
        let tuples = tuples.filter_map(|(t, h)| h.then_some(t));
        list_with(host, guard, config, to, closed_too, tuples);
    }
}

/// Lists connections with one member.
fn list_with<'a>(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    closed_too: bool,
    tuples: impl Iterator<Item = &'a Tuple>,
) {
    let net = &host.net;
    let mut out = [Listed::default(); MAX_LISTED];
    let mut n = 0usize;
    let send = |some: &[Listed]| {
        push::send(host, guard, config, to, |buf, header| {
            control::emit_list(buf, header, some)
        });
        net.count(Reason::ListSent);
    };
    for tuple in tuples {
        let Some(flow) = net.flows.get(guard, tuple) else {
            continue;
        };
        let gone = flow.status().state == State::Closed;
        if gone && !closed_too {
            continue;
        }
        if let Some(slot) = out.get_mut(n) {
            *slot = Listed {
                tuple: *tuple,
                client_isn: flow.client_isn(),
                gone,
            };
            n = n.saturating_add(1);
        }
        if n == MAX_LISTED {
            send(&out);
            n = 0;
        }
    }
    if n > 0 {
        send(out.get(..n).unwrap_or_default());
    }
}

/// Whether a connection of this member is to be listed now, after `last` (seconds since boot): it
/// never was, or with others, or long ago, or it is over. It counts as listed from then on.
fn due(flow: &Flow, tuple: &Tuple, view: u8, last: u32, now: u32) -> bool {
    let status = flow.status();
    let listed = match status.state {
        State::Closed if status.listed != 0 => 0,
        State::Live if status.listed != view => view,
        State::Live => return directory::again(tuple.client_port, last, now),
        State::Closed | State::Decided => return false,
    };
    flow.on(now, |f| f.listed = listed);
    true
}

/// Whether a connection of this member is over since the last look.
fn ended(flow: &Flow, now: u32) -> bool {
    let status = flow.status();
    let news = status.state == State::Closed && !status.told;
    if news {
        flow.on(now, |f| f.told = true);
    }
    news
}

/// Lists, in the course of a sweep, what is due.
pub(super) struct Lister {
    batch: KBox<Batch>,
    view: Option<u8>,
    /// When the sweep before was, in seconds since boot.
    last: u32,
}

impl Lister {
    /// Nothing yet; the sweep before was at `last`, in seconds since boot. Process context.
    pub(super) fn new(last: u32) -> Result<Self> {
        Ok(Self {
            batch: Batch::new()?,
            view: None,
            last,
        })
    }

    /// Looks at a connection of this member. Under RCU.
    pub(super) fn look(
        &mut self,
        host: &Host,
        guard: &Guard,
        config: &Config,
        flow: &Ref<'_, Tuple, Flow>,
        now: u32,
    ) {
        if flow.status().followed() && directory::again(flow.key().client_port, self.last, now) {
            exchange::again(host, guard, flow);
        }
        let view = *self.view.get_or_insert_with(|| view(config));
        if ended(flow, now) {
            tell_entry(host, guard, config, flow, flow.key());
        }
        if due(flow, flow.key(), view, self.last, now) && !self.batch.push(flow.key()) {
            self.send(host, guard, config);
            self.batch.push(flow.key());
        }
    }

    /// Sends what has come together. Under RCU.
    pub(super) fn send(&mut self, host: &Host, guard: &Guard, config: &Config) {
        list(host, guard, config, &self.batch, true);
        self.batch.clear();
    }
}

/// The job that lists what is new.
pub(super) struct DirectoryJob;

impl Job for DirectoryJob {
    type State = Host;

    fn run(host: ArcBorrow<'_, Host>) -> u32 {
        let host = &*host;
        if let Some(batch) = host.net.fresh.take() {
            let guard = rcu::read_lock();
            if let Some(config) = host.net.config(&guard) {
                let view = view(config);
                for tuple in batch.as_slice() {
                    let flow = host.net.flows.get(&guard, tuple);
                    if let Some(flow) = flow.filter(|f| f.status().state != State::Closed) {
                        flow.on(host.net.uptime(), |f| f.listed = view);
                    }
                }
                // What is over by now was never listed.
                list(host, &guard, config, &batch, false);
            }
        }
        if let Some(batch) = host.net.resting.take() {
            let guard = rcu::read_lock();
            if let Some(config) = host.net.config(&guard) {
                exchange::tell(host, &guard, config, &batch);
            }
        }
        LIST_MS
    }
}

/// Forgets what was not listed again. Process context.
pub(super) fn sweep(host: &Host) -> Result {
    let net = &host.net;
    let now = net.uptime();
    let mut walk = net.directory.walk()?;
    loop {
        let mut left = 256u32;
        let more = walk.next(|guard, entry| {
            let current = net.config(guard).is_some_and(|c| is_current(c, &entry));
            if !current || entry.age(now) > LISTED_S {
                net.directory.remove(guard, entry);
            }
            left = left.saturating_sub(1);
            left > 0
        });
        if !more {
            return Ok(());
        }
    }
}
