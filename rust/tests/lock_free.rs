// SPDX-License-Identifier: GPL-2.0
//! What several CPUs change at once without a lock, in every order that the memory model allows.
//!
//! The files under test are those of the module, built against loom's atomics in place of the
//! kernel's. Loom runs each case once for each order of its steps, stale reads included; `Full` is
//! taken for acquire and release, which is less than the kernel promises.

extern crate self as kernel;

use homing_pure::{decide, wire};

use decide::exchange::{Exchange, Phase};
use decide::session::{combine, ended, rank};
use decide::shift::{Insert, Phase as Sent, Shift};
use loom::sync::Arc;
use loom::thread;
use sync::atomic::{Atomic, Relaxed};
use wire::control::Association;

/// The kernel's atomics.
pub mod sync {
    /// As in `kernel::sync::atomic`.
    pub mod atomic {
        use loom::sync::atomic::{AtomicU64, Ordering};
        use std::marker::PhantomData;

        /// An order of accesses.
        pub trait Order {
            /// Loom's name of it.
            const ORDER: Ordering;
        }
        macro_rules! orders {
            ($($name:ident = $order:ident),*) => {$(
                /// An order of accesses.
                pub struct $name;
                impl Order for $name {
                    const ORDER: Ordering = Ordering::$order;
                }
            )*};
        }
        orders!(
            Relaxed = Relaxed,
            Acquire = Acquire,
            Release = Release,
            Full = AcqRel
        );

        /// An atomic number, in one word of loom's whatever its size.
        pub struct Atomic<T>(AtomicU64, PhantomData<T>);

        #[allow(missing_docs)]
        impl<T: Into<u64> + TryFrom<u64>> Atomic<T> {
            pub fn new(value: T) -> Self {
                Self(AtomicU64::new(value.into()), PhantomData)
            }
            pub fn load<O: Order>(&self, _: O) -> T {
                whole(self.0.load(O::ORDER))
            }
            pub fn store<O: Order>(&self, value: T, _: O) {
                self.0.store(value.into(), O::ORDER);
            }
            pub fn xchg<O: Order>(&self, value: T, _: O) -> T {
                whole(self.0.swap(value.into(), O::ORDER))
            }
            pub fn cmpxchg<O: Order>(&self, old: T, new: T, _: O) -> Result<T, T> {
                let (old, new) = (old.into(), new.into());
                let done = self
                    .0
                    .compare_exchange(old, new, O::ORDER, Ordering::Relaxed);
                done.map(whole).map_err(whole)
            }
        }

        fn whole<T: TryFrom<u64>>(word: u64) -> T {
            T::try_from(word)
                .ok()
                .expect("it was one when it was stored")
        }
    }
}

/// The module's own way to the same memory.
pub mod kapi {
    /// As in `kapi/once.rs`.
    pub mod once {
        use crate::sync::atomic::{Atomic, Relaxed};

        #[allow(missing_docs)]
        pub fn read<T: Into<u64> + TryFrom<u64>>(from: &Atomic<T>) -> T {
            from.load(Relaxed)
        }
        #[allow(missing_docs)]
        pub fn write<T: Into<u64> + TryFrom<u64>>(to: &Atomic<T>, value: T) {
            to.store(value, Relaxed);
        }
    }
}

#[path = "../table/session/entry.rs"]
#[allow(dead_code)]
mod entry;
#[path = "../table/exchange/followed.rs"]
#[allow(dead_code)]
mod followed;
#[path = "../table/flow/shifts.rs"]
mod shifts;

use entry::Session;
use followed::Followed;

const KEY: [u8; 16] = [7; 16];

const KNOWN: Association = Association {
    key: KEY,
    home: 3,
    origin: 2,
    version: 1,
    created: 100,
    last_used: 100,
    group: 1,
    flags: 0,
};
const MOVED: Association = Association {
    home: 4,
    origin: 4,
    version: 2,
    flags: Association::CONFIRMED,
    ..KNOWN
};
const ENDED: Association = Association {
    home: 3,
    origin: 1,
    version: 2,
    flags: Association::CONFIRMED | Association::ENDED,
    ..KNOWN
};

/// Whether this change ended it.
fn ends(joined: Option<(Association, Association)>) -> bool {
    joined.is_some_and(|(old, now)| !ended(&old) && ended(&now))
}

/// Two CPUs work on `what`. Both in threads of their own: of what its main thread only reads, loom
/// does not try every order.
fn both<T: Send + Sync + 'static, A: 'static, B: 'static>(
    what: &Arc<T>,
    a: impl FnOnce(&T) -> A + Send + 'static,
    b: impl FnOnce(&T) -> B + Send + 'static,
) -> (A, B) {
    let [first, second] = [what.clone(), what.clone()];
    let a = thread::spawn(move || a(&first));
    let b = thread::spawn(move || b(&second));
    (a.join().unwrap(), b.join().unwrap())
}

#[test]
fn no_cpu_undoes_what_another_has_heard() {
    loom::model(|| {
        let s = Arc::new(Session::new(&KNOWN));
        let (moved, over) = both(&s, |s| s.join(&MOVED), |s| s.join(&ENDED));
        let want = combine(Some(&combine(Some(&KNOWN), &MOVED)), &ENDED);
        assert_eq!(s.association(&KEY), want);
        assert!(!ends(moved) && ends(over));
    });
}

