// SPDX-License-Identifier: GPL-2.0
//! Every order of events of one session in a farm of three: pushes that are lost, late and twice, members
//! that die and start again, a member that is cut off, moves and ends. The rules are those of the module.
//!
//! Speaks to nothing outside. States are enumerated, not sampled: what holds here holds for every order
//! within the budgets. Time is left out; a member that is dead or cut off is down to the others at once.

use homing_pure::decide::crypto::Prf;
use homing_pure::decide::member::{may_rehome, tells};
use homing_pure::decide::select::{rendezvous, Candidate};
use homing_pure::decide::session::{combine, next_epoch, next_version};
use homing_pure::wire::control::Association;
use siphasher::sip::SipHasher24;
use stateright::{Checker, Model, Property};

const MEMBERS: [usize; 3] = [0, 1, 2];
const KEY: [u8; 16] = [7; 16];

struct Sip;

impl Prf for Sip {
    fn prf(&self, data: &[u8]) -> u64 {
        SipHasher24::new_with_key(&[1; 16]).hash(data)
    }
}

/// What differs between the associations of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Known {
    home: u16,
    origin: u16,
    version: u32,
    flags: u8,
}

fn id(member: usize) -> u16 {
    member as u16 + 1
}

fn whole(k: Known) -> Association {
    Association {
        key: KEY,
        home: k.home,
        origin: k.origin,
        version: k.version,
        flags: k.flags,
        ..Association::default()
    }
}

fn merged(old: Option<Known>, new: Known) -> Known {
    let a = combine(old.map(whole).as_ref(), &whole(new));
    Known {
        home: a.home,
        origin: a.origin,
        version: a.version,
        flags: a.flags,
    }
}

/// How often the unusual may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Budget {
    moves: u8,
    ends: u8,
    kills: u8,
    cuts: u8,
    losses: u8,
    copies: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Farm {
    table: [Option<Known>; 3],
    alive: [bool; 3],
    /// The member that nobody hears and that hears nobody.
    cut: Option<usize>,
    /// Pushed, on their way: (maker, receiver, what), in order.
    way: Vec<(usize, usize, Known)>,
    /// Lost, to be pushed again.
    owed: Vec<(usize, usize, Known)>,
    /// `told[m][j]`: since m started, j has told it everything.
    told: [[bool; 3]; 3],
    /// `before[m][j]`: j had been told everything when m started.
    before: [[bool; 3]; 3],
    left: Budget,
    /// The session was ended, and everybody knew.
    over: bool,
}

impl Farm {
    fn hears(&self, a: usize, b: usize) -> bool {
        a == b || self.alive[a] && self.alive[b] && self.cut != Some(a) && self.cut != Some(b)
    }

    fn joined(&self, m: usize) -> bool {
        MEMBERS
            .iter()
            .all(|j| *j == m || self.told[m][*j] || !self.hears(m, *j))
    }

    /// Nothing is on its way, nothing has to be said any more.
    fn quiet(&self) -> bool {
        let all = |m: usize| {
            !self.alive[m]
                || MEMBERS
                    .iter()
                    .all(|j| m == *j || !self.alive[*j] || self.told[m][*j])
        };
        self.way.is_empty()
            && self.owed.is_empty()
            && self.cut.is_none()
            && MEMBERS.iter().all(|m| all(*m))
    }

    fn learn(&mut self, m: usize, new: Known) {
        self.table[m] = Some(merged(self.table[m], new));
    }

    fn push(&mut self, from: usize, new: Known) {
        self.learn(from, new);
        for to in MEMBERS {
            if to == from || !self.alive[to] {
                continue;
            }
            let list = if self.hears(from, to) {
                &mut self.way
            } else {
                &mut self.owed
            };
            list.push((from, to, new));
            list.sort();
        }
    }

    /// The home that an entry member selects when that of the session is down.
    fn successor(&self, entry: usize) -> Option<u16> {
        let list = MEMBERS.map(|m| Candidate {
            id: id(m),
            weight: 1,
            eligible: self.hears(entry, m) && self.alive[m] && self.joined(m),
            ..Candidate::NONE
        });
        rendezvous::pick(&Sip, &KEY, &list).map(|i| list[i].id)
    }

