//! A key that comes two or three ways counts once, and two quick presses count twice.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{Press, Rng, digit, for_seeds, ms, packets};
use dtmf_detector::info::InfoKey;
use dtmf_detector::{
    Digit, EventEdge, EventHeader, KeyEvent, KeyMerge, Source, TelephoneEvents, ToneEvent,
};

/// What a leg is told, when.
#[derive(Debug, Clone)]
enum Told {
    Event(EventHeader, Vec<u8>),
    ToneStart(Digit),
    ToneEnd(Digit, u64),
    Info(Digit, u32),
}

/// The ways that a far end tells of keys; how late each may be, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Ways {
    event: bool,
    inband: bool,
    info: bool,
}

const WAYS: [Ways; 7] = [
    Ways { event: true, inband: false, info: false },
    Ways { event: false, inband: true, info: false },
    Ways { event: false, inband: false, info: true },
    Ways { event: true, inband: true, info: false },
    Ways { event: true, inband: false, info: true },
    Ways { event: false, inband: true, info: true },
    Ways { event: true, inband: true, info: true },
];

#[test]
fn a_key_sent_any_number_of_ways_counts_once() {
    for ways in WAYS {
        for held_ms in [50, 100, 400, 2_000] {
            for info_delay_ms in [0, 60, 200, 400] {
                let press = Press { digit: digit('5'), at_ms: 1_000, held_ms };
                let mut rng = Rng::new(1);
                let told = tell(&mut rng, &[press], ways, info_delay_ms, 0, 20);
                let heard = Arbiter::hear(told);
                assert_eq!(
                    heard.keys(),
                    "5",
                    "{ways:?}, {held_ms} ms, INFO {info_delay_ms} ms late"
                );
            }
        }
    }
}

#[test]
fn two_quick_presses_count_twice_any_number_of_ways() {
    for ways in WAYS {
        for pause_ms in [60, 100, 150, 200, 260, 300, 400, 600] {
            let presses = [1_000, 1_000 + 80 + pause_ms].map(|at_ms| Press {
                digit: digit('5'),
                at_ms,
                held_ms: 80,
            });
            let mut rng = Rng::new(1);
            let heard = Arbiter::hear(tell(&mut rng, &presses, ways, 30, 0, 20));
            assert_eq!(heard.keys(), "55", "{ways:?}, {pause_ms} ms apart");
        }
    }
}

/// An RTP event is slower to begin than the tone that a gateway leaves in the audio, or faster.
#[test]
fn whichever_way_is_first_stops_the_prompt_and_the_event_tells_the_end() {
    let five = digit('5');
    let mut merge = Arbiter::default();
    merge.take(1_000, &Told::ToneStart(five));
    assert_eq!(merge.heard, [(1_000, KeyEvent::Down { digit: five, source: Source::Inband })]);
    merge.edge(1_040, EventEdge::Start { digit: five });
    merge.take(1_090, &Told::ToneEnd(five, 60));
    assert_eq!(merge.merge.held(), Some(five), "the remainder of a tone ends no event");
    merge.edge(1_200, EventEdge::End { digit: five, duration_ms: 160 });
    let up = KeyEvent::Up { digit: five, source: Source::TelephoneEvent, duration_ms: 160 };
    assert_eq!(merge.heard[1..], [(1_200, up)]);
}

#[test]
fn a_tone_is_not_believed_while_events_sound_and_is_again_later() {
    let (one, two) = (digit('1'), digit('2'));
    let mut merge = Arbiter::default();
    merge.edge(0, EventEdge::Start { digit: one });
    // What is left of the tone sounds like another key.
    merge.take(40, &Told::ToneStart(two));
    merge.take(80, &Told::ToneEnd(two, 40));
    merge.edge(100, EventEdge::End { digit: one, duration_ms: 100 });
    merge.take(150, &Told::ToneStart(two));
    merge.take(190, &Told::ToneEnd(two, 40));
    assert_eq!(merge.keys(), "1");
    merge.take(900, &Told::ToneStart(two));
    merge.take(960, &Told::ToneEnd(two, 60));
    assert_eq!(merge.keys(), "12", "this line sends some keys in band only");
}

