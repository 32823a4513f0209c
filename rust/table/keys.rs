// SPDX-License-Identifier: GPL-2.0

//! The farm's keys: one makes, up to three verify.

use kernel::prelude::*;

use crate::{
    decide::{
        cookie,
        crypto::{BlockCipher, Prf},
        limits::SESSION_KEYS,
        sid::{self, Claims, Sid}, //
    },
    kapi::crypto::{Keys, Purpose},
    wire::control::Association,
};

/// One key and its number, which is the same on every member.
pub(crate) struct Key {
    /// Its number; the low bit is the parity in cookies.
    pub(crate) id: u8,
    keys: Keys,
}

struct CookiePrf<'a>(&'a Keys);
impl Prf for CookiePrf<'_> {
    fn prf(&self, data: &[u8]) -> u64 {
        self.0.prf(Purpose::Cookie, data)
    }
}

struct SidPrf<'a>(&'a Keys);
impl Prf for SidPrf<'_> {
    fn prf(&self, data: &[u8]) -> u64 {
        self.0.prf(Purpose::Sid, data)
    }
}

struct SidCipher<'a>(&'a Keys);
impl BlockCipher for SidCipher<'_> {
    fn encrypt(&self, block: &mut [u8; 16]) {
        self.0.encrypt(block);
    }
    fn decrypt(&self, block: &mut [u8; 16]) {
        self.0.decrypt(block);
    }
}

impl Key {
    /// Derives what is needed from the 32 secret bytes. Process context.
    pub(crate) fn new(id: u8, secret: &[u8; 32]) -> Result<Self> {
        Ok(Self {
            id,
            keys: Keys::new(secret)?,
        })
    }

    /// The same for the same secret; nothing else can be told from it. No other input of this
    /// function begins with its first byte.
    pub(crate) fn fingerprint(&self) -> u32 {
        self.keys.prf(Purpose::Cookie, b"fingerprint") as u32
    }

    /// What a SYN is answered with.
    pub(crate) fn cookie(
        &self,
        tuple: &crate::wire::addr::Tuple,
        client_isn: u32,
        options: &cookie::SynOptions,
        now_s: u64,
    ) -> cookie::Made {
        let prf = CookiePrf(&self.keys);
        cookie::make(&prf, self.id & 1, tuple, client_isn, options, now_s)
    }

    /// A new session id.
    pub(crate) fn sid(&self, claims: &Claims, random: u64) -> Sid {
        let [a, b, c, d, e, f, g, _] = random.to_be_bytes();
        sid::make(
            &SidCipher(&self.keys),
            &SidPrf(&self.keys),
            claims,
            [a, b, c, d, e, f, g],
        )
    }

    /// The whole session id of a table key (its MAC made again).
    pub(crate) fn sid_of(&self, key: &[u8; 16]) -> Sid {
        let mac = self.keys.prf(Purpose::Sid, key).to_le_bytes();
        let mut sid = [0; 24];
        for (to, from) in sid.iter_mut().zip(Iterator::chain(key.iter(), &mac)) {
            *to = *from;
        }
        Sid(sid)
    }

    /// MAC of a data message.
    pub(crate) fn data_mac(&self, input: &[u8]) -> [u8; 8] {
        self.keys.prf(Purpose::Data, input).to_be_bytes()
    }

    /// MAC of a control message.
    pub(crate) fn control_mac(&self, input: &[u8]) -> [u8; 16] {
        self.keys.mac(input)
    }

    /// A place in a farm-wide order that no client can choose (rendezvous).
    pub(crate) fn prf(&self) -> impl Prf + '_ {
        CookiePrf(&self.keys)
    }
}

/// Adds a key where there is room for it.
fn put(keys: &mut KVec<Arc<Key>>, key: Option<Arc<Key>>) -> Result {
    match key {
        Some(k) => keys.push_within_capacity(k).map_err(|_| ENOSPC),
        None => Ok(()),
    }
}

/// The keys in use, published whole.
pub(crate) struct KeyRing {
    /// Newest first; the first one makes, all verify. Never empty.
    keys: KVec<Arc<Key>>,
}

use kernel::sync::Arc;