    /// A request with the id at an entry member.
    fn ask(&mut self, entry: usize) {
        // The id names the first member as its home.
        let known = self.table[entry];
        if known.is_some_and(|k| k.flags & Association::ENDED != 0) {
            return;
        }
        let base = known.unwrap_or(Known {
            home: id(0),
            origin: id(0),
            version: 1,
            flags: 0,
        });
        let home = usize::from(base.home) - 1;
        if self.alive[home] && self.hears(entry, home) {
            if home != entry {
                // The hand-off carries what the entry member knows; the home has the last word.
                if let Some(k) = known {
                    self.learn(home, k);
                }
                match self.table[home] {
                    Some(k) if k.home != id(home) || k.flags & Association::ENDED != 0 => {
                        self.learn(entry, k)
                    }
                    Some(_) => {}
                    None => self.push(
                        home,
                        Known {
                            home: id(home),
                            origin: id(home),
                            version: 1,
                            flags: 1,
                        },
                    ),
                }
            } else if known.is_none() {
                self.push(
                    entry,
                    Known {
                        home: id(entry),
                        origin: id(entry),
                        version: 1,
                        flags: 1,
                    },
                );
            }
            return;
        }
        let heard = MEMBERS.iter().filter(|m| self.hears(entry, **m)).count() as u16;
        let Some(new) = self.successor(entry).filter(|s| *s != base.home) else {
            return;
        };
        if may_rehome(heard, 3, self.hears(entry, 0)) {
            let version = next_epoch(base.version);
            self.push(
                entry,
                Known {
                    home: new,
                    origin: id(entry),
                    version,
                    flags: base.flags | Association::CONFIRMED,
                },
            );
        }
    }

