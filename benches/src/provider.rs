//! The provider of texts: the emulator's Twilio on loopback, which takes every text and has each
//! delivered.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

pub use provider_emulator::{ACCOUNT, TOKEN};
use provider_emulator::{Account, Does, Emulator, Message, Personality, Says, Tell};

/// From taking a text to its receipt: no phone rings sooner.
const RECEIPT: Duration = Duration::from_millis(100);

/// What became of its receipts, by status; 0: the connection broke.
pub type Receipts = BTreeMap<u16, u64>;

/// The provider. It serves until the bench ends.
#[derive(Clone)]
pub struct Provider {
    emulator: Emulator,
    twilio: Account,
}

impl Provider {
    /// Listens on loopback.
    ///
    /// # Errors
    /// There is no port left.
    pub fn start() -> io::Result<Self> {
        let emulator = Emulator::start(Ipv4Addr::LOCALHOST)?;
        let twilio = emulator.account(Personality::Twilio);
        twilio.always(Does::Accept);
        emulator.tells(&[Tell::plainly(RECEIPT, Says::Delivered)]);
        Ok(Self { emulator, twilio })
    }

    /// Where it listens.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.emulator.at()
    }

    /// All it took so far.
    #[must_use]
    pub fn taken(&self) -> Vec<Message> {
        self.twilio.taken()
    }

    /// How its receipts were answered so far.
    #[must_use]
    pub fn receipts(&self) -> Receipts {
        self.emulator.statuses()
    }
}
