// SPDX-License-Identifier: GPL-2.0

//! Generic netlink: requests that are read, replies, dumps and notifications that are written.
//!
//! The family with its policies is generated C (`homing_nl_family`); the kernel has checked every
//! request against them before a function here sees it. Requests are read from the message itself,
//! never through the array that the kernel parsed them into, whose length depends on the operation.
//!
//! C headers: `include/net/genetlink.h`, `include/net/netlink.h`.

use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull,
    slice, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    str::CStr, //
};

use super::{
    errno::enobufs,
    ffi,
    pernet::NetNs, //
};

mod attr;
mod listing;

use attr::find;
pub(crate) use attr::Attr;
pub(crate) use listing::Listing;

/// struct nlmsghdr and struct genlmsghdr.
const HEADERS: usize = 20;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;
/// `NLM_F_MULTI`.
const MULTI: c_int = 2;
/// `NLM_F_DUMP_INTR`.
const DUMP_INTR: u16 = 0x10;
/// `MSG_DONTWAIT`.
const DONTWAIT: c_int = 0x40;
/// `NETLINK_MAX_FMTMSG_LEN`, less the terminating NUL.
const MAX_TEXT: usize = 79;

// Some members of kernel structures are empty in some configurations.
#[allow(improper_ctypes)]
extern "C" {
    /// Made by the YNL generator from `uapi/homing.yaml`.
    static mut homing_nl_family: ffi::genl_family;
}

fn family() -> *mut ffi::genl_family {
    &raw mut homing_nl_family
}

/// The family, known to user space until dropped; dropping waits for running requests.
pub(crate) struct Registration(());

impl Registration {
    /// Makes the family known. Process context; last of all that a module sets up.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: A static of this module, registered once: the module has one of these.
        to_result(unsafe { ffi::genl_register_family(family()) })?;
        Ok(Self(()))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: Registered by `new`.
        unsafe { ffi::genl_unregister_family(family()) };
    }
}

/// What the kernel hands to an operation.
pub(crate) type RawRequest = ffi::genl_info;

/// A request that has passed the policies.
///
/// # Invariants
///
/// `raw` is valid for `'a`, as is its message; its namespace is alive.
pub(crate) struct Request<'a> {
    raw: NonNull<RawRequest>,
    attributes: &'a [u8],
}

impl<'a> Request<'a> {
    /// # Safety
    ///
    /// `raw` is what the kernel gave to an operation that is running, and `'a` ends with it.
    unsafe fn new(raw: *const RawRequest) -> Result<Self> {
        let raw = NonNull::new(raw.cast_mut()).ok_or(EINVAL)?;
        // SAFETY: By the caller's promise.
        let header = unsafe { (*raw.as_ptr()).nlhdr };
        // SAFETY: As above; the header belongs to the message of the request.
        let len = usize::try_from(unsafe { (*header).nlmsg_len }).map_err(|_| EINVAL)?;
        let len = len.saturating_sub(HEADERS);
        // SAFETY: The kernel has checked that the message is as long as it says and holds both
        // headers; with less behind them the slice is empty.
        let attributes = unsafe { slice::from_raw_parts(header.cast::<u8>().add(HEADERS), len) };
        // INVARIANT: By the caller's promise; a socket keeps its namespace alive.
        Ok(Self { raw, attributes })
    }

    /// The namespace of the socket that asked.
    pub(crate) fn ns(&self) -> Result<NetNs> {
        // SAFETY: By the invariant.
        unsafe { NetNs::from_ptr((*self.raw.as_ptr())._net.net) }.ok_or(EINVAL)
    }

