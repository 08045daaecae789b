//! `carom prompts`: recordings of any kind become prompts that callers hear.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use carom_blackbox::{
    CONFIG, Engine, FLOW, Place, call,
    sound::{self, tenths_of_tone},
};
use ivr_runtime::speech::Language;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn recordings_of_every_format_become_masters_with_their_transcripts() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (file, format) in [
        ("cd.wav", "-r 44100 -c 2 -b 16"),
        ("studio.flac", "-r 48000 -c 1 -b 24"),
        ("phone.wav", "-r 8000 -c 1 -e a-law"),
        ("web.ogg", "-r 32000 -c 2"),
        ("music.mp3", "-r 22050 -c 1"),
    ] {
        sox(at, file, format, "synth 2 sine 440 gain -20");
        fs::write(at.join(file).with_extension("txt"), format!("This is {file}.\n")).unwrap();
    }
    let files = ["cd.wav", "studio.flac", "phone.wav", "web.ogg", "music.mp3"];
    let told = carom(at, &[&["prompts", "import", "--language", "en-GB"][..], &files].concat());
    let text = out(&told);
    assert!(told.status.success(), "{text}");
    assert_eq!(text.matches("-23.0 LUFS (was ").count(), files.len(), "{text}");
    let list = out(&carom(at, &["prompts", "list", "--language", "en-GB"]));
    for (name, rate) in
        [("cd", 48_000), ("studio", 48_000), ("phone", 16_000), ("web", 16_000), ("music", 16_000)]
    {
        let wav = hound::WavReader::open(at.join(format!("prompts/en-GB/{name}.wav"))).unwrap();
        let spec = wav.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, rate, 16));
        let line = list.lines().find(|line| line.contains(&format!("  {name} "))).unwrap();
        assert!(line.contains("  own ") && line.contains(&format!("This is {name}.")), "{line}");
        assert!(carom(at, &["prompts", "play", name]).status.success());
        let heard = sound::read(&at.join(format!("{name}.wav"))).unwrap();
        assert!(tenths_of_tone(&heard, 440.0) >= 18, "{name}");
    }
}

#[test]
fn with_a_configuration_they_are_the_prompts_that_its_node_plays() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sox(at, "tone.wav", "-r 16000 -c 1 -b 16", "synth 1 sine 440 gain -12");
    for (file, text, prompts) in [
        ("one/carom.toml", "config_version = 1", "one/prompts"),
        ("two/carom.toml", "prompts = \"../sounds\"\n[media", "sounds"),
    ] {
        fs::create_dir_all(at.join(file).parent().unwrap()).unwrap();
        fs::write(at.join(file), text).unwrap();
        let import = ["prompts", "import", "tone.wav", "--language", "en-GB", "-c", file];
        let told = carom(at, &import);
        assert!(told.status.success(), "{}", out(&told));
        assert!(at.join(prompts).join("en-GB/tone.wav").is_file(), "{file}");
        let list = out(&carom(at, &["prompts", "list", "-c", file]));
        let own = |line: &&str| line.contains("  tone ") && line.contains("  own ");
        assert_eq!(list.lines().filter(own).count(), 1, "{list}");
    }
    assert!(!at.join("prompts").exists());
    let told = carom(at, &["prompts", "list", "-c", "none.toml"]);
    assert!(!told.status.success(), "a configuration that is not there");
}

