//! What `carom prompts import` keeps of recordings that sox writes in every form, and what it refuses.
#![cfg(feature = "import")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use rtp_media::prompt::import::{self, Master, TARGET_LUFS, import};

/// Two seconds of a tone that swells like speech, quiet enough not to clip.
const TONE: &str = "synth 2 sine 440 tremolo 4 60 gain -12";

#[test]
fn every_format_rate_and_width_gives_the_same_sound_at_one_level() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format, rate_hz) in [
        ("8k.wav", "-r 8000 -c 1 -b 16", 16_000),
        ("8k-8bit.wav", "-r 8000 -c 1 -b 8 -e unsigned-integer", 16_000),
        ("8k-mulaw.wav", "-r 8000 -c 1 -e mu-law", 16_000),
        ("8k-alaw.wav", "-r 8000 -c 1 -e a-law", 16_000),
        ("11k.wav", "-r 11025 -c 1 -b 16", 16_000),
        ("16k.wav", "-r 16000 -c 1 -b 16", 16_000),
        ("16k-stereo.wav", "-r 16000 -c 2 -b 16", 16_000),
        ("22k.wav", "-r 22050 -c 1 -b 16", 16_000),
        ("32k.wav", "-r 32000 -c 2 -b 32", 16_000),
        ("44k.wav", "-r 44100 -c 2 -b 24", 48_000),
        ("48k.wav", "-r 48000 -c 1 -b 24", 48_000),
        ("48k-float.wav", "-r 48000 -c 2 -e floating-point -b 32", 48_000),
        ("96k.wav", "-r 96000 -c 1 -b 24", 48_000),
        ("44k.flac", "-r 44100 -c 2 -b 16", 48_000),
        ("16k.flac", "-r 16000 -c 1 -b 16", 16_000),
        ("44k.ogg", "-r 44100 -c 2", 48_000),
        ("22k.ogg", "-r 22050 -c 1", 16_000),
        ("44k.mp3", "-r 44100 -c 2", 48_000),
        ("16k.mp3", "-r 16000 -c 1", 16_000),
    ] {
        let file = sox(folder.path(), name, format, TONE);
        let master = import(&file).unwrap_or_else(|error| panic!("{name} {error}"));
        assert_eq!(master.rate_hz, rate_hz, "{name}");
        // MP3 keeps its encoder's padding.
        assert!((1_900..=2_120).contains(&len_ms(&master)), "{name}: {} ms", len_ms(&master));
        let lufs = import::measure(&master.samples, master.rate_hz);
        assert!((lufs - TARGET_LUFS).abs() < 0.3, "{name}: {lufs:.2} LUFS");
        let hertz = crossings_per_second(&master);
        assert!((430.0..450.0).contains(&hertz), "{name}: {hertz:.1} Hz");
    }
}

#[test]
fn a_master_that_is_imported_again_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let master = import(&sox(folder.path(), "in.wav", "-r 16000 -c 1 -b 16", TONE)).unwrap();
    let file = folder.path().join("master.wav");
    master.write_wav(&file).unwrap();
    let again = import(&file).unwrap();
    assert_eq!(again.samples.len(), master.samples.len());
    assert!((again.report.source_lufs - TARGET_LUFS).abs() < 0.1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no part file is left");
}

#[test]
fn loud_and_quiet_recordings_come_to_the_same_level() {
    let folder = tempfile::tempdir().unwrap();
    for gain in ["-1", "-20", "-35"] {
        let effects = format!("synth 2 pinknoise gain -n {gain}");
        let file = sox(folder.path(), "level.wav", "-r 16000 -c 1 -b 24", &effects);
        let master = import(&file).unwrap_or_else(|error| panic!("{gain} dB {error}"));
        let lufs = import::measure(&master.samples, master.rate_hz);
        assert!((lufs - TARGET_LUFS).abs() < 0.5, "{gain} dB: {lufs:.2} LUFS");
    }
}

#[test]
fn a_clip_shorter_than_a_loudness_block_is_brought_to_level_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = sox(folder.path(), "two.wav", "-r 16000 -c 1 -b 16", "synth 0.3 sine 500 gain -30");
    let master = import(&file).unwrap();
    assert!((master.report.lufs - TARGET_LUFS).abs() < 0.5, "{:?}", master.report);
    let peak = master.samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
    assert!((2_000..12_000).contains(&peak), "peak {peak}");
}

#[test]
fn a_peaky_recording_is_not_driven_into_clipping() {
    let folder = tempfile::tempdir().unwrap();
    // Clicks: high peaks, little loudness.
    let effects = "synth 2 square 3 highpass 2000 gain -n -20";
    let file = sox(folder.path(), "clicks.wav", "-r 16000 -c 1 -b 16", effects);
    let master = import(&file).unwrap();
    let peak = master.samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
    assert!(peak <= 26_100, "peak {peak} is above -2 dBFS");
    assert!(master.report.lufs < TARGET_LUFS, "{:?}", master.report);
}

#[test]
fn dead_air_is_cut_at_both_ends_and_kept_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let effects = "synth 1 sine 440 gain -12 pad 1.5@0 0.7@0.5 2.5";
    let file = sox(folder.path(), "padded.wav", "-r 16000 -c 1 -b 16", effects);
    let master = import(&file).unwrap();
    assert!((1_700..1_950).contains(&len_ms(&master)), "{} ms", len_ms(&master));
    let report = master.report;
    assert!((1_400..=1_500).contains(&report.cut_start_ms), "{report:?}");
    assert!((2_300..=2_500).contains(&report.cut_end_ms), "{report:?}");
}