#[test]
fn two_ends_are_one_end() {
    loom::model(|| {
        let s = Arc::new(Session::new(&KNOWN));
        let later = Association {
            version: 3,
            ..ENDED
        };
        let (a, b) = both(&s, |s| ends(s.join(&ENDED)), move |s| ends(s.join(&later)));
        assert!(a != b);
        let now = s.association(&KEY);
        assert_eq!((now.version, now.flags), (3, ENDED.flags));
    });
}

#[test]
fn the_client_shows_its_id_while_another_member_moves_it() {
    loom::model(|| {
        let s = Arc::new(Session::new(&KNOWN));
        let moved = Association { flags: 0, ..MOVED };
        let (news, _) = both(&s, Session::confirm, move |s| s.join(&moved));
        assert!(news);
        assert_eq!(s.association(&KEY), MOVED);
        assert!(!s.confirm());
    });
}

#[test]
fn what_is_heard_while_an_entry_is_taken_out_is_not_lost() {
    let only = |flags| Association { flags, ..KNOWN };
    for said in [
        MOVED,
        Association { flags: 0, ..MOVED },
        ENDED,
        only(Association::ENDED),
    ] {
        loom::model(move || {
            let s = Arc::new(Session::new(&KNOWN));
            let (last, joined) = both(&s, |s| s.retire(&KEY), move |s| s.join(&said));
            let last = last.expect("nobody else takes it out");
            // Who has not been sent to store it anew has told it to the sweep, which stores it anew.
            if joined.is_some() {
                assert_eq!(rank(&last), rank(&said));
                assert_eq!(last.flags, said.flags);
            }
            assert!(s.retire(&KEY).is_none());
            assert!(s.join(&said).is_none());
        });
    }
}

/// A request begins.
fn asked(f: &Followed) -> Exchange {
    f.on(|e| {
        if e.phase == Phase::Rest {
            e.asked = 11;
            e.phase = Phase::Asked { head: false };
        }
    })
}

/// Its response ends.
fn answered(f: &Followed) -> Exchange {
    f.on(|e| {
        if e.phase == (Phase::Asked { head: false }) {
            e.answered = 21;
            e.phase = Phase::Rest;
        }
    })
}

/// Its numbers are those of its phase.
fn whole(e: Exchange) -> bool {
    match (e.phase, e.asked, e.answered) {
        (Phase::Rest, 10, 20) | (Phase::Rest, 11, 21) => true,
        (Phase::Asked { .. }, 11, 20) => true,
        (phase, ..) => phase == Phase::Lost,
    }
}

#[test]
fn nobody_sees_a_connection_at_rest_between_a_request_and_its_response() {
    loom::model(|| {
        let f = Arc::new(Followed::new(Exchange::new(10, 20), 10));
        let (_, seen) = both(&f, asked, Followed::now);
        assert!(whole(seen), "{seen:?}");
    });
    loom::model(|| {
        let f = Arc::new(Followed::new(Exchange::new(10, 20), 10));
        asked(&f);
        let (_, seen) = both(&f, answered, Followed::now);
        assert!(whole(seen), "{seen:?}");
        assert_eq!(f.now().phase, Phase::Rest);
    });
    loom::model(|| {
        let f = Arc::new(Followed::new(Exchange::new(10, 20), 10));
        both(&f, asked, answered);
        assert!(whole(f.now()), "{:?}", f.now());
    });
}

#[test]
fn both_sides_at_once_is_nothing_known() {
    loom::model(|| {
        let f = Arc::new(Followed::new(Exchange::new(10, 20), 10));
        let (_, over) = both(&f, asked, |f| f.on(|e| e.phase = Phase::Lost));
        assert_eq!(over.phase, Phase::Lost);
        // Whatever the other side was told, it is over.
        assert_eq!(f.now().phase, Phase::Lost);
        assert_eq!(f.on(|e| e.phase = Phase::Rest).phase, Phase::Lost);
    });
}

#[test]
fn a_shift_ends_once_and_for_good() {
    loom::model(|| {
        let word = Arc::new(Atomic::<u64>::new(0));
        let new = Shift::new(Insert { at: 1000, len: 80 });
        let egress = move |word: &Atomic<u64>| {
            let begun = shifts::begin(word, new);
            if begun {
                shifts::on(word, new, Shift::on_sent);
            }
            begun
        };
        let (begun, early) = both(&word, egress, shifts::end);
        let late = shifts::end(&word);
        // It is counted once for each time that it was begun.
        assert_eq!(usize::from(begun), usize::from(early) + usize::from(late));
        assert!(!shifts::begin(&word, new));
        assert!(shifts::on(&word, new, Shift::on_sent).is_none());
    });
}

#[test]
fn a_shift_only_goes_on() {
    loom::model(|| {
        let new = Shift::new(Insert { at: 1000, len: 80 });
        let mut sent = new;
        sent.on_sent();
        let word = Arc::new(Atomic::<u64>::new(sent.to_bits()));
        // An acknowledgement is accepted while the insert is sent again.
        let (acked, again) = both(
            &word,
            move |word| shifts::on(word, sent, |s| s.on_una(1001)),
            move |word| shifts::on(word, new, Shift::on_sent),
        );
        let (acked, again) = (acked.expect("there is one"), again.expect("there is one"));
        assert_eq!(acked.1.phase(), Sent::Acked);
        assert!(again.1.phase() >= Sent::Sent);
        let last = Shift::from_bits(word.load(Relaxed)).expect("there is one");
        assert_eq!(last.phase(), Sent::Acked);
    });
}