    /// An attribute.
    pub(crate) fn attr(&self, kind: u16) -> Option<Attr<'a>> {
        find(self.attributes, kind)
    }

    /// An attribute that has to be there; `why` says so to user space.
    pub(crate) fn need(&self, kind: u16, why: &'static CStr) -> Result<Attr<'a>> {
        let Some(attr) = self.attr(kind) else {
            self.explain(|ack| {
                ack._msg = why.as_char_ptr();
                ack.miss_type = kind;
            });
            return Err(EINVAL);
        };
        Ok(attr)
    }

    /// Refuses because of an attribute: `why` begins with its name. Returns the error to answer.
    pub(crate) fn refuse(&self, attr: &Attr<'_>, why: &'static CStr) -> Error {
        self.refuse_as(EINVAL, Some(attr), why)
    }

    /// Refuses with an error of its own, and perhaps because of an attribute.
    pub(crate) fn refuse_as(
        &self,
        error: Error,
        attr: Option<&Attr<'_>>,
        why: &'static CStr,
    ) -> Error {
        self.explain(|ack| {
            ack._msg = why.as_char_ptr();
            if let Some(attr) = attr {
                ack.bad_attr = attr.whole.as_ptr().cast();
            }
        });
        error
    }

    /// As [`Request::refuse`], with a text put together from parts; cut off after 79 bytes.
    pub(crate) fn refuse_with(&self, attr: &Attr<'_>, why: &[&[u8]]) -> Error {
        self.explain(|ack| {
            let text = why.iter().copied().flatten();
            let mut room = ack._msg_buf.iter_mut();
            for (to, from) in room.by_ref().take(MAX_TEXT).zip(text) {
                *to = *from;
            }
            for to in room {
                *to = 0;
            }
            if let Some(last) = ack._msg_buf.last_mut() {
                *last = 0;
            }
            ack._msg = ack._msg_buf.as_ptr();
            ack.bad_attr = attr.whole.as_ptr().cast();
        });
        EINVAL
    }

    fn explain(&self, fill: impl FnOnce(&mut bindings::netlink_ext_ack)) {
        // SAFETY: By the invariant; the kernel gives null or its own structure, which nobody else
        // uses while the operation runs.
        if let Some(ack) = unsafe { (*self.raw.as_ptr()).extack.as_mut() } {
            fill(ack);
        }
    }
}

