//! `carom call`: a test phone on the command line.

use std::{
    fs::File,
    io::BufWriter,
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;

use crate::phone::{self, Ending, KeysBy, Phone, Plan, Press, Report, duration};

/// RTP ports of the test phone, away from a node's own.
const RTP: std::ops::RangeInclusive<u16> = 41_000..=41_999;

/// What scripts go by.
const EXIT_STATUS: &str = "\
Exit status:
  0   answered, and ended by the far end
  1   nobody answered, or the call could not be made
  2   refused
  3   ended by us, because the time was over
  64  wrong arguments";

/// Arguments of `carom call`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_STATUS)]
pub struct CallArgs {
    /// Whom to call, e.g. sip:100@127.0.0.1 or sip:100@127.0.0.1:5060;transport=tcp.
    #[arg(value_parser = phone::dialable)]
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
    /// Address to call from; left out, the one that the far end is reached from.
    #[arg(long)]
    bind: Option<IpAddr>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| format!("`{text}` is no time; write 2s or 500ms"))
}

impl CallArgs {
    /// Calls; the exit status tells how it came out.
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
        // Before the call: nobody wants to ring in vain.
        let wav = self.record.as_deref().map(create_wav).transpose()?;
        let report = super::run::runtime()?.block_on(async {
            let at = match self.bind {
                Some(at) => at,
                None => phone::local_towards(&plan.uri).await?,
            };
            let mut phone = Phone::open((at, 0).into(), RTP).await?;
            phone.dial(&plan).await
        })?;
        if let Some(wav) = wav {
            write_wav(wav, &report.heard)?;
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

type Wav = hound::WavWriter<BufWriter<File>>;

fn create_wav(path: &Path) -> anyhow::Result<Wav> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    hound::WavWriter::create(path, spec)
        .with_context(|| format!("{} can't be written", path.display()))
}

fn write_wav(mut wav: Wav, samples: &[i16]) -> anyhow::Result<()> {
    for &sample in samples {
        wav.write_sample(sample)?;
    }
    Ok(wav.finalize()?)
}
