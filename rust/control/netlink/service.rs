// SPDX-License-Identifier: GPL-2.0

//! Services: set, removed, shown.
//!
//! Cookie names are tokens (RFC 9110 section 5.6.2), as RFC 6265 section 4.1.1 wants them.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu::{
            self,
            Guard, //
        },
        Arc, //
    },
};

use super::{
    configure,
    host,
    is_host_address, //
};
use crate::{
    decide::{
        limits::SERVICES_MAX,
        select::Policy, //
    },
    hook::host::Host,
    kapi::genl::{
        Dump,
        Records,
        Request,
        Writer, //
    },
    table::{
        config::Config,
        member::State,
        service::{
            HomeLost,
            Reply,
            SameSite,
            Service,
            Settings, //
        },
        text::Text,
    },
    uapi::consts::{
        self,
        service::{
            ABSOLUTE_TIMEOUT,
            CONNECTIONS,
            COOKIE,
            DOMAIN,
            GROUP,
            HOME_LOST,
            HOME_WAIT,
            IDLE_TIMEOUT,
            INSERT,
            LISTENERS,
            LOCAL_LISTENER,
            MAX_AGE,
            POLICY,
            PORT,
            REPLY,
            SAME_SITE,
            SECURE,
            SESSIONS,
            VIP, //
        },
        ConfigWhat,
    },
    wire::addr::Addr,
};

/// The service that a request names.
fn name(request: &Request<'_>) -> Result<(Addr, u16)> {
    let vip = request.need(VIP, c"vip: is missing")?;
    let port = request.need(PORT, c"port: is missing")?;
    let addr = vip.array()?;
    if !is_host_address(&addr) {
        return Err(request.refuse(&vip, c"vip: can be no host's"));
    }
    Ok((Addr(addr), port.u16()?))
}

/// Makes or changes a service.
pub(in crate::control) fn set(request: &Request<'_>) -> Result {
    let (vip, port) = name(request)?;
    configure(&host(request)?, ConfigWhat::Service, |config| {
        let at = config
            .services
            .iter()
            .position(|s| s.vip == vip && s.port == port);
        let known = at.and_then(|at| config.services.get(at)).cloned();
        let settings = settings(request, known.as_ref().map(|s| s.settings))?;
        if known.is_none() && config.services.len() >= SERVICES_MAX {
            return Err(request.refuse_as(
                ENOSPC,
                None,
                c"vip: there are as many services as there can be",
            ));
        }
        let new = Service::new(vip, port, settings, known.map(|s| s.live.clone()))?;
        match at.and_then(|at| config.services.get_mut(at)) {
            Some(slot) => *slot = new,
            // `Config::next` has made room for one more.
            None => drop(config.services.push_within_capacity(new)),
        }
        Ok(())
    })
}

