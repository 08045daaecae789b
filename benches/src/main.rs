//! The system benchmark: the engine on one core, the carrier, the PBX and all RTP on the other.

mod engine;
mod load;
mod rtp;
mod sip;
mod wire;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use crate::{
    engine::{Engine, pause},
    load::Load,
    rtp::percentile,
};

/// Measures the engine. Run it on an otherwise idle machine, as a release build.
#[derive(Debug, Parser)]
struct Args {
    /// What to measure.
    #[arg(value_enum)]
    figure: Figure,
    /// The engine's binary; left out, the one beside this program.
    #[arg(long)]
    engine: Option<PathBuf>,
    /// Calls at once, or in all (set-up, memory).
    #[arg(long)]
    calls: Option<usize>,
    /// Seconds measured.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// New calls per second (set-up).
    #[arg(long)]
    rate: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// CPU of calls that hear a prompt, send RTP and press a key; delays and pacing.
    Ivr,
    /// CPU of calls forwarded to a PBX, RTP both ways on both legs.
    Bridged,
    /// CPU of one call.
    Single,
    /// CPU and rate of calls that end as soon as they are answered.
    Setup,
    /// Memory per call, and after many calls.
    Memory,
    /// All of these.
    All,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    pin(1)?;
    let figures = match args.figure {
        Figure::All => vec![
            (Figure::Single, 1, None),
            (Figure::Ivr, 400, None),
            (Figure::Ivr, 1_200, None),
            (Figure::Bridged, 400, None),
            (Figure::Setup, 0, Some(600)),
            (Figure::Setup, 0, Some(1_200)),
            (Figure::Setup, 0, Some(2_400)),
            (Figure::Memory, 1_000, None),
        ],
        Figure::Single => vec![(Figure::Single, 1, None)],
        figure => vec![(figure, args.calls.unwrap_or(400), args.rate)],
    };
    for (run, (figure, calls, rate)) in (1..).zip(figures) {
        let time = Duration::from_secs(args.seconds);
        let told = match figure {
            Figure::Setup => setup(&args, run, rate.unwrap_or(600), time)?,
            Figure::Memory => memory(&args, run, calls)?,
            _ => talking(&args, run, figure, calls, time)?,
        };
        println!("{told}");
    }
    Ok(())
}

fn start(args: &Args) -> anyhow::Result<Engine> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join("carom"));
    let binary = args.engine.clone().or_else(beside).context("no engine")?;
    ensure!(binary.is_file(), "{} is missing: build it first", binary.display());
    Ok(Engine::start(&binary, 0)?)
}

/// Calls that last: set up slowly, measured while all are up.
fn talking(
    args: &Args,
    run: u32,
    figure: Figure,
    calls: usize,
    time: Duration,
) -> anyhow::Result<Value> {
    let engine = start(args)?;
    let mut load = Load::new(run)?;
    dial(&mut load, calls, 100);
    load.run_for(Duration::from_secs(1), |_, _| {});
    ensure!(load.ends.up == calls, "{:?} of {calls} calls are up\n{}", load.ends, engine.log());
    if figure == Figure::Bridged {
        press_all(&mut load, 0, Duration::from_secs(4));
        load.run_for(Duration::from_secs(2), |_, _| {});
        ensure!(load.ends.forwarded == calls, "{:?} of {calls}\n{}", load.ends, engine.log());
    }
    let threads = engine.cpu_by_thread()?;
    let before = engine.cpu_seconds()?;
    load.measuring = true;
    if figure == Figure::Bridged {
        load.run_for(time, |_, _| {});
    } else {
        press_all(&mut load, 5, time);
    }
    load.measuring = false;
    let cpu = engine.cpu_seconds()? - before;
    let by_thread: Vec<Value> = engine
        .cpu_by_thread()?
        .iter()
        .zip(&threads)
        .filter(|((_, after), (_, before))| after - before > 0.001)
        .map(|((name, after), (_, before))| json!([name, round(after - before)]))
        .collect();
    load.hang_up();
    let all_over = load.run_until(Duration::from_secs(10), |load| load.ends.over == calls);
    let seconds = calls as f64 * time.as_secs_f64();
    let expected = (seconds * 50.0) as u64;
    let heard = &mut load.heard;
    let answered = heard.answers.len();
    Ok(json!({
        "figure": format!("{figure:?}").to_lowercase(),
        "calls": calls,
        "seconds": time.as_secs(),
        "cpu_ms_per_call_second": round(cpu * 1_000.0 / seconds),
        "core_percent": round(cpu * 100.0 / time.as_secs_f64()),
        "cpu_by_thread_seconds": by_thread,
        "packets": heard.packets,
        "expected": expected,
        "lost": heard.lost,
        "late_percent": round(heard.late as f64 * 100.0 / heard.packets.max(1) as f64),
        "pacing_us_p50": percentile(&mut heard.pacing, 0.5),
        "pacing_us_p999": percentile(&mut heard.pacing, 0.999),
        "keys_answered": answered,
        "key_to_prompt_us_p50": percentile(&mut heard.answers, 0.5),
        "key_to_prompt_us_p99": percentile(&mut heard.answers, 0.99),
        "pbx_packets": load.pbx_heard.packets,
        "pbx_lost": load.pbx_heard.lost,
        "all_over": all_over,
    }))
}