#[test]
fn what_callers_would_hear_as_a_fault_is_refused_with_its_reason_and_the_rest_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let format = "-r 16000 -c 1 -b 16";
    sox(at, "silence.wav", format, "trim 0 2");
    sox(at, "clipped.wav", format, "synth 2 sine 440 gain 12");
    sox(at, "long.wav", format, "synth 61 sine 440 gain -12");
    sox(at, "short.wav", format, "synth 0.1 sine 440 gain -12");
    sox(at, "good.wav", format, "synth 1 sine 440 gain -12");
    let good = fs::read(at.join("good.wav")).unwrap();
    fs::write(at.join("header.wav"), &good[..30]).unwrap();
    fs::write(at.join("half.wav"), &good[..good.len() / 2]).unwrap();
    fs::write(at.join("text.mp3"), "no sound at all").unwrap();
    let files: Vec<String> = names(at);
    let files: Vec<&str> = files.iter().map(String::as_str).chain(["missing.wav"]).collect();
    let told = carom(at, &[&["prompts", "import", "--language", "en-GB"][..], &files].concat());
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let text = String::from_utf8(told.stderr).unwrap();
    for reason in [
        "silence.wav: is silent (the loudest part is at -",
        "clipped.wav: is clipped in ",
        "long.wav: is 61000 ms long; a prompt has at most 60000 ms",
        "short.wav: is 100 ms long; a prompt has at least 200 ms",
        "header.wav: has a broken header",
        "half.wav: is truncated: its header promises 16000 samples",
        "text.mp3: is no WAV, FLAC, MP3 or Ogg Vorbis sound",
        "missing.wav: cannot be read: No such file",
    ] {
        assert!(text.contains(reason), "{reason}: {text}");
    }
    assert_eq!(text.lines().count(), 8, "{text}");
    assert_eq!(names(&at.join("prompts/en-GB")), ["good.wav"]);
}

#[test]
fn the_shipped_prompts_are_clean_and_the_same_in_all_languages() {
    let told = carom(Path::new("../.."), &["prompts", "check"]);
    let text = out(&told);
    assert!(told.status.success(), "{text}");
    assert!(text.ends_with(" prompts checked, 0 problems\n"), "{text}");
    let list = |language| {
        let list = out(&carom(Path::new("/"), &["prompts", "list", "--language", language]));
        let names = list.lines().map(|line| line.split_whitespace().nth(1).unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert!(list("en-GB").len() > 50);
    for language in Language::ALL {
        assert_eq!(list("en-GB"), list(language.tag()), "{language:?}");
    }
}

#[test]
fn the_check_finds_what_was_put_there_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for language in ["en-GB", "es-ES"] {
        fs::create_dir_all(at.join("prompts").join(language)).unwrap();
    }
    let format = "-r 16000 -c 1 -b 16";
    sox(&at.join("prompts/en-GB"), "loud.wav", format, "synth 1 sine 440 gain -6");
    sox(&at.join("prompts/es-ES"), "loud.wav", format, "synth 1 sine 440 gain -20");
    sox(&at.join("prompts/es-ES"), "solo.wav", format, "synth 1 sine 440 gain -20");
    sox(&at.join("prompts/en-GB"), "rate.wav", "-r 11025 -c 1 -b 16", "synth 1 sine 440");
    sox(&at.join("prompts/en-GB"), "stereo.wav", "-r 16000 -c 2 -b 16", "synth 1 sine 440");
    for text in ["en-GB/loud.txt", "es-ES/loud.txt"] {
        fs::write(at.join("prompts").join(text), "Loud.").unwrap();
    }
    let told = carom(at, &["prompts", "check"]);
    let text = out(&told);
    assert_eq!(told.status.code(), Some(1), "{text}");
    for problem in [
        "prompts/en-GB/loud.wav: is 13 LU louder than the other prompts: import it again",
        "prompts/es-ES/solo.wav: has no transcript beside it",
        "prompts/es-ES/solo.wav: is missing in en-GB",
        "prompts/en-GB/rate.wav: 11025 Hz; a prompt has 8,000, 16,000 or 48,000 Hz",
        "prompts/en-GB/stereo.wav: 2 channels; a prompt is mono",
    ] {
        assert!(text.contains(problem), "{problem}: {text}");
    }
    assert!(text.ends_with("3 prompts checked, 5 problems\n"), "{text}");
}

#[test]
fn a_prompt_is_made_from_text_and_a_caller_hears_the_folders_own() {
    let place = Place::new();
    let at = place.folder();
    let say = ["prompts", "say", "Good morning, this is a test.", "--name", "morning"];
    let told = carom(at, &say);
    assert!(told.status.success(), "{told:?}");
    let transcript = fs::read_to_string(at.join("prompts/en-GB/morning.txt")).unwrap();
    assert_eq!(transcript, "Good morning, this is a test.\n");
    let spanish = ["prompts", "say", "Buenos días.", "--name", "morning", "--language", "es-ES"];
    assert!(carom(at, &spanish).status.success());
    assert_eq!(out(&carom(at, &["prompts", "check"])), "2 prompts checked, 0 problems\n");

    // Over the built-in prompt of that name.
    sox(at, "tone.wav", "-r 16000 -c 1 -b 16", "synth 3 sine 440 gain -20");
    let import =
        ["prompts", "import", "tone.wav", "--language", "en-GB", "--name", "welcome", "--text"];
    let told = carom(at, &[&import[..], &["For a text press 1, for a person press 0."]].concat());
    assert!(told.status.success(), "{told:?}");
    let _engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let wav = at.join("heard.wav");
    let uri = format!("sip:100@{}", place.engine());
    let args = ["--hang-up-after", "2s", "--record", wav.to_str().unwrap()];
    assert_eq!(call(BIN, &place, &uri, &args).status.code(), Some(3));
    assert!(tenths_of_tone(&sound::read(&wav).unwrap(), 440.0) >= 15);
}

#[test]
fn fragments_of_a_language_are_made_and_recordings_of_its_operator_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // A short recording of the operator's own, with dead air around it.
    sox(at, "seven.wav", "-r 16000 -c 1 -b 16", "synth 0.1 sine 440 gain -20 pad 1 1");
    let import = [
        "prompts",
        "import",
        "seven.wav",
        "--language",
        "de-DE",
        "--name",
        "f-7",
        "--text",
        "sieben",
    ];
    assert!(carom(at, &import).status.success());
    let own = fs::read(at.join("prompts/de-DE/f-7.wav")).unwrap();
    let make = ["prompts", "fragments", "--language", "de-DE"];
    let told = carom(at, &make);
    assert!(out(&told).contains("prompts/de-DE: 255 fragments made ("), "{told:?}");
    assert!(out(&told).ends_with(", 1 kept as they were\n"), "{told:?}");
    assert_eq!(fs::read(at.join("prompts/de-DE/f-7.wav")).unwrap(), own);
    let list = out(&carom(at, &["prompts", "list", "--language", "de-DE"]));
    assert!(list.ends_with("256 of 256 fragments of spoken values\n"), "{list}");
    assert_eq!(out(&carom(at, &["prompts", "check"])), "256 prompts checked, 0 problems\n");

    assert!(carom(at, &[&make[..], &["--force"]].concat()).status.success());
    assert_ne!(fs::read(at.join("prompts/de-DE/f-7.wav")).unwrap(), own);
    let text = fs::read_to_string(at.join("prompts/de-DE/f-21.txt")).unwrap();
    assert_eq!(text, "einundzwanzig\n");
    fs::remove_file(at.join("prompts/de-DE/f-21.wav")).unwrap();
    let told = out(&carom(at, &["prompts", "check"]));
    assert!(
        told.contains("prompts/de-DE/f-….wav: 1 fragments are those of the built-in voice: carom"),
        "{told}"
    );
}

