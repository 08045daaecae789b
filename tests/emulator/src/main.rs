//! The emulator as a program, for tries without an account at a provider.
#![expect(clippy::disallowed_methods, reason = "it serves until it is ended")]

use std::{collections::BTreeMap, net::SocketAddr, thread, time::Duration};

use clap::Parser;
use provider_emulator::{Emulator, Magic, Personality, Says, Tell, config};

/// Providers of messages on loopback: Twilio, Telnyx, WhatsApp, Bandwidth, Vonage, Plivo, another
/// gateway by HTTP, and a message centre by SMPP.
#[derive(Debug, Parser)]
#[command(name = "provider-emulator", version)]
struct Args {
    /// Where all that speak HTTP listen.
    #[arg(long, default_value = "127.0.0.1:9080")]
    http: SocketAddr,
    /// Where the message centre listens.
    #[arg(long, default_value = "127.0.0.1:2775")]
    smpp: SocketAddr,
    /// Where webhooks go that no request names an address for: the `public_url` of `carom.toml`.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    webhooks: String,
    /// Prints the tables of `carom.toml` that use it, and ends.
    #[arg(long)]
    config: bool,
    /// Prints what each number does, by its last digits, and ends.
    #[arg(long)]
    numbers: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.config {
        print!("{}", config::tables(args.http, args.smpp));
        return Ok(());
    }
    if args.numbers {
        for (magic, end) in Magic::ALL {
            println!("{end}  {magic:?}");
        }
        return Ok(());
    }
    let emulator = Emulator::listen(args.http, args.smpp)?;
    emulator.goes_to(&args.webhooks);
    let plainly = |ms, says| Tell::plainly(Duration::from_millis(ms), says);
    emulator.tells(&[plainly(200, Says::Sent), plainly(1_000, Says::Delivered)]);
    println!("providers by HTTP at {}, SMPP at {}", emulator.url(), emulator.centre().at);
    println!("texts that came: curl {}/emulator/taken", emulator.url());
    let from = "provider=twilio&from=%2B447400110001&text=STOP";
    println!("a text to us:    curl -X POST '{}/emulator/texts?{from}'", emulator.url());
    let (mut seen, mut seen_by_smpp) = (BTreeMap::<Personality, usize>::new(), 0);
    loop {
        for is in Personality::HTTP {
            let (taken, seen) = (emulator.account(is).taken(), seen.entry(is).or_default());
            for message in &taken[*seen..] {
                println!("{} to {}: {}", is.name(), message.to, message.text);
            }
            *seen = taken.len();
        }
        let taken = emulator.centre().taken();
        for message in &taken[seen_by_smpp..] {
            let (to, octets) = (&message.destination.text, message.text().len());
            println!(
                "{} to {to}: a text, or a part of one, of {octets} octets",
                Personality::Smpp.name()
            );
        }
        seen_by_smpp = taken.len();
        thread::sleep(Duration::from_millis(200));
    }
}
