// SPDX-License-Identifier: GPL-2.0

//! One namespace at work: its state, its hooks, its tunnel, its timers. Process context.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu::{self, Guard},
        Arc,
        ArcBorrow,
        Mutex, //
    },
};

use super::{
    decap::Decap,
    devices::{Devices, DEVICES_MAX},
    directory::DirectoryJob,
    events::EventsJob,
    hold::HoldJob,
    leftover::LeftoverJob,
    lost::LostJob,
    state::StateJob,
    sweep::SweepJob,
    tell::{TellJob, Tellings}, //
};
use crate::{
    decide::limits::{LOST_FOR_MS, MEMBERS_MAX},
    kapi::{
        lock::BhLock,
        nf::{Glance, Glances},
        once,
        pernet::{NetNs, PerNet},
        rcu::RcuCell,
        tap::Tap,
        tcp::{self as stack, Listener, Socket},
        time,
        tunnel::Tunnel,
        work::Work,
    },
    table::{config::Config, directory::Strangers, net::Net},
    wire::addr::{Addr, Tuple},
};

/// What is registered with the kernel for one namespace. Every part holds the [`Host`]; they are
/// taken out in `pre_exit`, which ends the circle.
pub(crate) struct Parts {
    /// Hooks.
    pub(crate) devices: Devices,
    state: Option<Work<StateJob>>,
    sweep: Option<Work<SweepJob>>,
    /// The port that the tunnel is open on.
    port: Option<u16>,
    /// The namespace is going: nothing may be put in any more.
    dying: bool,
}

/// A namespace at work.
#[pin_data]
pub(crate) struct Host {
    /// What is known.
    pub(crate) net: Net,
    /// Farm traffic; there when this namespace is a member.
    pub(super) tunnel: RcuCell<Tunnel<Decap>>,
    /// The job that lists connections with their directory members; there from the first configuration
    /// on.
    directory: RcuCell<Work<DirectoryJob>>,
    /// The job that tells members what they lack.
    tell: RcuCell<Work<TellJob>>,
    /// What it is about; held by that job only, and when the namespace goes.
    #[pin]
    pub(super) tellings: Mutex<Tellings>,
    /// Id of the member whose order was told last.
    pub(super) last_order: Atomic<u32>,
    /// The attached devices, 0 behind the last. What comes through the tunnel is handed up at the
    /// first.
    devices: [Atomic<u32>; DEVICES_MAX],
    /// Sees to connections whose owner is gone; there from the first configuration on.
    lost: RcuCell<Work<LostJob>>,
    /// Until when it goes on looking, in ms since boot.
    pub(super) lost_until: Atomic<u64>,
    /// Closes sockets that are left, and tells of connections that have gone on elsewhere; there from
    /// the first configuration on.
    leftover: RcuCell<Work<LeftoverJob>>,
    /// Tells user space what has happened; there from the first configuration on.
    events: RcuCell<Work<EventsJob>>,
    /// Looks after held connections; there from the first configuration on.
    hold: RcuCell<Work<HoldJob>>,
    /// When it runs next, in ms since boot.
    hold_next: BhLock<u64>,
    /// Shows captures what the tunnel carries; there from when this namespace is a member. Its lock
    /// comes before the control lock: making a device takes RTNL, under which devices that go take
    /// the control lock.
    #[pin]
    tap: Mutex<Option<Tap>>,
    /// The control lock: covers configuration, keys, hooks and the tunnel.
    #[pin]
    pub(crate) control: Mutex<Parts>,
}

impl Parts {
    /// Whether the namespace is going.
    pub(super) fn dying(&self) -> bool {
        self.dying
    }
}

impl PerNet for Host {
    fn new(ns: NetNs) -> Result<Arc<Self>> {
        let host = Arc::pin_init(
            try_pin_init!(Self {
                net: Net::new(ns)?,
                tunnel: RcuCell::new()?,
                directory: RcuCell::new()?,
                tell: RcuCell::new()?,
                tellings <- new_mutex!([const { None }; MEMBERS_MAX]),
                last_order: Atomic::new(0),
                devices: [const { Atomic::new(0) }; DEVICES_MAX],
                lost: RcuCell::new()?,
                lost_until: Atomic::new(0),
                leftover: RcuCell::new()?,
                events: RcuCell::new()?,
                hold: RcuCell::new()?,
                hold_next: BhLock::new(u64::MAX, GFP_KERNEL)?,
                tap <- new_mutex!(None),
                control <- new_mutex!(Parts {
                    devices: Devices::new(),
                    state: None,
                    sweep: None,
                    port: None,
                    dying: false,
                }),
            }? Error),
            GFP_KERNEL,
        )?;
        Ok(host)
    }