/// All that `say:` can need, in every language whose grammar is known, by the lint itself.
#[test]
fn every_way_of_speaking_a_value_is_complete_in_all_five_languages() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let ways = "number digits ordinal money date day time phone minutes".split(' ');
    let said = ways.map(|way| format!("\"say:{way}:{{wait_minutes}}\""));
    let said: Vec<String> = said.chain(["\"say:{wait_minutes}\"".to_owned()]).collect();
    let languages = Language::ALL.map(|language| format!("{:?}", language.tag()));
    let flow = SPOKEN
        .replace("\"say:minutes:{wait_minutes}\"", &said.join(", "))
        .replace("languages = [\"de-DE\"]", &format!("languages = [{}]", languages.join(", ")));
    fs::write(at.join("flow.toml"), &flow).unwrap();
    let told = out(&carom(at, &["check", "flow.toml"]));
    assert!(told.contains("\n1 error, ") && !told.contains("E07"), "{told}");
    // Where one could be missing, the lint would tell.
    fs::write(at.join("flow.toml"), flow.replace("\"fr-FR\"", "\"cy-GB\"")).unwrap();
    let told = out(&carom(at, &["check", "flow.toml"]));
    assert!(told.contains("nothing can be spoken by `say:` in cy-GB"), "{told}");
}

