// SPDX-License-Identifier: GPL-2.0

//! What the owner of a relayed connection follows of its requests and responses; the rules are in
//! [`crate::decide::exchange`].
//!
//! The client's side changes it while the connection is at rest, the server's side while it is not,
//! and a connection whose two sides change it at once is one that is not followed any more.

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Full, Relaxed},
        rcu::Guard, //
    },
};

use crate::{
    decide::{
        exchange::{Exchange, Phase},
        limits,
    },
    kapi::hash::{Ref, Table, Walk},
    wire::addr::Tuple,
};

/// One connection's exchange.
pub(crate) struct Followed {
    phase: Atomic<u32>,
    asked: Atomic<u32>,
    answered: Atomic<u32>,
    /// The last request after which the entry member was told that the connection is at rest.
    told: Atomic<u32>,
}

const ASKED: u32 = 2;
const HEAD: u32 = 8;

const fn to_word(phase: Phase) -> u32 {
    match phase {
        Phase::Lost => 0,
        Phase::Rest => 1,
        Phase::Asked { head: false } => ASKED,
        Phase::Asked { head: true } => ASKED | HEAD,
        Phase::Body => 3,
        Phase::Chunks => 4,
    }
}

const fn from_word(word: u32) -> Phase {
    match word {
        1 => Phase::Rest,
        3 => Phase::Body,
        4 => Phase::Chunks,
        _ if word & !HEAD == ASKED => Phase::Asked {
            head: word & HEAD != 0,
        },
        _ => Phase::Lost,
    }
}

impl Followed {
    /// How it stands.
    pub(crate) fn now(&self) -> Exchange {
        Exchange {
            phase: from_word(self.phase.load(Relaxed)),
            asked: self.asked.load(Relaxed),
            answered: self.answered.load(Relaxed),
        }
    }

    /// Lets something happen to it; how it stands then.
    pub(crate) fn on(&self, event: impl FnOnce(&mut Exchange)) -> Exchange {
        let old = self.now();
        let mut new = old;
        event(&mut new);
        if new.asked != old.asked {
            self.asked.store(new.asked, Relaxed);
        }
        if new.answered != old.answered {
            self.answered.store(new.answered, Relaxed);
        }
        let (from, to) = (to_word(old.phase), to_word(new.phase));
        // The phase last: whoever sees it sees the numbers, too. If the other side was here
        // meanwhile, nothing is known.
        if from != to && self.phase.cmpxchg(from, to, Full).is_err() {
            self.phase.store(to_word(Phase::Lost), Relaxed);
            new.phase = Phase::Lost;
        }
        new
    }

    /// Whether the entry member is still to be told that all is answered up to `asked`; it counts as
    /// told from then on.
    pub(crate) fn tell(&self, asked: u32) -> bool {
        self.told.xchg(asked, Relaxed) != asked
    }
}

/// All of them.
pub(crate) struct Exchanges(Table<Tuple, Followed>);

impl Exchanges {
    /// An empty table. Process context.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Table::new(limits::FLOWS_CEILING)?))
    }

    /// Begins to follow a connection. Any context.
    ///
    /// # Errors
    ///
    /// Those of the table: then it is not followed.
    pub(crate) fn begin(&self, guard: &Guard, tuple: &Tuple, from: Exchange) -> Result {
        self.end(guard, tuple);
        self.0.insert(
            guard,
            tuple,
            Followed {
                phase: Atomic::new(to_word(from.phase)),
                asked: Atomic::new(from.asked),
                answered: Atomic::new(from.answered),
                // Before the first request there is nothing to tell.
                told: Atomic::new(from.asked),
            },
        )?;
        Ok(())
    }

    /// The exchange of a connection. Any context.
    pub(crate) fn get<'g>(
        &'g self,
        guard: &'g Guard,
        tuple: &Tuple,
    ) -> Option<Ref<'g, Tuple, Followed>> {
        self.0.get(guard, tuple)
    }

    /// Follows a connection no longer. Any context.
    pub(crate) fn end(&self, guard: &Guard, tuple: &Tuple) {
        if let Some(entry) = self.0.get(guard, tuple) {
            self.0.remove(guard, entry);
        }
    }

    /// Goes through all of them. Process context.
    pub(crate) fn walk(&self) -> Result<Walk<'_, Tuple, Followed>> {
        self.0.walk()
    }
}