#[test]
fn one_silent_channel_and_channels_in_opposite_phase_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for remix in ["remix 1 0", "remix 1 1i"] {
        let effects = format!("{TONE} {remix}");
        let file = sox(folder.path(), "stereo.wav", "-r 16000 -c 2 -b 16", &effects);
        let master = import(&file).unwrap_or_else(|error| panic!("{remix} {error}"));
        assert!((master.report.lufs - TARGET_LUFS).abs() < 0.5, "{remix}: {:?}", master.report);
    }
}

#[test]
fn what_would_be_heard_as_a_fault_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let format = "-r 16000 -c 1 -b 16";
    for (effects, reason) in [
        ("synth 2 sine 440 gain -90", "is silent (the loudest part is at -90 dBFS)"),
        ("synth 2 sine 440 gain 12", "is clipped in 1758 places, first at 1 ms"),
        ("synth 0.1 sine 440 gain -12", "is 100 ms long; a prompt has at least 200 ms"),
        ("synth 61 sine 440 gain -12", "is 61000 ms long; a prompt has at most 60000 ms"),
        ("synth 601 sine 440 gain -12", "is longer than 10 minutes"),
    ] {
        let file = sox(folder.path(), "bad.wav", format, effects);
        let error = import(&file).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{effects}: {error}");
    }
}

#[test]
fn a_long_recording_that_is_short_without_its_dead_air_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let effects = "synth 50 sine 440 gain -12 pad 10 10";
    let file = sox(folder.path(), "long.wav", "-r 8000 -c 1 -b 16", effects);
    assert!((50_000..50_300).contains(&len_ms(&import(&file).unwrap())));
}

#[test]
fn broken_files_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let whole = |name: &str, format| std::fs::read(sox(folder.path(), name, format, TONE)).unwrap();
    let wav = whole("whole.wav", "-r 16000 -c 1 -b 16");
    let flac = whole("whole.flac", "-r 16000 -c 1 -b 16");
    let mut no_channels = wav.clone();
    no_channels[22] = 0;
    let mut wild_rate = wav.clone();
    wild_rate[24..28].copy_from_slice(&[0xff; 4]);
    let text = b"this is no sound at all, only some text in a file".to_vec();
    for (what, bytes, extension, reason) in [
        ("empty", Vec::new(), "wav", "is empty"),
        ("text", text, "mp3", "is no WAV, FLAC, MP3 or Ogg Vorbis sound"),
        ("header only", wav[..30].to_vec(), "wav", "has a broken header"),
        (
            "half a WAV",
            wav[..32_044].to_vec(),
            "wav",
            "is truncated: its header promises 32000 samples, 16000 are there",
        ),
        (
            "half a FLAC",
            flac[..flac.len() / 2].to_vec(),
            "flac",
            "is truncated: its header promises 32000 samples",
        ),
        ("no channels", no_channels, "wav", "has a broken header"),
        ("a wild rate", wild_rate, "wav", "has a broken header"),
    ] {
        let error = import::import_bytes(bytes, extension).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{what}: {error}");
    }
    let missing = import(Path::new("no-such-file.wav")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot be read: "), "{missing}");
}

#[test]
fn no_damage_to_a_file_makes_the_importer_panic() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("x.wav", "-r 8000 -c 1 -b 16"),
        ("x.flac", "-r 8000 -c 1 -b 16"),
        ("x.ogg", "-r 8000 -c 1"),
        ("x.mp3", "-r 8000 -c 1"),
    ] {
        let whole =
            std::fs::read(sox(folder.path(), name, format, "synth 0.5 sine 300 gain -9")).unwrap();
        let extension = name.split('.').next_back().unwrap_or("");
        // xorshift; the seed is in the message.
        for seed in 1..=150u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut next = |below: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % below as u64) as usize
            };
            let mut bytes = whole.clone();
            for _ in 0..=next(8) {
                let at = if next(2) == 0 { next(bytes.len().min(64)) } else { next(bytes.len()) };
                bytes[at] = next(256) as u8;
            }
            if next(4) == 0 {
                bytes.truncate(next(whole.len()));
            }
            let outcome =
                std::panic::catch_unwind(|| import::import_bytes(bytes, extension).is_ok());
            assert!(outcome.is_ok(), "{name} seed {seed}");
        }
    }
}

/// Writes a sound with sox: `sox -R -n FORMAT NAME EFFECTS`.
fn sox(folder: &Path, name: &str, format: &str, effects: &str) -> PathBuf {
    let file = folder.join(name);
    let done = Command::new("sox")
        .args(["-R", "-V0", "-n"])
        .args(format.split_whitespace())
        .arg(&file)
        .args(effects.split_whitespace())
        .status()
        .expect("these tests need the program sox (Debian: sox, libsox-fmt-mp3)");
    assert!(done.success(), "sox could not write {name}");
    file
}

fn len_ms(master: &Master) -> u32 {
    (master.samples.len() as u64 * 1000 / u64::from(master.rate_hz)) as u32
}

/// Half the sign changes per second: the frequency of a tone.
fn crossings_per_second(master: &Master) -> f64 {
    let middle = &master.samples[master.samples.len() / 4..master.samples.len() * 3 / 4];
    let changes = middle.windows(2).filter(|w| (w[0] < 0) != (w[1] < 0)).count();
    changes as f64 / 2.0 / (middle.len() as f64 / f64::from(master.rate_hz))
}
