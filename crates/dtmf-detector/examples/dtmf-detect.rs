//! Hears keys in raw 8 kHz audio on standard input and prints one line per key:
//! `<digit> <start_ms> <end_ms> <detect_ms>`.
//!
//! `DTMF_CODEC` is `l16` (default, little-endian), `pcmu` or `pcma`; `DTMF_FRAME` is the number of
//! samples handed over per call (160).

use std::io::{self, BufWriter, Read, Write};

use dtmf_detector::{InbandDetector, ToneEvent};

fn main() -> io::Result<()> {
    let codec = std::env::var("DTMF_CODEC").unwrap_or_else(|_| "l16".into());
    let frame = std::env::var("DTMF_FRAME").ok().and_then(|n| n.parse().ok()).unwrap_or(160);
    let mut raw = Vec::new();
    io::stdin().lock().read_to_end(&mut raw)?;
    let samples = decode(&codec, &raw)?;

    let mut lines = Lines { out: BufWriter::new(io::stdout().lock()), detect_ms: 0.0 };
    let (mut detector, mut handed_over, mut problem) = (InbandDetector::new(), 0, None);
    for frame in samples.chunks(std::cmp::max(frame, 1)) {
        handed_over += frame.len();
        let at_ms = handed_over as f64 / 8.0;
        detector.push(frame, |event| problem = lines.take(event, at_ms).err().or(problem.take()));
    }
    detector.finish(|event| problem = lines.take(event, 0.0).err().or(problem.take()));
    problem.map_or_else(|| lines.out.flush(), Err)
}

struct Lines<W> {
    out: W,
    detect_ms: f64,
}

impl<W: Write> Lines<W> {
    fn take(&mut self, event: ToneEvent, at_ms: f64) -> io::Result<()> {
        match event {
            ToneEvent::Start { .. } => {
                self.detect_ms = at_ms;
                Ok(())
            }
            ToneEvent::End { digit, start_sample, end_sample } => {
                let (start_ms, end_ms) = (start_sample as f64 / 8.0, end_sample as f64 / 8.0);
                writeln!(self.out, "{digit} {start_ms:.3} {end_ms:.3} {:.3}", self.detect_ms)
            }
        }
    }
}

fn decode(codec: &str, raw: &[u8]) -> io::Result<Vec<i16>> {
    Ok(match codec {
        "l16" => raw.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect(),
        "pcmu" => raw.iter().map(|&octet| ulaw(octet)).collect(),
        "pcma" => raw.iter().map(|&octet| alaw(octet)).collect(),
        _ => return Err(io::Error::other("DTMF_CODEC is none of l16, pcmu, pcma")),
    })
}

/// ITU-T G.711 µ-law.
fn ulaw(octet: u8) -> i16 {
    let code = !octet;
    let magnitude = ((i16::from(code & 15) << 3) + 132) << ((code >> 4) & 7);
    if code & 128 == 0 { magnitude - 132 } else { 132 - magnitude }
}

/// ITU-T G.711 A-law.
fn alaw(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let (segment, step) = ((code >> 4) & 7, i16::from(code & 15) << 4);
    let magnitude = if segment == 0 { step + 8 } else { (step + 264) << (segment - 1) };
    if code & 128 != 0 { magnitude } else { -magnitude }
}
