// SPDX-License-Identifier: GPL-2.0

//! Telling the other members: associations as soon as they exist, and control messages at large.

use kernel::sync::{
    atomic::Relaxed,
    rcu::Guard, //
};

use super::host::Host;
use crate::{
    decide::{batch, fabric, reason::Reason},
    kapi::lock::BhOff,
    table::{config::Config, member::Member},
    wire::{
        addr::Tuple,
        control::{self, Association, Header, Report},
        geneve,
    },
};

/// Sends one control message to a member. `emit` writes it with the given header.
pub(super) fn send(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    emit: impl FnOnce(&mut [u8], &Header) -> Option<usize>,
) -> bool {
    send_long::<MESSAGE>(host, guard, config, to, emit)
}

/// The same for a message of up to `N` bytes; not from the packet path, whose stack is small.
pub(super) fn send_long<const N: usize>(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    emit: impl FnOnce(&mut [u8], &Header) -> Option<usize>,
) -> bool {
    let nonce = to.live.nonce.load(Relaxed);
    let sent = try_send::<N>(host, guard, config, to, nonce, 0, emit).is_some();
    if !sent {
        host.net.count(Reason::SendFailed);
    }
    sent
}

/// Tries whether a packet as large as the route carries comes whole to a member. A message has been
/// sent to it before. That this one was not is no news: the next tells how large it could have been.
pub(super) fn probe(host: &Host, guard: &Guard, config: &Config, to: &Member) {
    let size = fabric::probe(to.live.route.mtu());
    let fill = usize::from(size).saturating_sub(geneve::outer_len(&to.settings.addr));
    let nonce = to.live.nonce.load(Relaxed);
    let emit = |buf: &mut [u8], header: &Header| control::emit_probe(buf, header, size);
    if try_send::<MESSAGE>(host, guard, config, to, nonce, fill, emit).is_some() {
        host.net.count(Reason::MtuProbeSent);
    }
}

fn try_send<const N: usize>(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    peer_nonce: u64,
    fill: usize,
    emit: impl FnOnce(&mut [u8], &Header) -> Option<usize>,
) -> Option<()> {
    let net = &host.net;
    let me = config.me()?;
    let key = net.keys.read(guard)?.send()?;
    let tunnel = host.tunnel(guard)?;
    // What the packet path of this processor sends meanwhile would overtake it by its number.
    let _quiet = BhOff::new();
    let header = Header {
        farm: config.farm.id,
        sender: me.id(),
        key: key.id,
        nonce: net.boot,
        peer_nonce,
        sequence: net.sequence.fetch_add(1, Relaxed).wrapping_add(1),
    };
    let mut buf = [0; N];
    let len = emit(&mut buf, &header)?;
    let (covered, mac) = buf
        .get_mut(..len)?
        .split_last_chunk_mut::<{ control::MAC_LEN }>()?;
    *mac = key.control_mac(covered);
    tunnel
        .send(
            &to.live.route,
            buf.get(..len)?,
            fill,
            &me.settings.addr,
            &to.settings.addr,
            config.farm.port,
        )
        .ok()
}

/// Longest message that is sent from the packet path: the stack is small there.
const MESSAGE: usize = 640;

/// Sends an association to every other member. Nothing waits for an answer: the sid names its
/// home, so a member that has not heard of it yet does the right thing too. `hand_off`: its home gets
/// it with a connection that is handed over at once; as a push it comes there with the next one, or
/// at the end of the interval.
pub(crate) fn association(
    host: &Host,
    guard: &Guard,
    config: &Config,
    a: &Association,
    hand_off: bool,
) {
    let net = &host.net;
    if !net.debug.push.load(Relaxed) {
        return;
    }
    // Kept before it is sent: a message that is lost is sent again from there.
    let number = net.ring.lock().push(a);
    for member in config.others() {
        let may_wait = hand_off && member.id() == a.home;
        let now = member.live.audience.lock().late.push(number, may_wait);
        match now {
            None => {}
            Some((_, 1)) => {
                let sent = send(host, guard, config, member, |buf, header| {
                    control::emit_associations(buf, header, number, &[*a])
                });
                if sent {
                    net.count(Reason::PushSent);
                }
            }
            Some(run) => late(host, guard, config, member, run),
        }
    }
}

/// Sends what has waited for a member: the first number, and how many.
#[inline(never)]
pub(super) fn late(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    (first, count): (u64, u64),
) {
    let sent = run::<{ batch::LATE_MAX as usize + 1 }>(host, guard, config, to, first, count);
    for _ in 0..sent.unwrap_or(0) {
        host.net.count(Reason::PushSent);
    }
}

/// Sends one message with up to `N` associations from the ring, which follow each other; how many have
/// been sent. `None`: they are not in the ring any more, which the member's next report shows.
pub(super) fn run<const N: usize>(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    first: u64,
    count: u64,
) -> Option<u64> {
    let mut records = [Association::default(); N];
    let records = records.get_mut(..usize::try_from(count).ok()?)?;
    {
        let ring = host.net.ring.lock();
        let mut n = first;
        for slot in records.iter_mut() {
            *slot = *ring.get(n)?;
            n = n.wrapping_add(1);
        }
    }
    let sent = send(host, guard, config, to, |buf, header| {
        control::emit_associations(buf, header, first, records)
    });
    Some(if sent { count } else { 0 })
}

/// Tells an entry member that its hand-off has arrived, and what the socket has.
#[allow(clippy::too_many_arguments)]
pub(super) fn hand_off_ack(
    host: &Host,
    guard: &Guard,
    config: &Config,
    entry: u16,
    tuple: &Tuple,
    client_isn: u32,
    report: Report,
) {
    if let Some(to) = config.member(entry) {
        send(host, guard, config, to, |buf, header| {
            control::emit_hand_off_ack(buf, header, tuple, client_isn, report)
        });
    }
}

/// Tells an entry member that a session is elsewhere.
pub(super) fn not_mine(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    tuple: &Tuple,
    client_isn: u32,
    association: &Association,
) {
    send(host, guard, config, to, |buf, header| {
        control::emit_not_mine(buf, header, tuple, client_isn, association)
    });
}

/// Tells an entry member that a connection is over.
pub(super) fn flow_gone(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    tuple: &Tuple,
    client_isn: u32,
) {
    send(host, guard, config, to, |buf, header| {
        control::emit_flow_gone(buf, header, tuple, client_isn)
    });
}

/// Tells a member our nonce: it used another. `nonce` and `about` are those of its message.
pub(super) fn challenge(
    host: &Host,
    guard: &Guard,
    config: &Config,
    to: &Member,
    nonce: u64,
    about: u64,
) {
    try_send::<MESSAGE>(host, guard, config, to, nonce, 0, |buf, header| {
        control::emit_challenge(buf, header, about)
    });
}