/// Calls that end as soon as they are up, at a steady rate.
fn setup(args: &Args, run: u32, rate: usize, time: Duration) -> anyhow::Result<Value> {
    let engine = start(args)?;
    let mut load = Load::new(run)?;
    load.media = false;
    load.brief = true;
    let before = engine.cpu_seconds()?;
    load.run_for(time, |load, passed| {
        let due = (passed.as_secs_f64() * rate as f64) as usize;
        while load.len() < due {
            load.call();
        }
    });
    let all_over = load.run_until(Duration::from_secs(10), |load| {
        load.ends.over + load.ends.refused + load.ends.failed == load.len()
    });
    pause(Duration::from_secs(2));
    let cpu = engine.cpu_seconds()? - before;
    let made = load.len();
    Ok(json!({
        "figure": "setup",
        "offered_per_second": rate,
        "calls": made,
        "completed_per_second": round(load.ends.over as f64 / time.as_secs_f64()),
        "refused": load.ends.refused,
        "failed": load.ends.failed,
        "all_over": all_over,
        "cpu_ms_per_call": round(cpu * 1_000.0 / made as f64),
        "core_percent": round(cpu * 100.0 / time.as_secs_f64()),
        "invite_to_200_us_p50": percentile(&mut load.answers, 0.5),
        "invite_to_200_us_p99": percentile(&mut load.answers, 0.99),
    }))
}

/// Memory of calls that are up, and what is left after many short ones.
fn memory(args: &Args, run: u32, calls: usize) -> anyhow::Result<Value> {
    let engine = start(args)?;
    let mut load = Load::new(run)?;
    // What the first calls make once is not theirs alone.
    dial(&mut load, 50, 100);
    load.run_for(Duration::from_secs(1), |_, _| {});
    load.hang_up();
    load.run_until(Duration::from_secs(10), |load| load.ends.over == 50);
    let first = engine.pss_kib()?;
    dial(&mut load, calls, 100);
    load.run_for(Duration::from_secs(3), |_, _| {});
    let up = engine.pss_kib()?;
    load.hang_up();
    let made = load.len();
    load.run_until(Duration::from_secs(10), |load| load.ends.over == made);
    let mut brief = Load::new_on(run + 1_000, load)?;
    brief.media = false;
    brief.brief = true;
    let many = args.calls.map_or(100_000, |calls| calls * 20);
    let time = Duration::from_secs_f64(many as f64 / 800.0);
    brief.run_for(time, |load, passed| {
        let due = ((passed.as_secs_f64() * 800.0) as usize).min(many);
        while load.len() < due {
            load.call();
        }
    });
    // SIP transactions outlive their call by 32 s.
    brief.run_for(Duration::from_secs(40), |_, _| {});
    let after = engine.pss_kib()?;
    Ok(json!({
        "figure": "memory",
        "calls": calls,
        "pss_kib_per_call": round((up - first) as f64 / calls as f64),
        "pss_kib_start": first,
        "short_calls": many,
        "completed": brief.ends.over,
        "pss_kib_after": after,
        "calls_gauge": engine.metric("carom_calls")?,
    }))
}

/// Sets calls up at `rate` a second.
fn dial(load: &mut Load, calls: usize, rate: usize) {
    let (first, last) = (load.len(), load.len() + calls);
    let time = Duration::from_secs_f64(calls as f64 / rate as f64 + 0.5);
    load.run_for(time, |load, passed| {
        let due = first + (passed.as_secs_f64() * rate as f64) as usize + 1;
        while load.len() < due.min(last) {
            load.call();
        }
    });
}

/// Presses a key on each call once, spread over `time`.
fn press_all(load: &mut Load, event: u8, time: Duration) {
    let mut pressed = 0;
    let calls = load.len();
    // The last key has to be heard within the time, too.
    let spread = time.mul_f64(0.9).as_secs_f64();
    load.run_for(time, |load, passed| {
        let due = (passed.as_secs_f64() / spread * calls as f64) as usize;
        while pressed < due.min(calls) {
            load.press(pressed, event);
            pressed += 1;
        }
    });
}

/// Keeps this process off the engine's core.
fn pin(core: usize) -> anyhow::Result<()> {
    // SAFETY: a zeroed set is an empty one; the set lives for the call.
    let done = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of_val(&set), &raw const set)
    };
    ensure!(done == 0, "core {core} cannot be had");
    Ok(())
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