    /// The member that serves a request with the id at an entry member in the end; `None`: a new session begins.
    fn served_by(&self, entry: usize) -> Option<u16> {
        let mut farm = self.clone();
        let mut last = None;
        // A refusal that says where the session is has a higher version each time.
        for _ in 0..4 {
            farm.ask(entry);
            let known = farm.table[entry]?;
            if known.flags & Association::ENDED != 0 {
                return None;
            }
            last = Some(known.home);
        }
        last
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Event {
    Ask(usize),
    Move(usize, usize),
    End(usize),
    Deliver(usize, bool),
    Lose(usize),
    Repeat(usize),
    Kill(usize),
    Start(usize),
    Tell(usize, usize),
    Cut(usize),
    Heal,
}

/// A farm, and whether a member may die before it has repeated what was lost.
struct Session {
    budget: Budget,
    dies_owing: bool,
}

impl Model for Session {
    type State = Farm;
    type Action = Event;

    fn init_states(&self) -> Vec<Farm> {
        let mut farm = Farm {
            table: [None; 3],
            alive: [true; 3],
            cut: None,
            way: Vec::new(),
            owed: Vec::new(),
            told: [[true; 3]; 3],
            before: [[true; 3]; 3],
            left: self.budget,
            over: false,
        };
        // The first request came in at the second member; the first is the home.
        farm.push(
            1,
            Known {
                home: id(0),
                origin: id(1),
                version: 1,
                flags: 0,
            },
        );
        vec![farm]
    }

    fn actions(&self, farm: &Farm, out: &mut Vec<Event>) {
        let left = &farm.left;
        for m in MEMBERS.into_iter().filter(|m| farm.alive[*m]) {
            if farm.joined(m) {
                out.push(Event::Ask(m));
            }
            if left.moves > 0 && farm.table[m].is_some() {
                out.extend(MEMBERS.map(|to| Event::Move(m, to)));
            }
            if left.ends > 0 && farm.table[m].is_some() {
                out.push(Event::End(m));
            }
            let pushes = farm
                .owed
                .iter()
                .chain(&farm.way)
                .any(|(from, _, _)| *from == m);
            let walks = MEMBERS
                .into_iter()
                .any(|j| farm.alive[j] && !farm.told[j][m]);
            let owes = pushes || walks;
            if left.kills > 0 && (self.dies_owing || !owes) {
                out.push(Event::Kill(m));
            }
            if left.cuts > 0 && farm.cut.is_none() {
                out.push(Event::Cut(m));
            }
            for j in MEMBERS
                .into_iter()
                .filter(|j| *j != m && farm.hears(m, *j) && !farm.told[m][*j])
            {
                out.push(Event::Tell(j, m));
            }
        }
        for m in MEMBERS.into_iter().filter(|m| !farm.alive[*m]) {
            out.push(Event::Start(m));
        }
        for i in 0..farm.way.len() {
            out.push(Event::Deliver(i, false));
            if left.copies > 0 {
                out.push(Event::Deliver(i, true));
            }
            if left.losses > 0 {
                out.push(Event::Lose(i));
            }
        }
        for (i, (from, to, _)) in farm.owed.iter().enumerate() {
            if farm.hears(*from, *to) {
                out.push(Event::Repeat(i));
            }
        }
        if farm.cut.is_some() {
            out.push(Event::Heal);
        }
    }

    fn next_state(&self, last: &Farm, event: Event) -> Option<Farm> {
        let mut farm = last.clone();
        match event {
            Event::Ask(m) => farm.ask(m),
            Event::Move(m, to) => {
                farm.left.moves -= 1;
                let k = farm.table[m].filter(|k| k.flags & Association::ENDED == 0)?;
                let flags = k.flags | Association::CONFIRMED;
                farm.push(
                    m,
                    Known {
                        home: id(to),
                        origin: id(m),
                        version: next_version(k.version),
                        flags,
                    },
                );
            }
            Event::End(m) => {
                farm.left.ends -= 1;
                let k = farm.table[m]?;
                // As with a move, whoever ends it wants that kept.
                let flags = k.flags | Association::CONFIRMED | Association::ENDED;
                farm.push(
                    m,
                    Known {
                        origin: id(m),
                        version: next_version(k.version),
                        flags,
                        ..k
                    },
                );
            }
            Event::Deliver(i, again) => {
                let (_, to, k) = farm.way[i];
                if again {
                    farm.left.copies -= 1;
                } else {
                    farm.way.remove(i);
                }
                farm.learn(to, k);
            }
            Event::Lose(i) => {
                farm.left.losses -= 1;
                let lost = farm.way.remove(i);
                farm.owed.push(lost);
                farm.owed.sort();
            }
            Event::Repeat(i) => {
                let again = farm.owed.remove(i);
                farm.way.push(again);
                farm.way.sort();
            }
            Event::Kill(m) => {
                farm.left.kills -= 1;
                farm.alive[m] = false;
                farm.table[m] = None;
                farm.told[m] = [false; 3];
                if farm.cut == Some(m) {
                    farm.cut = None;
                }
                // What it has not repeated dies with it; its next start is told everything anyway.
                farm.owed.retain(|(from, to, _)| *from != m && *to != m);
                farm.way.retain(|(_, to, _)| *to != m);
                if !farm.alive.contains(&true) {
                    farm.over = false;
                }
            }
            Event::Start(m) => {
                farm.alive[m] = true;
                for j in MEMBERS {
                    farm.before[m][j] = farm.alive[j] && j != m && farm.joined(j);
                    farm.before[j][m] = false;
                }
                for j in MEMBERS {
                    // A member that is not there need not be waited for, and learns by its own start.
                    farm.told[m][j] = j == m || !farm.alive[j];
                    farm.told[j][m] |= farm.alive[j];
                }
            }
            Event::Tell(j, m) => {
                farm.told[m][j] = true;
                let knows = |i: usize| i != m && farm.hears(j, i) && farm.before[m][i];
                let lowest = MEMBERS
                    .into_iter()
                    .filter(|i| *i == j || knows(*i))
                    .map(id)
                    .min()?;
                if let Some(k) = farm.table[j] {
                    let knows = |i: u16| knows(usize::from(i) - 1);
                    if tells(id(j), id(m), k.origin, k.home, knows, lowest) {
                        farm.learn(m, k);
                    }
                }
            }
            Event::Cut(m) => {
                farm.left.cuts -= 1;
                farm.cut = Some(m);
                let (lost, rest) = farm
                    .way
                    .iter()
                    .partition(|(from, to, _)| *from == m || *to == m);
                (farm.owed, farm.way) = ([farm.owed.clone(), lost].concat(), rest);
                farm.owed.sort();
            }
            Event::Heal => farm.cut = None,
        }
        let living = || MEMBERS.into_iter().filter(|m| farm.alive[*m]);
        let ended = |m: usize| farm.table[m].is_some_and(|k| k.flags & Association::ENDED != 0);
        if farm.quiet() && living().count() > 0 && living().all(ended) {
            farm.over = true;
        }
        Some(farm)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("at rest all members store the same", |_, farm: &Farm| {
                let mut tables = MEMBERS
                    .into_iter()
                    .filter(|m| farm.alive[*m])
                    .map(|m| farm.table[m]);
                let first = tables.next();
                !farm.quiet() || tables.all(|t| Some(t) == first)
            }),
            Property::always("at rest nobody lacks it", |_, farm: &Farm| {
                let mut living = MEMBERS.into_iter().filter(|m| farm.alive[*m]);
                !farm.quiet() || living.all(|m| farm.table[m].is_some())
            }),
            Property::always(
                "at rest one member serves, wherever the request comes in",
                |_, farm: &Farm| {
                    let mut homes = MEMBERS
                        .into_iter()
                        .filter(|m| farm.alive[*m])
                        .map(|m| farm.served_by(m));
                    let first = homes.next();
                    !farm.quiet() || homes.all(|h| Some(h) == first)
                },
            ),
            Property::always("an ended session stays ended", |_, farm: &Farm| {
                let mut living = MEMBERS.into_iter().filter(|m| farm.alive[*m]);
                !(farm.over && farm.quiet())
                    || living
                        .all(|m| farm.table[m].is_some_and(|k| k.flags & Association::ENDED != 0))
            }),
            Property::sometimes("a session gets a new home", |_, farm: &Farm| {
                farm.quiet() && farm.table.iter().flatten().any(|k| k.version >= 0x1_0000)
            }),
            Property::sometimes("a session is ended", |_, farm: &Farm| farm.over),
        ]
    }
}

fn explore(budget: Budget, dies_owing: bool) -> impl Checker<Session> {
    Session { budget, dies_owing }
        .checker()
        .threads(1)
        .spawn_bfs()
        .join()
}

const NONE: Budget = Budget {
    moves: 0,
    ends: 0,
    kills: 0,
    cuts: 0,
    losses: 0,
    copies: 0,
};

#[test]
fn losses_copies_moves_and_ends() {
    let checker = explore(
        Budget {
            moves: 1,
            ends: 1,
            losses: 1,
            copies: 1,
            ..NONE
        },
        false,
    );
    checker.assert_no_discovery("at rest all members store the same");
    checker.assert_no_discovery("at rest nobody lacks it");
    checker.assert_no_discovery("at rest one member serves, wherever the request comes in");
    checker.assert_no_discovery("an ended session stays ended");
    checker.assert_any_discovery("a session is ended");
    println!("{} states", checker.unique_state_count());
}

#[test]
fn deaths_and_moves() {
    let checker = explore(
        Budget {
            moves: 1,
            kills: 1,
            losses: 1,
            ..NONE
        },
        false,
    );
    checker.assert_no_discovery("at rest all members store the same");
    checker.assert_no_discovery("at rest nobody lacks it");
    checker.assert_no_discovery("at rest one member serves, wherever the request comes in");
    checker.assert_any_discovery("a session gets a new home");
    println!("{} states", checker.unique_state_count());
}

#[test]
fn cuts() {
    let checker = explore(Budget { cuts: 1, ..NONE }, false);
    checker.assert_no_discovery("at rest all members store the same");
    checker.assert_no_discovery("at rest nobody lacks it");
    checker.assert_no_discovery("at rest one member serves, wherever the request comes in");
    checker.assert_any_discovery("a session gets a new home");
    println!("{} states", checker.unique_state_count());
}

#[test]
fn ends_and_deaths() {
    let checker = explore(
        Budget {
            ends: 1,
            kills: 2,
            losses: 1,
            ..NONE
        },
        false,
    );
    checker.assert_no_discovery("at rest all members store the same");
    checker.assert_no_discovery("at rest nobody lacks it");
    checker.assert_no_discovery("an ended session stays ended");
    println!("{} states", checker.unique_state_count());
}

/// The property can fail: what a member owes dies with it. Its id alone leads such a session home.
#[test]
fn what_dies_with_its_maker() {
    let checker = explore(
        Budget {
            kills: 1,
            losses: 1,
            ..NONE
        },
        true,
    );
    checker.assert_any_discovery("at rest nobody lacks it");
}