impl KeyRing {
    /// A ring in which `key` replaces the one of its number, or is added. With `send` it becomes
    /// the one that makes. The oldest beyond three goes. Process context.
    pub(crate) fn with(old: Option<&Self>, key: Key, send: bool) -> Result<KBox<Self>> {
        let mut keys = KVec::with_capacity(SESSION_KEYS + 1, GFP_KERNEL)?;
        let id = key.id;
        let key = Arc::new(key, GFP_KERNEL)?;
        let rest = old.map_or(&[] as &[Arc<Key>], |o| &o.keys);
        // A key that only receives stands behind the one that sends.
        let mut pending = Some(key);
        if send || rest.is_empty() {
            put(&mut keys, pending.take())?;
        }
        for k in rest.iter().filter(|k| k.id != id) {
            if keys.len() < SESSION_KEYS {
                put(&mut keys, Some(k.clone()))?;
            }
            put(&mut keys, pending.take())?;
        }
        put(&mut keys, pending)?;
        Ok(KBox::new(Self { keys }, GFP_KERNEL)?)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key that makes.
    pub(crate) fn send(&self) -> Option<&Key> {
        self.keys.first().map(|k| &**k)
    }

    /// The key of a number.
    pub(crate) fn get(&self, id: u8) -> Option<&Key> {
        self.keys.iter().find(|k| k.id == id).map(|k| &**k)
    }

    /// The first answer of the keys that may have made a cookie, newest first: those of its parity.
    /// Usually there is one; a roll to a number of the same parity must not fail the handshakes under
    /// way.
    fn of_cookie<T>(
        &self,
        cookie: u32,
        ask: impl Fn([Option<&CookiePrf<'_>>; 2]) -> Option<T>,
    ) -> Option<T> {
        let odd = cookie & 1 == 1;
        let of_it = self.keys.iter().filter(|k| (k.id & 1 == 1) == odd);
        let mut prfs = of_it.map(|k| CookiePrf(&k.keys));
        prfs.find_map(|prf| match odd {
            false => ask([Some(&prf), None]),
            true => ask([None, Some(&prf)]),
        })
    }

    /// Verifies a cookie (see [`cookie::verify_with_ts`]).
    pub(crate) fn verify_cookie(
        &self,
        tuple: &crate::wire::addr::Tuple,
        client_isn: u32,
        cookie: u32,
        tsecr: Option<u32>,
        now_s: u64,
    ) -> Option<cookie::Established> {
        self.of_cookie(cookie, |keys| {
            cookie::verify_with_ts(keys, tuple, client_isn, cookie, tsecr, now_s)
        })
    }

    /// Whether a segment is an early one of a valid connection (see [`cookie::early_segment`]).
    pub(crate) fn early_segment(
        &self,
        tuple: &crate::wire::addr::Tuple,
        seq: u32,
        ack: u32,
        fits: &cookie::Fits,
        timestamps: bool,
        now_s: u64,
    ) -> Option<(u32, u8, cookie::Established)> {
        self.of_cookie(ack.wrapping_sub(1), |keys| {
            cookie::early_segment(keys, tuple, seq, ack, fits, timestamps, now_s)
        })
    }

    /// The key that made the id of a session, and what the id says. `known` is what is stored of the
    /// session: without it the key that fits is told by the block's own form, which one of 16,000
    /// other keys would fit, too. The id itself was verified when the key was stored.
    fn made(&self, session: &[u8; 16], known: Option<&Association>) -> Option<(&Key, Claims)> {
        self.keys.iter().find_map(|k| {
            let claims = sid::read(&SidCipher(&k.keys), *session)?;
            let fits = known.is_none_or(|a| (a.created, a.group) == (claims.created, claims.group));
            fits.then_some((&**k, claims))
        })
    }

    /// What the id of a session says, whichever key made it.
    pub(crate) fn claims_of(
        &self,
        session: &[u8; 16],
        known: Option<&Association>,
    ) -> Option<Claims> {
        self.made(session, known).map(|(_, claims)| claims)
    }

    /// The key that all members share for what they choose and say alike about a session: the one
    /// that made its id. The one that sends is not the same everywhere while keys are rolled; it
    /// serves where the first is loaded no more.
    pub(crate) fn shared(&self, session: &[u8; 16], known: Option<&Association>) -> Option<&Key> {
        let made = self.made(session, known).map(|(key, _)| key);
        made.or_else(|| self.send())
    }

    /// The key that made the id of a known session, if it is loaded.
    pub(crate) fn maker(&self, session: &[u8; 16], known: &Association) -> Option<&Key> {
        self.made(session, Some(known)).map(|(key, _)| key)
    }

    /// Reads a session id with whichever key made it.
    pub(crate) fn open_sid(&self, sid: &Sid) -> Option<Claims> {
        self.keys
            .iter()
            .find_map(|k| sid::open(&SidCipher(&k.keys), &SidPrf(&k.keys), sid))
    }
}