    fn pre_exit(this: ArcBorrow<'_, Self>) {
        let mut parts = this.control.lock();
        parts.dying = true;
        parts.devices.clear();
        let works = (parts.state.take(), parts.sweep.take());
        drop(parts);
        // Waits for jobs that run; they may want the control lock.
        drop(works);
        this.directory.replace(None);
        this.tell.replace(None);
        // Walks hold the namespace.
        for telling in this.tellings.lock().iter_mut() {
            *telling = None;
        }
        this.leftover.replace(None);
        this.events.replace(None);
        this.hold.replace(None);
        this.lost.replace(None);
        this.tunnel.replace(None);
        *this.tap.lock() = None;
        this.net.pending.clear();
    }
}

impl Glances for Host {
    fn glance(&self) -> Option<Glance<'_>> {
        self.net.glance()
    }
}

impl Host {
    /// Starts the jobs, with the first configuration. Either all of them or none.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn start(this: ArcBorrow<'_, Self>, parts: &mut Parts) -> Result {
        if parts.state.is_some() {
            return Ok(());
        }
        let state = Work::new(this.into())?;
        let sweep = Work::new(this.into())?;
        let directory = KBox::new(Work::new(this.into())?, GFP_KERNEL)?;
        let tell = KBox::new(Work::new(this.into())?, GFP_KERNEL)?;
        let hold = KBox::new(Work::new(this.into())?, GFP_KERNEL)?;
        let leftover = KBox::new(Work::new(this.into())?, GFP_KERNEL)?;
        let events = KBox::new(Work::new(this.into())?, GFP_KERNEL)?;
        let lost = KBox::new(Work::new(this.into())?, GFP_KERNEL)?;
        this.net.untold.make_room()?;
        this.net.strangers.replace(Some(Strangers::new()?));
        directory.queue(0);
        this.directory.replace(Some(directory));
        this.tell.replace(Some(tell));
        this.hold.replace(Some(hold));
        this.leftover.replace(Some(leftover));
        this.events.replace(Some(events));
        this.lost.replace(Some(lost));
        state.queue(0);
        sweep.queue(0);
        parts.state = Some(state);
        parts.sweep = Some(sweep);
        Ok(())
    }

    /// Changes the configuration: `change` gets the next one, and what it refuses is not done. What
    /// it changes besides, it changes last: but for opening the tunnel nothing fails after it.
    ///
    /// # Errors
    ///
    /// Those of `change`; `ENOMEM`; `EADDRINUSE` when the farm's port is taken (the configuration
    /// is then unchanged).
    pub(crate) fn configure(
        this: ArcBorrow<'_, Self>,
        change: impl FnOnce(&mut Config, &Parts) -> Result,
    ) -> Result<u32> {
        let mut parts = this.control.lock();
        if parts.dying {
            return Err(ENODEV);
        }
        let mut next = this.net.next_config()?;
        Self::start(this, &mut parts)?;
        change(&mut next, &parts)?;
        next.finish();
        let port = (next.local != 0).then_some(next.farm.port);
        if port != parts.port {
            let tunnel = match port {
                Some(p) => Some(KBox::new(
                    Tunnel::open(this.net.ns, p, this.into())?,
                    GFP_KERNEL,
                )?),
                None => None,
            };
            this.tunnel.replace(tunnel);
            parts.port = port;
        }
        let generation = next.generation;
        this.net.publish(next);
        {
            // Ways that were looked up with the old addresses.
            let guard = rcu::read_lock();
            let members = this.net.config(&guard).map(|c| c.members.iter());
            members
                .into_iter()
                .flatten()
                .for_each(|m| m.live.route.reset());
        }
        if let Some(w) = &parts.state {
            w.queue(0);
        }
        // A member that was taken out of the configuration is nobody's owner any more.
        this.look_for_lost(&rcu::read_lock());
        drop(parts);
        if port.is_some() {
            this.show();
        }
        Ok(generation)
    }

    /// Makes the device that shows what the tunnel carries, if it is not there. The farm works
    /// without it.
    fn show(&self) {
        let mut tap = self.tap.lock();
        if tap.is_some() || self.control.lock().dying {
            return;
        }
        match Tap::new(self.net.ns) {
            Ok(new) => *tap = Some(new),
            Err(e) => pr_warn!("no device homing0 to capture on: error {}\n", e.to_errno()),
        }
    }

    /// Lets the job run that tells members what they lack. Any context.
    pub(super) fn tell(&self, guard: &Guard) {
        if let Some(job) = self.tell.read(guard) {
            job.queue(0);
        }
    }

    /// There is much to be listed: does not wait for the time when it is. Any context.
    pub(super) fn list(&self, guard: &Guard) {
        if let Some(job) = self.directory.read(guard) {
            job.queue(0);
        }
    }

    /// An owner may be gone: sees to its connections, at once and for some time. Any context.
    pub(super) fn look_for_lost(&self, guard: &Guard) {
        if let Some(job) = self.lost.read(guard) {
            let until = time::boot_ms().saturating_add(LOST_FOR_MS);
            self.lost_until.store(until, Relaxed);
            job.queue(0);
        }
    }

    /// There are sockets to be closed, or members to be told of connections that have gone on
    /// elsewhere. Any context.
    pub(super) fn clear_up(&self, guard: &Guard) {
        if let Some(job) = self.leftover.read(guard) {
            job.queue(0);
        }
    }

    /// There is something to tell user space, in `delay_ms` milliseconds. Any context.
    pub(super) fn tell_user(&self, guard: &Guard, delay_ms: u32) {
        if let Some(job) = self.events.read(guard) {
            job.queue(delay_ms);
        }
    }

    /// Sees to it that held connections are looked after at `due_ms` (ms since boot). Any context.
    pub(super) fn arm(&self, guard: &Guard, due_ms: u64) {
        let Some(work) = self.hold.read(guard) else {
            return;
        };
        let mut next = self.hold_next.lock();
        if due_ms < *next {
            *next = due_ms;
            // Under the lock, so that no later time takes the place of an earlier one.
            work.queue(due_ms.saturating_sub(time::boot_ms()).clamp(1, 60_000) as u32);
        }
    }

    /// The job that [`Host::arm`] queues is running.
    pub(super) fn disarm(&self) {
        *self.hold_next.lock() = u64::MAX;
    }

    /// The device for packets from the tunnel; 0 for none.
    pub(crate) fn device(&self) -> u32 {
        self.devices.first().map_or(0, once::read)
    }

    /// The devices by which a connection of this member may come: at least one number, which is 0
    /// when none is attached.
    fn ways(&self) -> impl Iterator<Item = u32> + use<'_> {
        let mut first = true;
        let numbers = self.devices.iter().map(once::read);
        numbers.take_while(move |i| core::mem::take(&mut first) || *i != 0)
    }

    /// The socket of a connection: it may be bound to the device it came by. Any context.
    pub(super) fn socket(&self, tuple: &Tuple) -> Socket {
        let find =
            |ns, device| Some(stack::lookup(ns, tuple, device)).filter(|s| *s != Socket::None);
        self.ask_socket(find).unwrap_or(Socket::None)
    }

    /// Asks the socket of a connection, whatever device it is bound to. Any context.
    pub(super) fn ask_socket<T>(&self, ask: impl Fn(NetNs, u32) -> Option<T>) -> Option<T> {
        self.ways().find_map(|device| ask(self.net.ns, device))
    }

    /// The listener of a service, whatever device it is bound to. Any context.
    pub(crate) fn listener(&self, vip: &Addr, port: u16) -> Listener {
        let find = |ns, device| Some(stack::listener(ns, vip, port, device)).filter(|l| l.present);
        self.ask_socket(find).unwrap_or_default()
    }

    pub(super) fn set_devices(&self, list: &[u32; DEVICES_MAX]) {
        for (slot, ifindex) in self.devices.iter().zip(list) {
            once::write(slot, *ifindex);
        }
    }

    /// The tunnel, when this namespace is a member.
    pub(super) fn tunnel<'g>(&'g self, guard: &'g Guard) -> Option<&'g Tunnel<Decap>> {
        self.tunnel.read(guard)
    }
}
