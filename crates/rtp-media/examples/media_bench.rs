//! Measures what a media worker costs: N calls over loopback, a generator on another core.
//!
//! ```text
//! cargo run --release -p rtp-media --example media_bench -- ivr 400 10
//! cargo run --release -p rtp-media --example media_bench -- bridge 400 10
//! ```
//!
//! `ivr`: each call hears a prompt and sends audio. `bridge`: each call has two legs, audio both
//! ways. Prints CPU-milliseconds of the worker thread per call and second, and how late packets
//! were. The generator sends each call's packets 20 ms apart, all calls spread over the 20 ms.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rtp_media::Law;
use rtp_media::ports::PortPool;
use rtp_media::prompt::Prompt;
use rtp_media::rtp::write_header;
use rtp_media::session::{KeyRelay, MediaEvent, SessionId, SessionStats, StreamConfig};
use rtp_media::worker::{Command, MediaConfig, MediaPool};
use rustix::net::{RecvFlags, SendFlags, recv, sendto};
use rustix::thread::{CpuSet, sched_setaffinity};
use socket2::{Domain, Socket, Type};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let bridged = arguments.get(1).is_some_and(|mode| mode == "bridge");
    let calls: usize = arguments.get(2).map_or(Ok(400), |n| n.parse())?;
    let seconds: u64 = arguments.get(3).map_or(Ok(10), |n| n.parse())?;
    let legs = if bridged { 2 * calls } else { calls };

    let closed = Arc::new(Mutex::new(Vec::new()));
    let sink = closed.clone();
    let events = move |event| {
        if let (MediaEvent::Closed { stats, .. }, Ok(mut closed)) = (event, sink.lock()) {
            closed.push(stats);
        }
    };
    let config = MediaConfig { pin: vec![0], ..MediaConfig::default() };
    let pool = MediaPool::start(config, Box::new(events))?;
    let (sessions, phones) = open_legs(&pool, legs)?;
    if bridged {
        for pair in sessions.chunks_exact(2) {
            pool.send(pair[0], Command::Bridge { peer: pair[1], keys: KeyRelay::Rfc4733 })?;
        }
    } else {
        play_to(&pool, &sessions)?;
    }

    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::new(AtomicU64::new(0));
    let generator = {
        let (stop, heard) = (stop.clone(), heard.clone());
        std::thread::Builder::new()
            .name("generator".into())
            .spawn(move || generate(&phones, &stop, &heard))?
    };
    std::thread::sleep(Duration::from_secs(2));
    let (cpu, packets, began) =
        (thread_cpu("media-0")?, heard.load(Ordering::Relaxed), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds));
    let (cpu, packets) = (thread_cpu("media-0")? - cpu, heard.load(Ordering::Relaxed) - packets);
    let call_seconds = calls as f64 * began.elapsed().as_secs_f64();
    println!("{:.3} CPU-ms per call-second", cpu.as_secs_f64() * 1_000.0 / call_seconds);
    println!("{:.1} % of a core", 100.0 * cpu.as_secs_f64() / began.elapsed().as_secs_f64());
    println!("{:.2} packets heard per call-second", packets as f64 / call_seconds);

    stop.store(true, Ordering::Relaxed);
    for &session in &sessions {
        pool.send(session, Command::Close)?;
    }
    drop(pool);
    generator.join().map_err(|_| "the generator failed")?;
    if let Ok(stats) = closed.lock() {
        print_lateness(&stats);
    }
    Ok(())
}

struct Phone {
    socket: Socket,
    remote: SocketAddr,
}

fn open_legs(
    pool: &MediaPool,
    legs: usize,
) -> Result<(Vec<SessionId>, Vec<Phone>), Box<dyn std::error::Error>> {
    let ports = PortPool::new(LOCAL, 30_000..=45_000);
    let (mut sessions, mut phones) = (Vec::new(), Vec::new());
    for n in 0..legs {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.bind(&SocketAddr::new(LOCAL, 0).into())?;
        let here = socket.local_addr()?.as_socket().ok_or("no address")?;
        let ports = ports.reserve()?;
        phones.push(Phone { socket, remote: SocketAddr::new(LOCAL, ports.rtp_port()) });
        let session = pool.allocate(None);
        let (ssrc, timestamp) = (0x1000_0000 + n as u32, 160 * n as u32);
        pool.send(session, Command::Open { ports, ssrc, seq: n as u16, timestamp })?;
        let config = StreamConfig::new(here, Law::Pcma).with_events(101);
        pool.send(session, Command::Configure(Box::new(config)))?;
        sessions.push(session);
        if n % 100 == 99 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok((sessions, phones))
}

fn play_to(pool: &MediaPool, sessions: &[SessionId]) -> Result<(), Box<dyn std::error::Error>> {
    let samples: Vec<i16> = (0..40_000).map(|n| ((n * 37) % 8_000) as i16).collect();
    let prompt = Arc::new(Prompt::from_samples("bench", &samples));
    for &session in sessions {
        let items = vec![prompt.clone()];
        pool.send(session, Command::Play { id: 1, items, barge_in: true, repeat: true })?;
    }
    Ok(())
}

/// Sends one packet per phone every 20 ms, in 20 groups a millisecond apart, and reads what came.
fn generate(phones: &[Phone], stop: &AtomicBool, heard: &AtomicU64) {
    let mut cores = CpuSet::new();
    cores.set(1);
    let _ = sched_setaffinity(None, &cores);
    let began = Instant::now();
    let mut packet = [0xD5; 172];
    let mut buffer = [0; 256];
    for tick in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let due = began + Duration::from_millis(tick);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let frame = tick / 20;
        for (n, phone) in phones.iter().enumerate().skip((tick % 20) as usize).step_by(20) {
            if let Some(header) = packet.first_chunk_mut() {
                write_header(header, frame == 0, 8, frame as u16, 160 * frame as u32, n as u32);
            }
            let _ = sendto(&phone.socket, &packet, SendFlags::DONTWAIT, &phone.remote);
            while recv(&phone.socket, &mut buffer[..], RecvFlags::DONTWAIT).is_ok() {
                heard.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// CPU time of one of our threads, from the scheduler's own account.
fn thread_cpu(name: &str) -> Result<Duration, Box<dyn std::error::Error>> {
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        if fs::read_to_string(path.join("comm"))?.trim() == name {
            let account = fs::read_to_string(path.join("schedstat"))?;
            let nanos = account.split(' ').next().unwrap_or_default().parse()?;
            return Ok(Duration::from_nanos(nanos));
        }
    }
    Err(format!("no thread {name}").into())
}

fn print_lateness(stats: &[SessionStats]) {
    let sent: u64 = stats.iter().map(|s| s.sent_packets).sum();
    let late: u64 = stats.iter().map(|s| s.late_packets).sum();
    let worst = stats.iter().map(|s| s.max_late_us).max().unwrap_or_default();
    let lost: u64 = stats.iter().map(|s| s.lost).sum();
    println!("{late} of {sent} packets over 5 ms late, worst {:.2} ms", f64::from(worst) / 1e3);
    println!("{lost} packets of the generator lost");
}
