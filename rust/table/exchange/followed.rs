// SPDX-License-Identifier: GPL-2.0

//! One exchange as several CPUs change it at once, without a lock.
//!
//! The client's side changes it while the connection is at rest, the server's side while it is not.
//! Whoever changes it says so first, and counts the change when it is done; whoever meets that, or
//! finds another count than it began with, knows nothing. When both sides change it at once it is
//! not followed any more.
//!
//! `rust/tests/lock_free.rs` tries every order of these steps.

use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed, Release};

use crate::decide::exchange::{Exchange, Phase};

/// One connection's exchange.
pub(crate) struct Followed {
    /// Changes << 4 | phase, or [`CHANGING`].
    word: Atomic<u32>,
    asked: Atomic<u32>,
    answered: Atomic<u32>,
    /// The last request after which the entry member was told that the connection is at rest.
    told: Atomic<u32>,
}

const LOST: u32 = 0;
const CHANGING: u32 = 15;
const PHASE: u32 = 15;
/// One change.
const ONE: u32 = 16;

const fn to_word(phase: Phase) -> u32 {
    match phase {
        Phase::Lost => LOST,
        Phase::Rest => 1,
        Phase::Asked { head: false } => 2,
        Phase::Asked { head: true } => 3,
        Phase::Body => 4,
        Phase::Chunks => 5,
    }
}

const fn from_word(word: u32) -> Phase {
    match word & PHASE {
        1 => Phase::Rest,
        2 => Phase::Asked { head: false },
        3 => Phase::Asked { head: true },
        4 => Phase::Body,
        5 => Phase::Chunks,
        _ => Phase::Lost,
    }
}

impl Followed {
    /// It begins so; the entry member knows of what is before the client's number `told`.
    pub(super) fn new(from: Exchange, told: u32) -> Self {
        Self {
            word: Atomic::new(to_word(from.phase)),
            asked: Atomic::new(from.asked),
            answered: Atomic::new(from.answered),
            told: Atomic::new(told),
        }
    }

    /// How it stands; lost while it is being changed.
    pub(crate) fn now(&self) -> Exchange {
        self.read().1
    }

    /// With the word that it had all the while.
    fn read(&self) -> (u32, Exchange) {
        let word = self.word.load(Acquire);
        // Who sees a number that was stored since sees the word change, too.
        let (asked, answered) = (self.asked.load(Acquire), self.answered.load(Acquire));
        let same = self.word.load(Relaxed) == word;
        let phase = if same { from_word(word) } else { Phase::Lost };
        (
            word,
            Exchange {
                phase,
                asked,
                answered,
            },
        )
    }

    /// Lets something happen to it; how it stands then.
    pub(crate) fn on(&self, event: impl FnOnce(&mut Exchange)) -> Exchange {
        let (word, old) = self.read();
        let mut new = old;
        event(&mut new);
        if new == old && old.phase != Phase::Lost {
            return new;
        }
        let mine = word | CHANGING;
        if old.phase == Phase::Lost
            || new.phase == Phase::Lost
            || self.word.cmpxchg(word, mine, Full).is_err()
        {
            return self.lose(new);
        }
        self.asked.store(new.asked, Release);
        self.answered.store(new.answered, Release);
        let done = (word & !PHASE).wrapping_add(ONE) | to_word(new.phase);
        match self.word.cmpxchg(mine, done, Full) {
            Ok(_) => new,
            Err(_) => self.lose(new),
        }
    }

    /// It is not followed any more.
    fn lose(&self, mut exchange: Exchange) -> Exchange {
        self.word.xchg(LOST, Full);
        exchange.phase = Phase::Lost;
        exchange
    }

    /// Whether the entry member was told that all is answered up to `asked`.
    pub(crate) fn is_told(&self, asked: u32) -> bool {
        self.told.load(Relaxed) == asked
    }

    /// Whether the entry member is still to be told that all is answered up to `asked`; it counts as
    /// told from then on.
    pub(crate) fn tell(&self, asked: u32) -> bool {
        self.told.xchg(asked, Relaxed) != asked
    }

    /// The entry member is to be told what it was told last once more. Before the client's number
    /// `first`, where the first request begins, there is nothing to tell.
    pub(crate) fn tell_again(&self, first: u32) {
        let told = self.told.load(Relaxed);
        if told != first {
            // Where no request ends. Who tells it something newer at this moment is right.
            let _ = self.told.cmpxchg(told, told.wrapping_sub(1), Relaxed);
        }
    }
}