#[test]
fn a_text_in_a_flow_is_spoken_at_load_by_the_configured_command_and_heard() {
    let place = Place::new();
    let at = place.folder();
    let flow = FLOW.replacen("welcome.wav", "tts:For a text press 1, for a person press 0.", 1);
    assert_ne!(flow, FLOW);
    let tone = r#"["sh", "-c", "sox -n -r 16000 \"$1\" synth 3 sine 440 gain -20", "sh", "{file}", "{text}"]"#;
    let config = format!("tts_command = {tone}\n{CONFIG}");
    let _engine = Engine::start_with(BIN, &place, &config, &flow);
    assert_eq!(names(&at.join("var/tts")).len(), 1);
    let wav = at.join("heard.wav");
    let uri = format!("sip:100@{}", place.engine());
    let args = ["--hang-up-after", "2s", "--record", wav.to_str().unwrap()];
    assert_eq!(call(BIN, &place, &uri, &args).status.code(), Some(3));
    assert!(tenths_of_tone(&sound::read(&wav).unwrap(), 440.0) >= 15);
}

/// Who presses 2 hears the next menu in French; each language has a text of its own.
const TWO_LANGUAGES: &str = r#"
version = 1
[flow]
name = "Two languages"
default = true
languages = ["en-GB", "fr-FR"]
start = "ask"
human = "agents"
[target.agents]
sip = "sip:agents@127.0.0.1:5080"
answered_means = "human"
ping_seconds = 0
[step.ask]
do = "menu"
play = { en-GB = "tts:Good morning.", fr-FR = "tts:Bonjour." }
press = { 2 = "french" }
no_input = "agents"
[step.french]
do = "set"
language = "fr-FR"
then = "again"
[step.again]
do = "menu"
play = [{ en-GB = "tts:Good morning.", fr-FR = ["tts:Bonjour."] }]
press = { 1 = "agents" }
no_input = "agents"
"#;

#[test]
fn a_text_for_each_language_is_spoken_by_its_voice_and_heard_by_who_speaks_it() {
    let place = Place::new();
    let at = place.folder();
    let by_voice = r#"["sh", "-c", "case $1 in fr-fr) hz=880;; *) hz=440;; esac; sox -n -r 16000 \"$2\" synth 1 sine $hz gain -20", "sh", "{voice}", "{file}", "{text}"]"#;
    let config = format!("tts_command = {by_voice}\n{CONFIG}");
    let _engine = Engine::start_with(BIN, &place, &config, TWO_LANGUAGES);
    // No text is spoken in a language that it is not for.
    assert_eq!(names(&at.join("var/tts")).len(), 2);
    let wav = at.join("heard.wav");
    let uri = format!("sip:100@{}", place.engine());
    let args = ["--press", "2@2s", "--hang-up-after", "4s", "--record", wav.to_str().unwrap()];
    let _ = call(BIN, &place, &uri, &args);
    let heard = sound::read(&wav).unwrap();
    let tenths = [440.0, 880.0].map(|hertz| tenths_of_tone(&heard, hertz));
    assert!(tenths.iter().all(|tenths| (8..=11).contains(tenths)), "{tenths:?}");
    let half = heard.len() / 2;
    assert_eq!(tenths_of_tone(&heard[half..], 440.0), 0);
    assert_eq!(tenths_of_tone(&heard[..half], 880.0), 0);
}

/// A second try is heard as another sound.
const AGAIN: &str = r#"
version = 1
[flow]
name = "Again"
default = true
start = "ask"
human = "agents"
[target.agents]
sip = "sip:agents@127.0.0.1:5080"
answered_means = "human"
ping_seconds = 0
[step.ask]
do = "menu"
play = "first.wav"
play_again = ["second.wav", ["third.wav", "first.wav"]]
press = { 1 = "agents" }
tries = 4
no_input = "agents"
"#;

