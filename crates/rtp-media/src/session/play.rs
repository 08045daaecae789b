//! Plays prompts into the outgoing stream, without a gap between them.

use std::sync::Arc;

use crate::codec::{CLOCK_HZ, Codec, FRAME, g722};
use crate::prompt::Prompt;

/// Prompts under way. Counted by the sample, so that one prompt's end and the next one's start
/// share a frame.
#[derive(Debug, Clone)]
pub struct Player {
    id: u32,
    items: Vec<Arc<Prompt>>,
    barge_in: bool,
    repeat: bool,
    item: usize,
    offset: usize,
    played: u64,
    /// The prompt began without its form in G.722, and goes on so: a change of band amid it is heard.
    narrow: bool,
    /// Of prompts that have no form for the codec; made when the first is played.
    encoder: Option<Box<g722::Encoder>>,
}

impl Player {
    /// A player at the start; `None` when there is nothing to play.
    pub fn new(id: u32, items: Vec<Arc<Prompt>>, barge_in: bool, repeat: bool) -> Option<Self> {
        let empty = items.iter().all(|prompt| prompt.pcmu.is_empty());
        let (item, offset, played, narrow, encoder) = Default::default();
        let player = Self { id, items, barge_in, repeat, item, offset, played, narrow, encoder };
        (!empty).then_some(player)
    }

    /// The number that the player was given.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether a key stops it.
    pub fn barge_in(&self) -> bool {
        self.barge_in
    }

    /// Audio handed out so far, in milliseconds.
    pub fn played_ms(&self) -> u32 {
        (self.played * 1_000 / u64::from(CLOCK_HZ)) as u32
    }

    /// Fills one frame, padding behind the end with silence. Returns whether there is more.
    /// No allocation but for the first prompt that has no form for the codec.
    pub fn fill(&mut self, codec: Codec, frame: &mut [u8; FRAME]) -> bool {
        let mut filled = 0;
        while filled < FRAME {
            let Some(prompt) = self.items.get(self.item) else { break };
            if self.offset == 0 {
                self.narrow = !prompt.is_wide();
            }
            let (form, is_own) = prompt.form(codec, self.narrow);
            let rest = form.get(self.offset..).unwrap_or_default();
            let count = rest.len().min(FRAME - filled);
            let place = &mut frame[filled..filled + count];
            place.copy_from_slice(&rest[..count]);
            if !is_own {
                let encoder = self.encoder.get_or_insert_default();
                place.iter_mut().for_each(|byte| {
                    *byte = encoder.encode_narrow(Prompt::SPARE.decode(*byte));
                });
            }
            filled += count;
            self.offset += count;
            if count == rest.len() {
                self.next_item();
            }
        }
        self.played += filled as u64;
        frame[filled..].fill(codec.silence());
        self.item < self.items.len()
    }

    fn next_item(&mut self) {
        (self.item, self.offset) = (self.item + 1, 0);
        if self.repeat && self.item == self.items.len() {
            self.item = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Law;

    fn prompt(samples: usize, value: i16) -> Arc<Prompt> {
        Arc::new(Prompt::from_samples("p", &vec![value; samples]))
    }

    #[test]
    fn prompts_follow_each_other_by_the_sample() {
        let items = vec![prompt(200, 8_031), prompt(0, 0), prompt(100, -8_031)];
        let mut player = Player::new(1, items, true, false).unwrap();
        let (mut first, mut second) = ([0; FRAME], [0; FRAME]);
        assert!(player.fill(Law::Pcmu.into(), &mut first));
        assert!(!player.fill(Law::Pcmu.into(), &mut second));
        let heard = [first, second].concat();
        let law = Law::Pcmu;
        assert!(heard[..200].iter().all(|&b| law.decode(b) > 7_000));
        assert!(heard[200..300].iter().all(|&b| law.decode(b) < -7_000));
        assert!(heard[300..].iter().all(|&b| b == law.silence()));
        assert_eq!(player.played_ms(), 37);
    }

    #[test]
    fn fragments_are_heard_as_if_they_were_one_recording() {
        let wave = |samples: usize, step: f64| -> Vec<i16> {
            (0..samples).map(|n| (9_000.0 * (step * n as f64).sin()) as i16).collect()
        };
        let parts = [wave(2_437, 0.31), wave(411, 0.77), wave(3_001, 0.12)];
        let whole = Prompt::from_samples("whole", &parts.concat());
        for law in [Law::Pcmu, Law::Pcma] {
            let items = parts.iter().map(|part| Arc::new(Prompt::from_samples("f-1", part)));
            let mut player = Player::new(1, items.collect(), true, false).unwrap();
            let mut heard = Vec::new();
            let mut frame = [0; FRAME];
            while player.fill(law.into(), &mut frame) {
                heard.extend(frame);
            }
            heard.extend(frame);
            assert_eq!(heard[..whole.bytes(law).len()], *whole.bytes(law));
            assert!(heard.len() - whole.bytes(law).len() < FRAME);
        }
    }

    #[test]
    fn a_prompt_that_is_widened_while_it_plays_keeps_its_band_to_its_end() {
        let samples: Vec<i16> =
            (0..1_600).map(|n| (9_000.0 * (0.4 * f64::from(n)).sin()) as i16).collect();
        let sound = crate::prompt::Sound { rate_hz: CLOCK_HZ, samples: samples.clone() };
        let play = |amid: bool, before: bool| {
            let prompt = Arc::new(Prompt::from_samples("p", &samples));
            if before {
                prompt.widen(&sound);
            }
            let mut player = Player::new(1, vec![Arc::clone(&prompt)], true, false).unwrap();
            let (mut heard, mut frame) = (Vec::new(), [0; FRAME]);
            while player.fill(Codec::G722, &mut frame) {
                heard.extend(frame);
                if amid {
                    prompt.widen(&sound);
                }
            }
            heard.extend(frame);
            heard
        };
        let narrow = play(false, false);
        assert_eq!(play(true, false), narrow);
        assert_ne!(play(false, true), narrow, "the next play has the full band");
    }

    #[test]
    fn a_repeated_prompt_never_ends_and_an_empty_one_never_begins() {
        let mut player = Player::new(1, vec![prompt(100, 8_031)], false, true).unwrap();
        let mut frame = [0; FRAME];
        assert!((0..50).all(|_| player.fill(Law::Pcma.into(), &mut frame)));
        assert!(frame.iter().all(|&b| Law::Pcma.decode(b) > 7_000));
        assert!(Player::new(1, vec![prompt(0, 0)], false, true).is_none());
        assert!(Player::new(1, vec![], false, true).is_none());
    }
}