/// Runs the handler of an operation on one thing.
///
/// # Safety
///
/// `info` is what the kernel gave to the operation.
pub(crate) unsafe fn run(
    info: *mut RawRequest,
    handler: impl FnOnce(&Request<'_>) -> Result,
) -> c_int {
    // SAFETY: By the caller's promise.
    match unsafe { Request::new(info) }.and_then(|request| handler(&request)) {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}

/// Writes attributes to the end of a message.
///
/// # Invariants
///
/// `skb` is a linear buffer that nobody else writes to while this value exists.
pub(crate) struct Writer<'a> {
    skb: NonNull<bindings::sk_buff>,
    _skb: PhantomData<&'a mut bindings::sk_buff>,
}

impl Writer<'_> {
    fn put(&mut self, kind: u16, bytes: &[u8]) -> Result {
        let len = c_int::try_from(bytes.len()).map_err(|_| EMSGSIZE)?;
        // SAFETY: By the invariant; the bytes are as many as said.
        to_result(unsafe {
            ffi::nla_put(self.skb.as_ptr(), kind.into(), len, bytes.as_ptr().cast())
        })
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) -> Result {
        self.put(kind, value)
    }

    /// A u8.
    pub(crate) fn u8(&mut self, kind: u16, value: u8) -> Result {
        self.put(kind, &[value])
    }

    /// A u16.
    pub(crate) fn u16(&mut self, kind: u16, value: u16) -> Result {
        self.put(kind, &value.to_ne_bytes())
    }

    /// A u32.
    pub(crate) fn u32(&mut self, kind: u16, value: u32) -> Result {
        self.put(kind, &value.to_ne_bytes())
    }

    /// An s32.
    pub(crate) fn s32(&mut self, kind: u16, value: i32) -> Result {
        self.put(kind, &value.to_ne_bytes())
    }

    /// A `uint`, in 4 bytes when it fits.
    pub(crate) fn uint(&mut self, kind: u16, value: u64) -> Result {
        match u32::try_from(value) {
            Ok(short) => self.u32(kind, short),
            Err(_) => self.put(kind, &value.to_ne_bytes()),
        }
    }

    /// A string; its NUL is added. Cut off after 255 bytes.
    pub(crate) fn text(&mut self, kind: u16, value: &[u8]) -> Result {
        let mut buf = [0u8; 256];
        let mut len = 1usize;
        for (to, from) in buf.iter_mut().take(255).zip(value) {
            *to = *from;
            len = len.wrapping_add(1);
        }
        self.put(kind, buf.get(..len).unwrap_or_default())
    }

    /// A nest with what `fill` writes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self) -> Result) -> Result {
        let at = self.len();
        self.put(kind | NESTED, &[])?;
        fill(self)?;
        let len = u16::try_from(self.len().saturating_sub(at)).map_err(|_| EMSGSIZE)?;
        // SAFETY: By the invariant the buffer is linear, and the nest's header was written at this
        // offset; nothing moves what is written.
        unsafe { (*self.at(at).cast::<bindings::nlattr>()).nla_len = len };
        Ok(())
    }

    fn len(&self) -> usize {
        // SAFETY: By the invariant.
        unsafe { (*self.skb.as_ptr()).len as usize }
    }

    fn at(&mut self, offset: usize) -> *mut u8 {
        // SAFETY: By the invariant; callers give offsets that were written.
        unsafe { (*self.skb.as_ptr()).data.add(offset) }
    }

    /// Writes one whole message; what does not fit is taken back (`EMSGSIZE`).
    fn message(
        &mut self,
        portid: u32,
        seq: u32,
        flags: c_int,
        cmd: u8,
        fill: impl FnOnce(&mut Self) -> Result,
    ) -> Result<NonNull<bindings::nlmsghdr>> {
        let start = self.len();
        // SAFETY: By the invariant; the family is registered while operations run.
        let header =
            unsafe { ffi::genlmsg_put(self.skb.as_ptr(), portid, seq, family(), flags, cmd) };
        let filled = if header.is_null() {
            Err(EMSGSIZE)
        } else {
            fill(self)
        };
        if let Err(e) = filled {
            // SAFETY: By the invariant; back to what it was.
            unsafe { bindings::skb_trim(self.skb.as_ptr(), start as c_uint) };
            return Err(e);
        }
        let len = self.len().saturating_sub(start) as u32;
        let header = NonNull::new(self.at(start).cast::<bindings::nlmsghdr>()).ok_or(EINVAL)?;
        // SAFETY: The message's header was written at this offset.
        unsafe { (*header.as_ptr()).nlmsg_len = len };
        Ok(header)
    }
}

/// A message of its own.
///
/// # Invariants
///
/// `skb` is linear and owned.
struct Message(NonNull<bindings::sk_buff>);

impl Message {
    fn new(
        capacity: u32,
        flags: bindings::gfp_t,
        (portid, seq, cmd): (u32, u32, u8),
        fill: impl FnOnce(&mut Writer<'_>) -> Result,
    ) -> Result<Self> {
        // SAFETY: No requirements; any NUMA node.
        let skb = unsafe { bindings::__alloc_skb(capacity, flags, 0, -1) };
        // INVARIANT: New.
        let message = Self(NonNull::new(skb).ok_or(ENOMEM)?);
        // INVARIANT: `message` is ours.
        let mut writer = Writer {
            skb: message.0,
            _skb: PhantomData,
        };
        writer.message(portid, seq, 0, cmd, fill)?;
        Ok(message)
    }

    fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: By the invariant.
        unsafe { ffi::homing_skb_free(self.0.as_ptr()) };
    }
}