#[test]
fn each_try_is_heard_as_play_again_says_and_the_star_repeats_the_present_one() {
    let place = Place::new();
    let at = place.folder();
    let prompts = at.join("prompts/en-GB");
    fs::create_dir_all(&prompts).unwrap();
    for (name, hertz) in [("first", 440), ("second", 660), ("third", 880)] {
        sox(
            &prompts,
            &format!("{name}.wav"),
            "-r 8000 -c 1 -b 16",
            &format!("synth 0.6 sine {hertz} gain -12"),
        );
    }
    let _engine = Engine::start_with(BIN, &place, CONFIG, AGAIN);
    let wav = at.join("heard.wav");
    let uri = format!("sip:100@{}", place.engine());
    // 7 is wrong, twice; the star counts as no try.
    let args = ["--press", "7@1200ms", "--press", "*@2400ms", "--press", "7@3600ms"];
    let ends = ["--hang-up-after", "5400ms", "--record", wav.to_str().unwrap()];
    let _ = call(BIN, &place, &uri, &[&args[..], &ends].concat());
    let heard = sound::read(&wav).unwrap();
    let tenths = [440.0, 660.0, 880.0].map(|hertz| tenths_of_tone(&heard, hertz));
    let about = |tenths: usize, times: usize| (6 * times - 2..=6 * times + 1).contains(&tenths);
    let [first, second, third] = tenths;
    assert!(about(first, 2) && about(second, 2) && about(third, 1), "{tenths:?}");
    let begins = |hertz: f64| {
        let second =
            |at: &usize| tenths_of_tone(&heard[*at..(at + 800).min(heard.len())], hertz) > 0;
        (0..heard.len()).step_by(800).find(second).unwrap()
    };
    assert!(begins(440.0) < begins(660.0) && begins(660.0) < begins(880.0));
}

/// Speaks a wait.
const SPOKEN: &str = r#"
version = 1
[flow]
name = "Wait"
languages = ["de-DE"]
default = true
start = "wait"
human = "agents"
[target.agents]
sip = "sip:agents@127.0.0.1:5080"
answered_means = "human"
[step.wait]
do = "say"
play = [{ play = ["say:minutes:{wait_minutes}"], needs = ["wait_minutes"] }]
then = "agents"
"#;

#[test]
fn what_cannot_be_done_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sox(at, "a.wav", "-r 16000 -c 1 -b 16", "synth 1 sine 440 gain -12");
    for (args, told) in [
        (&["import", "a.wav", "--language", "en_GB"][..], "`en_GB` is no language"),
        (&["import", "a.wav", "--language", "../en"], "`../en` is no language"),
        (&["import", "a.wav", "--language", "en", "--name", "../../a"], "is no name"),
        (&["import", "a.wav", "b.wav", "--language", "en", "--name", "x"], "are for one file"),
        (&["play", "nothing"], "there is no prompt `nothing` in en-GB"),
        (
            &["play", "welcome", "--out", "no/such/folder.wav"],
            "no/such/folder.wav can't be written",
        ),
        (&["say", "x", "--name", "x", "--language", "xx"], "espeak-ng: "),
        (&["check"], "prompts is no folder"),
        (
            &["fragments", "--language", "cy"],
            "the grammar of `cy` is not known; there are: en-GB, en-US, es-ES, fr-FR, de-DE",
        ),
    ] {
        let said = carom(at, &[&["prompts"][..], args].concat());
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(1), "{args:?}: {said:?}");
        assert!(text.contains(told), "{args:?}: {text}");
    }
    let mut without = Command::new(BIN);
    without.args(["prompts", "say", "x", "--name", "x"]).current_dir(at).env("PATH", "");
    let text = String::from_utf8(without.output().unwrap().stderr).unwrap();
    assert!(text.contains("espeak-ng is not installed (Debian: apt-get install"), "{text}");
}

fn carom(at: &Path, args: &[&str]) -> Output {
    Command::new(BIN).args(args).current_dir(at).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn sox(at: &Path, file: &str, format: &str, effects: &str) {
    let mut sox = Command::new("sox");
    sox.args(["-D", "-n"]).args(format.split(' ')).arg(at.join(file)).args(effects.split(' '));
    let made = sox.output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}
