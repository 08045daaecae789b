//! `carom demo`: engine, inbox and a small legacy PBX in one process, and three calls.

mod scenes;
mod stage;

use std::process::ExitCode;

use self::{scenes::Outcome, stage::Stage};
use crate::{cli::print_time_line, node::log};

/// What was played and how it came out.
pub(crate) struct Played {
    /// What the caller does.
    title: &'static str,
    /// How it should come out.
    expected: Outcome,
    /// How it came out; `None`: none of the three.
    outcome: Option<Outcome>,
    /// Whether the caller pressed keys.
    digits: &'static str,
    /// The text received.
    message: Option<String>,
    /// From the INVITE to the end.
    ms: u64,
    /// The call's record.
    call: Option<(crate::switchboard::CallSummary, crate::switchboard::TimeLine)>,
}

/// Plays the three calls; with `once` the engine ends then, else it stays to be rung.
///
/// # Errors
/// The engine does not start.
pub async fn run(once: bool, json: bool) -> anyhow::Result<ExitCode> {
    log::start(log::Format::Text, "warn");
    let mut stage = Stage::set(once).await?;
    if !json {
        println!("Engine on {}, its legacy PBX on {}.\n", stage.sip(), stage.pbx_at());
    }
    let mut all_well = true;
    for scene in scenes::ALL {
        let played = scene.play(&mut stage).await?;
        all_well &= played.outcome == Some(played.expected);
        if json {
            print_json(&played)?;
        } else {
            print(&played);
        }
    }
    if once {
        stage.clear().await;
        return Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    stage.revive_pbx().await?;
    if !json {
        println!(
            "The engine stays: ring sip:100@{} with a softphone, or\n  carom call sip:100@{} --from \
             +447700900777 --press 1@3s\nTexts: http://{}/sandbox   Stop it with Ctrl-C.",
            stage.sip(),
            stage.sip(),
            stage.http()
        );
    }
    stage.serve().await?;
    Ok(ExitCode::SUCCESS)
}

fn print(played: &Played) {
    let word = played.outcome.map_or("something else", Outcome::as_str);
    println!("── {}", played.title);
    if let Some((summary, line)) = &played.call {
        print_time_line(summary, line);
    }
    if let Some(text) = &played.message {
        println!("  text received: {text}");
    }
    let verdict = if played.outcome == Some(played.expected) { "as it should" } else { "WRONG" };
    println!("  ⇒ {word} after {:.1} s: {verdict}\n", played.ms as f64 / 1_000.0);
}

fn print_json(played: &Played) -> anyhow::Result<()> {
    let call = played.call.as_ref().map(|(summary, _)| summary.call.clone());
    let line = JsonLine {
        call,
        outcome: played.outcome.map(Outcome::as_str),
        digits: played.digits,
        message: played.message.as_deref(),
        ms: played.ms,
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

/// What `--json` prints of a call.
#[derive(serde::Serialize)]
struct JsonLine<'a> {
    call: Option<String>,
    outcome: Option<&'static str>,
    digits: &'static str,
    message: Option<&'a str>,
    ms: u64,
}