/// Answers a request with one message of at most `capacity` bytes. Process context.
pub(crate) fn reply(
    request: &Request<'_>,
    capacity: u32,
    fill: impl FnOnce(&mut Writer<'_>) -> Result,
) -> Result {
    let info = request.raw.as_ptr();
    // SAFETY: By the invariant of `Request`.
    let to = unsafe { ((*info).snd_portid, (*info).snd_seq, (*(*info).genlhdr).cmd) };
    let message = Message::new(capacity, bindings::GFP_KERNEL, to, fill)?;
    // SAFETY: By the invariant of `Request`; the message is given away.
    let sent = unsafe {
        bindings::netlink_unicast(
            ffi::homing_genl_sock((*info)._net.net),
            message.into_raw(),
            to.0,
            DONTWAIT,
        )
    };
    to_result(sent.min(0))
}

/// Whether anybody listens to a group in a namespace. Any context.
pub(crate) fn has_listeners(ns: NetNs, group: u32) -> bool {
    // SAFETY: By the invariant of `NetNs`; the family's field is fixed by registration.
    unsafe {
        let group = (*family()).mcgrp_offset.wrapping_add(group);
        bindings::netlink_has_listeners(ffi::homing_genl_sock(ns.as_ptr()), group) != 0
    }
}

/// Tells a group of a namespace something, in a message of at most `capacity` bytes. Any context.
///
/// Without memory nothing is told; a listener that is too slow learns from its socket that it has
/// lost something.
pub(crate) fn multicast(
    ns: NetNs,
    group: u32,
    cmd: u8,
    capacity: u32,
    fill: impl FnOnce(&mut Writer<'_>) -> Result,
) {
    if !has_listeners(ns, group) {
        return;
    }
    let Ok(message) = Message::new(capacity, bindings::GFP_ATOMIC, (0, 0, cmd), fill) else {
        return;
    };
    let skb = message.into_raw();
    // SAFETY: The control block of a netlink message is this structure; the message is given away,
    // and `GFP_ATOMIC` keeps the call from sleeping.
    unsafe {
        let group = (*family()).mcgrp_offset.wrapping_add(group);
        let control = (&raw mut (*skb).cb).cast::<bindings::netlink_skb_parms>();
        (*control).dst_group = group;
        bindings::netlink_broadcast(
            ffi::homing_genl_sock(ns.as_ptr()),
            skb,
            0,
            group,
            bindings::GFP_ATOMIC,
        );
    }
}

/// Tells those who listen to a group that messages to it were lost, as the kernel does when a socket has
/// no room. Any context.
pub(crate) fn overrun(ns: NetNs, group: u32) {
    // SAFETY: By the invariant of `NetNs`; the family's field is fixed by registration.
    unsafe {
        let group = (*family()).mcgrp_offset.wrapping_add(group);
        bindings::netlink_set_err(
            ffi::homing_genl_sock(ns.as_ptr()),
            0,
            group,
            enobufs().to_errno(),
        );
    }
}

/// An operation that lists things, called again for as long as there are more.
pub(crate) trait Dump: Send + Sized + 'static {
    /// Begins; keeps the position between the calls of `fill`.
    fn start(request: &Request<'_>) -> Result<KBox<Self>>;

    /// Writes records until one does not fit (`Ok(false)`) or all are written (`Ok(true)`).
    fn fill(&mut self, out: &mut Records<'_>) -> Result<bool>;
}

/// Room for the records of a dump.
pub(crate) struct Records<'a> {
    writer: Writer<'a>,
    callback: &'a mut bindings::netlink_callback,
    to: (u32, u32, u8),
}

impl Records<'_> {
    /// States the generation of what is listed. When it differs from that of earlier records, user
    /// space is told that the dump was interrupted.
    pub(crate) fn generation(&mut self, generation: u32) {
        // 0 would say that there is no generation.
        self.callback.seq = generation | 1 << 31;
    }

    /// Writes one record; `false` when there is no room for it.
    pub(crate) fn record(&mut self, fill: impl FnOnce(&mut Writer<'_>) -> Result) -> Result<bool> {
        let first = self.writer.len() == 0;
        let (portid, seq, cmd) = self.to;
        match self.writer.message(portid, seq, MULTI, cmd, fill) {
            Ok(header) => {
                let callback = &mut *self.callback;
                if callback.prev_seq != 0 && callback.prev_seq != callback.seq {
                    // SAFETY: Written just now, in the buffer of `writer`.
                    unsafe { (*header.as_ptr()).nlmsg_flags |= DUMP_INTR };
                }
                callback.prev_seq = callback.seq;
                Ok(true)
            }
            Err(e) if e == EMSGSIZE && !first => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// What a dump keeps in the first word of its callback's context.
///
/// # Safety
///
/// `cb` is valid, and its context is only used by these functions.
unsafe fn slot<D: Dump>(cb: *mut bindings::netlink_callback) -> *mut *mut D {
    // SAFETY: By the caller's promise.
    unsafe { (&raw mut (*cb).__bindgen_anon_1).cast() }
}

/// # Safety
///
/// `cb` is what the kernel gave to a dump that is running, and `'a` ends with it.
unsafe fn dump_request<'a>(cb: *mut bindings::netlink_callback) -> Result<Request<'a>> {
    // SAFETY: Generic netlink keeps this structure there for as long as the dump lives; its
    // `info` has the request's header.
    unsafe {
        let info = (*cb).data.cast::<ffi::genl_dumpit_info>();
        Request::new(&raw const (*info).info)
    }
}

/// The `start` of a dump.
///
/// # Safety
///
/// `cb` is what the kernel gave to the `start` of an operation whose other two functions are
/// [`dump`] and [`done`] of the same `D`.
pub(crate) unsafe fn start<D: Dump>(cb: *mut bindings::netlink_callback) -> c_int {
    // SAFETY: By the caller's promise.
    match unsafe { dump_request(cb) }.and_then(|request| D::start(&request)) {
        Ok(state) => {
            // SAFETY: As above.
            unsafe { *slot::<D>(cb) = KBox::into_raw(state) };
            0
        }
        Err(e) => e.to_errno(),
    }
}

/// The `dumpit` of a dump.
///
/// # Safety
///
/// As [`start`], which has answered 0; `skb` is the buffer to fill.
pub(crate) unsafe fn dump<D: Dump>(
    skb: *mut bindings::sk_buff,
    cb: *mut bindings::netlink_callback,
) -> c_int {
    // SAFETY: By the caller's promise: stored by `start`, taken out by `done`, and the kernel calls
    // one of the three at a time.
    let state = unsafe { (*slot::<D>(cb)).as_mut() };
    let (Some(state), Some(buffer)) = (state, NonNull::new(skb)) else {
        return EINVAL.to_errno();
    };
    // SAFETY: As in `dump_request`.
    let to = unsafe {
        let info = &raw const (*(*cb).data.cast::<ffi::genl_dumpit_info>()).info;
        ((*info).snd_portid, (*info).snd_seq, (*(*info).genlhdr).cmd)
    };
    let mut records = Records {
        // INVARIANT: The kernel gives a linear buffer for this call.
        writer: Writer {
            skb: buffer,
            _skb: PhantomData,
        },
        // SAFETY: By the caller's promise; only we use it during the call.
        callback: unsafe { &mut *cb },
        to,
    };
    match state.fill(&mut records) {
        Ok(true) => 0,
        Ok(false) => records.writer.len() as c_int,
        Err(e) => e.to_errno(),
    }
}

/// The `done` of a dump.
///
/// # Safety
///
/// As [`start`]; the last call for `cb`.
pub(crate) unsafe fn done<D: Dump>(cb: *mut bindings::netlink_callback) -> c_int {
    // SAFETY: By the caller's promise.
    let state = unsafe { core::mem::replace(&mut *slot::<D>(cb), core::ptr::null_mut()) };
    if !state.is_null() {
        // SAFETY: From `KBox::into_raw` in `start`, taken out just now.
        drop(unsafe { KBox::from_raw(state) });
    }
    0
}