/// The audio may take a longer way through a gateway than its events.
#[test]
fn a_late_double_is_known_and_a_later_press_is_none() {
    for (delay_ms, keys) in [(10, "1"), (90, "1"), (150, "1"), (190, "1"), (320, "11")] {
        let one = digit('1');
        let mut merge = Arbiter::default();
        merge.edge(0, EventEdge::Start { digit: one });
        merge.edge(60, EventEdge::End { digit: one, duration_ms: 60 });
        merge.take(60 + delay_ms, &Told::ToneStart(one));
        merge.take(120 + delay_ms, &Told::ToneEnd(one, 60));
        assert_eq!(merge.keys(), keys, "tone {delay_ms} ms behind the event");
    }
    for (delay_ms, keys) in [(10, "1"), (300, "1"), (480, "1"), (600, "11")] {
        let mut merge = Arbiter::default();
        merge.take(0, &Told::Info(digit('1'), 60));
        merge.edge(delay_ms, EventEdge::Start { digit: digit('1') });
        merge.edge(delay_ms + 60, EventEdge::End { digit: digit('1'), duration_ms: 60 });
        assert_eq!(merge.keys(), keys, "event {delay_ms} ms behind the INFO");
    }
}

#[test]
fn another_key_ends_the_one_that_is_held() {
    let mut merge = Arbiter::default();
    merge.take(0, &Told::ToneStart(digit('1')));
    merge.take(300, &Told::Info(digit('2'), 160));
    let events: Vec<_> = merge.heard.iter().map(|&(_, event)| event).collect();
    assert_eq!(
        events,
        [
            KeyEvent::Down { digit: digit('1'), source: Source::Inband },
            KeyEvent::Up { digit: digit('1'), source: Source::Inband, duration_ms: 300 },
            KeyEvent::Down { digit: digit('2'), source: Source::Info },
            KeyEvent::Up { digit: digit('2'), source: Source::Info, duration_ms: 160 },
        ]
    );
    merge.take(350, &Told::ToneEnd(digit('1'), 350));
    assert_eq!(merge.heard.len(), 4);
}

#[test]
fn a_saved_arbiter_goes_on_where_it_was() {
    let mut merge = KeyMerge::new();
    merge.handle_event(ms(0), EventEdge::Start { digit: digit('7') }, |_| ());
    let saved = serde_json::to_string(&merge).unwrap();
    let mut restored: KeyMerge = serde_json::from_str(&saved).unwrap();
    let mut heard = Vec::new();
    let info = InfoKey { digit: digit('7'), duration_ms: 100 };
    restored.handle_info(ms(50), info, |key| heard.push(key));
    assert_eq!(heard, [], "the same key");
    let end = EventEdge::End { digit: digit('7'), duration_ms: 100 };
    restored.handle_event(ms(100), end, |key| heard.push(key));
    assert_eq!(heard.len(), 1);
}

/// Random dialling, told of in one to three ways, each with its own delay: every press counts
/// once.
#[test]
fn random_dialling_counts_every_press_once() {
    for_seeds(|seed| {
        let rng = &mut Rng::new(seed);
        let ways = rng.pick(&WAYS);
        let presses = dial(rng);
        let info_delay_ms = rng.within(0..150);
        let media_jitter_ms = rng.pick(&[1, 20, 40]);
        let update_ms = rng.pick(&[10, 20, 50]);
        let told = tell(rng, &presses, ways, info_delay_ms, media_jitter_ms, update_ms);
        let heard = Arbiter::hear(told.clone());
        let expected: String = presses.iter().map(|press| press.digit.as_char()).collect();
        assert_eq!(heard.keys(), expected, "{ways:?} {presses:?} {told:#?} {:#?}", heard.heard);
        heard.check();
    });
}

fn dial(rng: &mut Rng) -> Vec<Press> {
    let keys: Vec<_> = Digit::all().collect();
    let mut at_ms = 1_000;
    (0..rng.within(1..10))
        .map(|n| {
            let digit = if n > 0 && rng.percent(50) { keys[5] } else { rng.pick(&keys) };
            let held_ms = rng.within(50..300);
            let press = Press { digit, at_ms, held_ms };
            at_ms += held_ms + rng.within(80..600);
            press
        })
        .collect()
}