/// What the request says, on top of what is known.
fn settings(request: &Request<'_>, known: Option<Settings>) -> Result<Settings> {
    let mut s = known.unwrap_or_else(Settings::new);
    if let Some(attr) = request.attr(GROUP) {
        s.group = attr.u16()?;
    }
    if let Some(attr) = request.attr(POLICY) {
        s.policy = match consts::Policy::from_u32(attr.u32()?).ok_or(EINVAL)? {
            consts::Policy::P2c => Policy::P2c,
            consts::Policy::Rr => Policy::Rr,
            consts::Policy::Wrr => Policy::Wrr,
            consts::Policy::LeastSessions => Policy::LeastSessions,
            consts::Policy::Maglev => Policy::Maglev,
        };
    }
    if let Some(attr) = request.attr(COOKIE) {
        let cookie = attr.text();
        if cookie.is_empty() || !cookie.iter().all(|byte| is_token(*byte)) {
            return Err(request.refuse(&attr, c"cookie: is empty or no token (RFC 9110)"));
        }
        s.cookie = Text::new(cookie).ok_or(EINVAL)?;
    }
    if let Some(attr) = request.attr(SECURE) {
        s.secure = attr.u8()? != 0;
    }
    if let Some(attr) = request.attr(INSERT) {
        s.insert = attr.u8()? != 0;
    }
    if let Some(attr) = request.attr(IDLE_TIMEOUT) {
        s.idle_s = attr.u32()?;
    }
    if let Some(attr) = request.attr(ABSOLUTE_TIMEOUT) {
        s.absolute_s = attr.u32()?;
    }
    if s.idle_s > s.absolute_s {
        let attr = request
            .attr(IDLE_TIMEOUT)
            .or(request.attr(ABSOLUTE_TIMEOUT));
        let why = c"idle-timeout: is longer than absolute-timeout";
        return Err(request.refuse_as(EINVAL, attr.as_ref(), why));
    }
    if let Some(attr) = request.attr(DOMAIN) {
        let domain = attr.text();
        if !domain
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        {
            return Err(request.refuse(
                &attr,
                c"domain: has other than letters, digits, dots and hyphens",
            ));
        }
        s.domain = Text::new(domain).ok_or(EINVAL)?;
    }
    if let Some(attr) = request.attr(MAX_AGE) {
        s.max_age = attr.u32()?;
    }
    if let Some(attr) = request.attr(SAME_SITE) {
        s.same_site = match consts::SameSite::from_u32(attr.u32()?).ok_or(EINVAL)? {
            consts::SameSite::Lax => SameSite::Lax,
            consts::SameSite::Strict => SameSite::Strict,
            consts::SameSite::None => SameSite::None,
            consts::SameSite::Unset => SameSite::Unset,
        };
    }
    if let Some(attr) = request.attr(REPLY) {
        s.reply = match consts::Reply::from_u32(attr.u32()?).ok_or(EINVAL)? {
            consts::Reply::Swap => Reply::Swap,
            consts::Reply::Route => Reply::Route,
        };
    }
    if let Some(attr) = request.attr(HOME_LOST) {
        s.home_lost = match consts::HomeLost::from_u32(attr.u32()?).ok_or(EINVAL)? {
            consts::HomeLost::Repick => HomeLost::Repick,
            consts::HomeLost::Strict => HomeLost::Strict,
            consts::HomeLost::Wait => HomeLost::Wait,
        };
    }
    if let Some(attr) = request.attr(HOME_WAIT) {
        s.home_wait_s = attr.u32()?;
    }
    Ok(s)
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Removes a service.
pub(in crate::control) fn del(request: &Request<'_>) -> Result {
    let (vip, port) = name(request)?;
    configure(&host(request)?, ConfigWhat::Service, |config| {
        let Some(at) = config
            .services
            .iter()
            .position(|s| s.vip == vip && s.port == port)
        else {
            let attr = request.attr(VIP);
            return Err(request.refuse_as(ENOENT, attr.as_ref(), c"vip: no such service"));
        };
        config.services.remove(at).map(drop).map_err(|_| ENOENT)
    })
}

fn put(w: &mut Writer<'_>, host: &Host, guard: &Guard, config: &Config, s: &Service) -> Result {
    let set = &s.settings;
    let policy = match set.policy {
        Policy::P2c => consts::Policy::P2c,
        Policy::Rr => consts::Policy::Rr,
        Policy::Wrr => consts::Policy::Wrr,
        Policy::LeastSessions => consts::Policy::LeastSessions,
        Policy::Maglev => consts::Policy::Maglev,
    };
    let same_site = match set.same_site {
        SameSite::Lax => consts::SameSite::Lax,
        SameSite::Strict => consts::SameSite::Strict,
        SameSite::None => consts::SameSite::None,
        SameSite::Unset => consts::SameSite::Unset,
    };
    let reply = match set.reply {
        Reply::Swap => consts::Reply::Swap,
        Reply::Route => consts::Reply::Route,
    };
    let home_lost = match set.home_lost {
        HomeLost::Repick => consts::HomeLost::Repick,
        HomeLost::Strict => consts::HomeLost::Strict,
        HomeLost::Wait => consts::HomeLost::Wait,
    };
    let here = host.listener(&s.vip, s.port).present;
    let clock = host.net.clock(config);
    // What a member said last is nothing while it is down.
    let there = config.others().filter(|m| {
        m.listener(guard, s.hash).is_some() && m.state(guard, config, &clock) != State::Down
    });
    let listeners = there.fold(u32::from(here), |n, _| n.saturating_add(1));
    w.bytes(VIP, &s.vip.0)?;
    w.u16(PORT, s.port)?;
    w.u16(GROUP, set.group)?;
    w.u32(POLICY, policy as u32)?;
    w.text(COOKIE, set.cookie.as_bytes())?;
    w.u8(SECURE, set.secure.into())?;
    w.u8(INSERT, set.insert.into())?;
    w.u32(IDLE_TIMEOUT, set.idle_s)?;
    w.u32(ABSOLUTE_TIMEOUT, set.absolute_s)?;
    w.text(DOMAIN, set.domain.as_bytes())?;
    w.u32(MAX_AGE, set.max_age)?;
    w.u32(SAME_SITE, same_site as u32)?;
    w.u32(LISTENERS, listeners)?;
    w.u8(LOCAL_LISTENER, here.into())?;
    w.uint(SESSIONS, s.live.sessions.load(Relaxed))?;
    w.uint(CONNECTIONS, s.live.connections.load(Relaxed))?;
    w.u32(REPLY, reply as u32)?;
    w.u32(HOME_LOST, home_lost as u32)?;
    w.u32(HOME_WAIT, set.home_wait_s)
}

/// Shows all services.
pub(in crate::control) struct List {
    host: Arc<Host>,
    /// How many have been shown.
    shown: usize,
}

impl Dump for List {
    fn start(request: &Request<'_>) -> Result<KBox<Self>> {
        let host = host(request)?;
        Ok(KBox::new(Self { host, shown: 0 }, GFP_KERNEL)?)
    }

    fn fill(&mut self, out: &mut Records<'_>) -> Result<bool> {
        let guard = rcu::read_lock();
        let Some(config) = self.host.net.config(&guard) else {
            return Ok(true);
        };
        out.generation(config.generation);
        while let Some(s) = config.services.get(self.shown) {
            if !out.record(|w| put(w, &self.host, &guard, config, s))? {
                return Ok(false);
            }
            self.shown = self.shown.saturating_add(1);
        }
        Ok(true)
    }
}
