//! Prints what a text costs as SMS, and what kind of line a number reaches.
//!
//! `cargo run -p message-text --example segments -- "Su enlace está aquí" "07400 123456" GB`

use std::env;

use message_text::{E164, gsm7::transliterate, segments};

fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    let Some(text) = args.first() else {
        eprintln!("usage: segments TEXT [NUMBER [COUNTRY]]");
        std::process::exit(2);
    };
    cost(text);
    let plain = transliterate(text);
    if plain != *text {
        println!("as {plain:?}:");
        cost(&plain);
    }
    if let Some(number) = args.get(1) {
        let region = args.get(2).map_or("", String::as_str);
        match E164::parse(number, region) {
            Ok(number) => println!(
                "{number}: {}, {}, {}",
                number.region(),
                number.line_type().as_str(),
                if number.textable() { "can be texted" } else { "is not texted" }
            ),
            Err(why) => println!("{number}: {why}"),
        }
    }
}

fn cost(text: &str) {
    let cost = segments(text);
    let why = cost.offending.map_or(String::new(), |c| format!(", because of {c:?}"));
    let (count, units) = (cost.count, cost.units);
    println!("{count} segment(s), {units} units of {}{why}", cost.encoding.as_str());
}
