//! What a phone of others hears, where it keeps nothing itself.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, Weak},
    thread,
};

use audio_codec_algorithms::{decode_alaw, decode_ulaw};

use crate::{Ear, PCMA, PCMU, go_on_for};

/// Hears the G.711 that comes to an address, until it is dropped.
#[derive(Debug)]
pub struct Recorder {
    addr: SocketAddr,
    heard: Arc<Mutex<Vec<i16>>>,
}

impl Recorder {
    /// At any port of `ip`.
    #[must_use]
    pub fn at(ip: Ipv4Addr) -> Self {
        let ear = Ear::at(ip);
        let recorder = Self { addr: ear.addr(), heard: Arc::default() };
        let kept = Arc::downgrade(&recorder.heard);
        thread::spawn(move || listen(&ear, &kept));
        recorder
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it heard so far, packet after packet.
    #[must_use]
    pub fn heard(&self) -> Vec<i16> {
        self.heard.lock().unwrap().clone()
    }
}

fn listen(ear: &Ear, kept: &Weak<Mutex<Vec<i16>>>) {
    while let Some(kept) = kept.upgrade() {
        for packet in ear.heard() {
            let decode = match packet.pt {
                PCMA => decode_alaw,
                PCMU => decode_ulaw,
                _ => continue,
            };
            kept.lock().unwrap().extend(packet.payload.iter().map(|&byte| decode(byte)));
        }
        drop(kept);
        go_on_for(20);
    }
}
