//! Reads a SIP message from a file or from standard input and prints what it says.
//!
//! `cargo run -p sip-stack --example parse -- crates/sip-stack/tests/rfc4475/wsinv.dat`
//!
//! With `--time N` the message is read N times and the time of one reading is printed.

#![expect(clippy::disallowed_methods, reason = "an example measures with the machine's clock")]

use std::{
    env, fs,
    hint::black_box,
    io::{self, Read},
    time::Instant,
};

use sip_stack::{
    HeaderName, Message,
    message::{NameAddr, Via},
    sdp::Session,
};

fn main() -> io::Result<()> {
    let mut args: Vec<_> = env::args().skip(1).collect();
    let rounds = args.iter().position(|arg| arg == "--time").and_then(|at| {
        let rounds = args.get(at + 1)?.parse::<u32>().ok();
        args.drain(at..at + 2);
        rounds
    });
    let mut bytes = Vec::new();
    match args.first() {
        Some(path) => bytes = fs::read(path)?,
        None => drop(io::stdin().read_to_end(&mut bytes)?),
    }
    match Message::parse(&bytes) {
        Ok(message) => describe(&message),
        Err(error) => match error.status() {
            Some((status, reason)) => println!("refused with {status} {reason}: {error}"),
            None => println!("dropped: {error}"),
        },
    }
    if let Some(rounds) = rounds.filter(|&rounds| rounds > 0) {
        let start = Instant::now();
        for _ in 0..rounds {
            let _ = black_box(Message::parse(black_box(&bytes)));
        }
        println!(
            "{} ns to read {} bytes",
            start.elapsed().as_nanos() / u128::from(rounds),
            bytes.len()
        );
    }
    Ok(())
}

fn describe(message: &Message) {
    match message {
        Message::Request(request) => println!("{} {}", request.method(), request.uri()),
        Message::Response(response) => println!("{} {}", response.status(), response.reason()),
    }
    for via in message.headers().values(HeaderName::Via) {
        println!(
            "  via {}",
            Via::parse(via).map_or_else(|why| why.to_string(), |via| via.to_string())
        );
    }
    for name in [HeaderName::From, HeaderName::To, HeaderName::Contact] {
        for party in NameAddr::all(message.headers(), name.clone()) {
            let display = party.display_plain().unwrap_or_default();
            println!("  {name} {display:?} {} tag {:?}", party.uri, party.tag());
        }
    }
    if let Ok(session) = Session::parse(message.body()) {
        for media in session.media() {
            println!(
                "  {} on port {} over {}: {}",
                media.kind(),
                media.port(),
                media.proto(),
                media.formats()
            );
        }
    }
}
