//! `carom call`: a test phone on the command line.

use std::{net::IpAddr, path::PathBuf, process::ExitCode, time::Duration};

use crate::phone::{Ending, KeysBy, Phone, Plan, Press, Report, duration};

/// RTP ports of the test phone, away from a node's own.
const RTP: std::ops::RangeInclusive<u16> = 41_000..=41_999;

/// Arguments of `carom call`.
#[derive(Debug, clap::Args)]
pub struct CallArgs {
    /// Whom to call, e.g. sip:100@127.0.0.1 or sip:100@127.0.0.1:5060;transport=tcp.
    uri: String,
    /// A key and when it is pressed after the answer: 1@2s, #@500ms. May be given several times.
    #[arg(long, value_name = "KEY@TIME")]
    press: Vec<Press>,
    /// How keys are sent.
    #[arg(long, value_enum, default_value_t)]
    keys_by: KeysBy,
    /// Write what is heard to this WAV file.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Our number.
    #[arg(long, default_value = "+447700900456")]
    from: String,
    /// Hang up so long after the answer.
    #[arg(long, default_value = "60s", value_parser = time)]
    hang_up_after: Duration,
    /// Give up when nobody answers by then.
    #[arg(long, default_value = "60s", value_parser = time)]
    ring_for: Duration,
    /// Address to call from.
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| format!("`{text}` is no time; write 2s or 500ms"))
}

impl CallArgs {
    /// Calls. Exit status 0: answered and ended by the far end; 1: nobody answered; 2: refused;
    /// 3: we hung up because the time was over.
    ///
    /// # Errors
    /// The call could not be tried, or the recording not be written.
    pub fn run(mut self) -> anyhow::Result<ExitCode> {
        self.press.sort_by_key(|press| press.at);
        let plan = Plan {
            uri: self.uri,
            from: self.from,
            press: self.press,
            keys_by: self.keys_by,
            hang_up_after: self.hang_up_after,
            ring_for: self.ring_for,
            record: self.record.is_some(),
        };
        let report = super::run::runtime()?.block_on(async {
            let mut phone = Phone::open((self.bind, 0).into(), RTP).await?;
            phone.dial(&plan).await
        })?;
        if let Some(path) = &self.record {
            write_wav(path, &report.heard)?;
        }
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            print(&report);
        }
        Ok(match report.ending {
            Ending::FarEnd => ExitCode::SUCCESS,
            Ending::NoAnswer => ExitCode::from(1),
            Ending::Refused => ExitCode::from(2),
            Ending::Us => ExitCode::from(3),
        })
    }
}

fn print(report: &Report) {
    for (at, event) in &report.events {
        println!("{:8.3}  {event}", *at as f64 / 1_000.0);
    }
    println!(
        "{}, {:.1} s, {} RTP packets received",
        match report.ending {
            Ending::FarEnd => "ended by the far end",
            Ending::Us => "ended by us: the time was over",
            Ending::Refused => "refused",
            Ending::NoAnswer => "no answer",
        },
        report.length_ms as f64 / 1_000.0,
        report.received_packets,
    );
    if !report.keys_heard.is_empty() {
        println!("keys heard: {}", report.keys_heard);
    }
}

fn write_wav(path: &std::path::Path, samples: &[i16]) -> anyhow::Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec)?;
    for &sample in samples {
        wav.write_sample(sample)?;
    }
    wav.finalize()?;
    Ok(())
}
