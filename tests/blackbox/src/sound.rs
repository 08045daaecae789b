//! Sound as tests judge it: 16-bit linear, mono, 8 kHz.

use std::{f64::consts::TAU, path::Path};

const RATE: u32 = 8_000;
/// A tenth of a second.
const BLOCK: usize = 800;

/// A tone at a quarter of full scale.
#[must_use]
pub fn tone(hertz: f64, seconds: u32) -> Vec<i16> {
    let step = TAU * hertz / f64::from(RATE);
    (0..RATE * seconds).map(|n| (8_000.0 * (step * f64::from(n)).sin()) as i16).collect()
}

/// Silence.
#[must_use]
pub fn silence(millis: usize) -> Vec<i16> {
    vec![0; RATE as usize * millis / 1_000]
}

/// The tones of a key, each 9 dB below full scale, for as long.
#[must_use]
pub fn key(key: char, millis: usize) -> Vec<i16> {
    let at = "123A456B789C*0#D".find(key).unwrap();
    let hertz =
        [[697.0, 770.0, 852.0, 941.0][at / 4], [1_209.0, 1_336.0, 1_477.0, 1_633.0][at % 4]];
    let wave = |n: usize, hertz: f64| (TAU * hertz * n as f64 / f64::from(RATE)).sin();
    let sample = |n| hertz.iter().map(|&hertz| 11_600.0 * wave(n, hertz)).sum::<f64>() as i16;
    (0..RATE as usize * millis / 1_000).map(sample).collect()
}

/// Writes a WAV file.
pub fn write(path: &Path, samples: &[i16]) {
    write_at(path, samples, RATE);
}

/// Writes one of twice the rate, each sample twice.
pub fn write_wide(path: &Path, samples: &[i16]) {
    let twice: Vec<i16> = samples.iter().flat_map(|&sample| [sample; 2]).collect();
    write_at(path, &twice, 2 * RATE);
}

fn write_at(path: &Path, samples: &[i16], sample_rate: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    samples.iter().for_each(|&sample| wav.write_sample(sample).unwrap());
    wav.finalize().unwrap();
}

/// Reads a WAV file of that form, or of twice the rate; `None` while it is not whole.
#[must_use]
pub fn read(path: &Path) -> Option<Vec<i16>> {
    let mut wav = hound::WavReader::open(path).ok()?;
    let (channels, rate) = (wav.spec().channels, wav.spec().sample_rate);
    assert!(channels == 1 && [RATE, 2 * RATE].contains(&rate), "{channels} at {rate} Hz");
    let mut samples: Vec<i16> = wav.samples().collect::<Result<_, _>>().ok()?;
    if rate == 2 * RATE {
        let mean = |pair: &[i16]| ((i32::from(pair[0]) + i32::from(pair[1])) / 2) as i16;
        samples = samples.chunks_exact(2).map(mean).collect();
    }
    (!samples.is_empty()).then_some(samples)
}

/// For how long a tone is heard, in tenths of a second, above a hundredth of full scale.
#[must_use]
pub fn tenths_of_tone(heard: &[i16], hertz: f64) -> usize {
    let loud = |block: &&[i16]| energy(block) / BLOCK as f64 > 300.0f64.powi(2);
    heard.chunks_exact(BLOCK).filter(loud).filter(|block| share(block, hertz) > 0.8).count()
}

/// The loudest fifth of a second of the begin of a prompt at 8 kHz: nothing else is like it.
///
/// # Panics
/// When the prompt is shorter.
#[must_use]
pub fn loudest_fifth(prompt: &[i16]) -> &[i16] {
    let loudness = |piece: &&[i16]| -> u64 {
        piece.iter().map(|sample| u64::from(sample.unsigned_abs())).sum()
    };
    let begin = &prompt[..prompt.len().min(12_000)];
    let pieces = begin.windows(1_600).step_by(400);
    pieces.max_by_key(loudness).expect("a fifth of a second of sound")
}

/// How alike the best place of `heard` is to `piece`: 1.0 is the same at any loudness. A place may lie
/// between two samples: G.722's filters delay by an odd number of those at 16 kHz.
#[must_use]
pub fn likeness(heard: &[i16], piece: &[i16]) -> f64 {
    let floats = |samples: &[i16]| samples.iter().map(|&x| f32::from(x)).collect::<Vec<_>>();
    let (heard, piece) = (floats(heard), floats(piece));
    let own = dot(&piece, &piece).sqrt();
    // The energy of each place, by that of the place before.
    let square = |x: f32| f64::from(x).powi(2);
    let mut energy = heard.iter().take(piece.len()).map(|&x| square(x)).sum::<f64>();
    let (mut best, mut best_at) = (0.0_f64, 0);
    for (at, place) in heard.windows(piece.len()).enumerate() {
        let alike = dot(place, &piece) / (own * energy.max(0.0).sqrt() + 1.0);
        if alike > best {
            (best, best_at) = (alike, at);
        }
        let next = heard.get(at + piece.len()).map_or(0.0, |&x| square(x));
        energy += next - square(place[0]);
    }
    let around = &heard[best_at.saturating_sub(2)..heard.len().min(best_at + piece.len() + 2)];
    let between = around.windows(4).map(|w| (9.0 * (w[1] + w[2]) - w[0] - w[3]) / 16.0);
    let between: Vec<f32> = between.collect();
    let alike = |place: &[f32]| dot(place, &piece) / (own * dot(place, place).sqrt() + 1.0);
    between.windows(piece.len()).map(alike).fold(best, f64::max)
}

/// In eight sums side by side: the compiler may not change the order of one.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a.len() / 8 * 8;
    let rest: f32 = a[rest..].iter().zip(&b[rest..]).map(|(a, b)| a * b).sum();
    f64::from(sums.iter().sum::<f32>() + rest)
}

fn energy(block: &[i16]) -> f64 {
    block.iter().map(|&x| f64::from(x).powi(2)).sum()
}

/// The share of a block's energy that is at `hertz`.
fn share(block: &[i16], hertz: f64) -> f64 {
    let step = TAU * hertz / f64::from(RATE);
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &x) in block.iter().enumerate() {
        re += f64::from(x) * (step * n as f64).cos();
        im += f64::from(x) * (step * n as f64).sin();
    }
    2.0 * (re * re + im * im) / (block.len() as f64 * energy(block).max(1.0))
}
