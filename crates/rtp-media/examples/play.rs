//! Plays a WAV file as RTP and prints the keys that come back:
//! `play FILE.wav [ADDRESS:PORT]`. Without an address it rings a phone of its own, which hears the
//! prompt out and presses 1.
#![expect(clippy::disallowed_methods, reason = "an example's phone waits in real time")]

use std::error::Error;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use rtp_media::Law;
use rtp_media::ports::PortPool;
use rtp_media::prompt::PromptSet;
use rtp_media::rtp::{Header, write_header};
use rtp_media::session::{MediaEvent, StreamConfig};
use rtp_media::worker::{Command, MediaConfig, MediaPool};

const EVENT_PT: u8 = 101;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, phone) = match &arguments[..] {
        [file] => (file, own_phone()?),
        [file, phone] => (file, phone.parse()?),
        _ => return Err("usage: play FILE.wav [ADDRESS:PORT]".into()),
    };
    let mut prompts = PromptSet::default();
    prompts.insert_wav("en-GB", "prompt", &std::fs::read(Path::new(file))?)?;
    let prompt = prompts.find("en-GB", "prompt").ok_or("no prompt")?;
    println!("playing {} ms to {phone}", prompt.len_ms);

    let (sender, events) = channel();
    let sink = Box::new(move |event| drop(sender.send(event)));
    let media = MediaPool::start(MediaConfig::default(), sink)?;
    let local: IpAddr = if phone.ip().is_loopback() { phone.ip() } else { [0, 0, 0, 0].into() };
    let ports = PortPool::new(local, 30_000..=30_999).reserve()?;
    println!("sending from, and listening on, port {}", ports.rtp_port());
    let leg = media.allocate(None);
    media.send(leg, Command::Open { ports, ssrc: 0xCA40_0001, seq: 1, timestamp: 1 })?;
    let config = StreamConfig::new(phone, Law::Pcma).with_events(EVENT_PT);
    media.send(leg, Command::Configure(Box::new(config)))?;
    let items = vec![Arc::clone(&prompt)];
    media.send(leg, Command::Play { id: 1, items, barge_in: true, repeat: false })?;

    // After the prompt a key is waited for, a while.
    let mut patience = Duration::from_millis(u64::from(prompt.len_ms) + 5_000);
    while let Ok(event) = events.recv_timeout(patience) {
        match event {
            MediaEvent::PlayDone { played_ms, completed, .. } => {
                println!("played {played_ms} ms{}", if completed { "" } else { ", interrupted" });
                patience = Duration::from_secs(5);
            }
            MediaEvent::KeyUp { digit, duration_ms, .. } => {
                println!("key {digit}, {duration_ms} ms");
                media.send(leg, Command::Close)?;
            }
            MediaEvent::Closed { stats, .. } => {
                println!("sent {} packets", stats.sent_packets);
                return Ok(());
            }
            _ => {}
        }
    }
    println!("no key came");
    Ok(())
}

/// A phone that hears the prompt for a second and presses 1.
fn own_phone() -> Result<SocketAddr, Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let here = socket.local_addr()?;
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut packet, mut there) = ([0; 2_048], here);
        for _ in 0..50 {
            let (length, from) = socket.recv_from(&mut packet)?;
            if Header::parse(&packet[..length]).is_some() {
                there = from;
            }
        }
        // The key lasts 100 ms; its end is sent three times.
        for (seq, duration) in [160u16, 320, 480, 640, 800, 800, 800].into_iter().enumerate() {
            let end = if seq >= 4 { 0x8A } else { 0x0A };
            let mut event = [0; 16];
            let (header, report) = event.split_at_mut(12);
            if let Some(header) = header.first_chunk_mut() {
                write_header(header, seq == 0, EVENT_PT, seq as u16, 8_000, 0xB0B);
            }
            report.copy_from_slice(&[1, end, (duration >> 8) as u8, duration as u8]);
            socket.send_to(&event, there)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    });
    Ok(here)
}