/// What a leg is told of these presses, in the order of time: events with their packets, tones
/// as the detector finds them, INFO at the end of the key.
fn tell(
    rng: &mut Rng,
    presses: &[Press],
    ways: Ways,
    info_delay_ms: u64,
    media_jitter_ms: u64,
    update_ms: u64,
) -> Vec<(u64, Told)> {
    let mut told = Vec::new();
    if ways.event {
        // Three ends more than a quick finger's pause holds: as senders do, those of the next key
        // go before them; here they are left out.
        for packet in packets(presses, 8_000, update_ms, 65_000) {
            let over = presses.get(packet.press + 1).is_some_and(|next| packet.at_ms >= next.at_ms);
            if !over {
                told.push((packet.at_ms, Told::Event(packet.header, packet.payload)));
            }
        }
    }
    for &Press { digit, at_ms, held_ms } in presses {
        if ways.inband {
            let late = media_jitter_ms.min(20);
            told.push((at_ms + 40 + rng.within(0..late + 1), Told::ToneStart(digit)));
            let end_ms = at_ms + held_ms + 25 + rng.within(0..late + 1);
            told.push((end_ms, Told::ToneEnd(digit, held_ms)));
        }
        if ways.info {
            let at_ms = at_ms + held_ms + info_delay_ms + rng.within(0..20);
            told.push((at_ms, Told::Info(digit, held_ms as u32)));
        }
    }
    told.sort_by_key(|&(at_ms, _)| at_ms);
    told
}

/// Event machine and arbiter together, as a leg has them.
#[derive(Default)]
struct Arbiter {
    events: TelephoneEvents,
    merge: KeyMerge,
    heard: Vec<(u64, KeyEvent)>,
}

impl Arbiter {
    fn hear(told: Vec<(u64, Told)>) -> Self {
        let mut arbiter = Self::default();
        for (at_ms, told) in &told {
            arbiter.take(*at_ms, told);
        }
        arbiter.wait(u64::MAX / 2);
        arbiter
    }

    fn take(&mut self, at_ms: u64, told: &Told) {
        self.wait(at_ms);
        let Self { events, merge, heard } = self;
        let mut out = |key| heard.push((at_ms, key));
        match told {
            Told::Event(header, payload) => {
                events.handle_packet(ms(at_ms), *header, payload, |edge| {
                    merge.handle_event(ms(at_ms), edge, &mut out);
                });
            }
            &Told::ToneStart(digit) => {
                let start = ToneEvent::Start { digit, at_sample: 8 * at_ms.saturating_sub(40) };
                merge.handle_tone(ms(at_ms), start, out);
            }
            &Told::ToneEnd(digit, held_ms) => {
                let (start_sample, end_sample) = (0, held_ms * 8);
                let end = ToneEvent::End { digit, start_sample, end_sample };
                merge.handle_tone(ms(at_ms), end, out);
            }
            &Told::Info(digit, duration_ms) => {
                merge.handle_info(ms(at_ms), InfoKey { digit, duration_ms }, out);
            }
        }
    }

    fn edge(&mut self, at_ms: u64, edge: EventEdge) {
        let heard = &mut self.heard;
        self.merge.handle_event(ms(at_ms), edge, |key| heard.push((at_ms, key)));
    }

    fn wait(&mut self, until_ms: u64) {
        while let Some(due) = self.events.poll_timeout().filter(|due| *due <= ms(until_ms)) {
            let Self { events, merge, heard } = self;
            events.handle_timeout(due, |edge| {
                merge.handle_event(due, edge, |key| heard.push((due.as_millis() as u64, key)));
            });
        }
    }

    /// The keys that count.
    fn keys(&self) -> String {
        let up = |&(_, event): &(u64, KeyEvent)| match event {
            KeyEvent::Up { digit, .. } => Some(digit.as_char()),
            KeyEvent::Down { .. } => None,
        };
        self.heard.iter().filter_map(up).collect()
    }

    /// Down and up of the same key, one after the other, and nothing held at the end.
    fn check(&self) {
        for pair in self.heard.chunks(2) {
            let [
                (down_at, KeyEvent::Down { digit: down, .. }),
                (up_at, KeyEvent::Up { digit, .. }),
            ] = pair
            else {
                panic!("{:?}", self.heard)
            };
            assert_eq!(down, digit);
            assert!(down_at <= up_at);
        }
        assert_eq!(self.merge.held(), None);
    }
}
