// SPDX-License-Identifier: GPL-2.0

//! The functions that the generated family calls, by the names that it knows them by.
//!
//! Thunks only. Prototypes: `control/generated/netlink.h`. A `doit` gets a request that has passed
//! its policy; the three functions of a dump are called one at a time.

use core::ffi::c_int;
use kernel::bindings;

use super::netlink::{
    debug,
    device,
    explain,
    farm,
    flow,
    key,
    member,
    service,
    session,
    status, //
};
use crate::kapi::genl;

macro_rules! doit {
    ($($name:ident => $handler:path,)+) => { $(
        /// # Safety
        ///
        /// For the kernel alone, as the `doit` of its operation.
        #[no_mangle]
        unsafe extern "C" fn $name(
            _skb: *mut bindings::sk_buff,
            info: *mut genl::RawRequest,
        ) -> c_int {
            // SAFETY: The kernel calls this as the `doit` of its operation.
            unsafe { genl::run(info, $handler) }
        }
    )+ };
}

macro_rules! dump {
    ($($list:ty: $start:ident, $dump:ident, $done:ident;)+) => { $(
        /// # Safety
        ///
        /// For the kernel alone, as the `start` of its operation.
        #[no_mangle]
        unsafe extern "C" fn $start(cb: *mut bindings::netlink_callback) -> c_int {
            // SAFETY: The kernel calls this as the `start` of its operation.
            unsafe { genl::start::<$list>(cb) }
        }

        /// # Safety
        ///
        /// For the kernel alone, as the `dumpit` of its operation, after `start`.
        #[no_mangle]
        unsafe extern "C" fn $dump(
            skb: *mut bindings::sk_buff,
            cb: *mut bindings::netlink_callback,
        ) -> c_int {
            // SAFETY: As above, after `start` of the same type.
            unsafe { genl::dump::<$list>(skb, cb) }
        }

        /// # Safety
        ///
        /// For the kernel alone, as the `done` of its operation, once, at last.
        #[no_mangle]
        unsafe extern "C" fn $done(cb: *mut bindings::netlink_callback) -> c_int {
            // SAFETY: As above; the last call.
            unsafe { genl::done::<$list>(cb) }
        }
    )+ };
}

doit! {
    homing_device_attach_doit => device::attach,
    homing_device_detach_doit => device::detach,
    homing_member_set_doit => member::set,
    homing_member_del_doit => member::del,
    homing_member_get_doit => member::get,
    homing_service_set_doit => service::set,
    homing_service_del_doit => service::del,
    homing_session_get_doit => session::get,
    homing_session_set_doit => session::set,
    homing_session_move_doit => session::rehome,
    homing_session_end_doit => session::end,
    homing_stats_get_doit => status::stats,
    homing_status_get_doit => status::get,
    homing_farm_set_doit => farm::set,
    homing_key_set_doit => key::set,
    homing_debug_set_doit => debug::set,
    homing_explain_doit => explain::get,
}

dump! {
    device::List: homing_device_get_start, homing_device_get_dumpit, homing_device_get_done;
    member::List: homing_member_get_start, homing_member_get_dumpit, homing_member_get_done;
    service::List: homing_service_get_start, homing_service_get_dumpit, homing_service_get_done;
    session::List: homing_session_get_start, homing_session_get_dumpit, homing_session_get_done;
    flow::List: homing_flow_get_start, homing_flow_get_dumpit, homing_flow_get_done;
    key::List: homing_key_get_start, homing_key_get_dumpit, homing_key_get_done;
}
