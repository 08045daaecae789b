//! Calls in virtual time: random callers with failures injected, and a flow tried by hand.

#[cfg(test)]
pub(crate) mod draft;
mod faults;
mod oracle;
mod player;
mod random;
mod rng;
mod stage;
mod tally;
mod world;

pub use faults::Faults;
pub use player::{Heard, Player};
pub use random::Random;
pub use rng::Rng;
pub use stage::{Plan, Stage, Topic, World};
pub use tally::{Lost, Tally};
pub use world::{AgentIs, LinkIs, Obedient, PROMPT};

pub use crate::{
    call::offers::seed_of,
    step::exits::{exits, taken},
};

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use self::oracle::Oracle;
use crate::{
    call::{Call, Input},
    flow::model::Flow,
};

/// Events after which a call counts as caught in a loop.
const EVENTS: usize = 20_000;

/// Sends `callers` random callers through `flow`; the same `seed` gives the same callers.
///
/// Every call is written away and taken up again at random moments. A call that breaks a promise
/// of the machine, or reaches neither an end nor a person, is in [`Tally::lost`].
pub fn run_random(flow: &Arc<Flow>, callers: u64, seed: u64, faults: Faults) -> Tally {
    let mut tally = Tally::new(seed, flow);
    let mut left = BTreeSet::new();
    for index in 0..callers {
        let caller_seed = Rng::new(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).bits();
        match play_one(flow, index, caller_seed, faults) {
            Ok(oracle) => {
                tally.count(&oracle);
                left.extend(oracle.left);
            }
            Err(why) => tally.lost.push(Lost { index, seed: caller_seed, why }),
        }
    }
    tally.count_exits(flow, &left);
    tally
}

/// The call of a random caller after so many events, or at its end: to weigh what calls remember.
pub fn sample(flow: &Arc<Flow>, index: u64, faults: Faults, events: u32) -> Call {
    let mut world = Random::new(Rng::new(index), faults);
    let facts = world.facts(flow, index);
    let call = Call::new(Duration::ZERO, Arc::clone(flow), facts);
    let mut stage = Stage::new(call, world, Duration::ZERO);
    for _ in 0..events {
        if stage.call.is_over() || !stage.step() {
            break;
        }
    }
    stage.call
}

/// One random caller, by the seed that [`Lost`] names.
fn play_one(flow: &Arc<Flow>, index: u64, seed: u64, faults: Faults) -> Result<Oracle, String> {
    let mut world = Random::new(Rng::new(seed), faults);
    let facts = world.facts(flow, index);
    let mut oracle = Oracle::new(flow, &facts);
    let (hang_up, drain) = world.moments();
    let start = Duration::from_secs(seed % 100_000);
    let call = Call::new(start, Arc::clone(flow), facts);
    let mut stage = Stage::new(call, world, start);
    for (moment, input) in [(hang_up, Input::HungUp), (drain, Input::OperatorBridge)] {
        if let Some(after) = moment {
            stage.plan(after, Topic::Caller, input);
        }
    }
    for _ in 0..EVENTS {
        oracle.look_at(&mut stage)?;
        if stage.call.is_over() {
            return oracle.at_the_end(&mut stage);
        }
        if stage.world.save_now() {
            oracle.save_and_resume(flow, &mut stage)?;
        }
        if !stage.step() {
            return oracle.nothing_more(&stage);
        }
    }
    Err(format!("still not over after {EVENTS} events"))
}

/// One random caller's call: its facts, what it was told and what it did.
#[cfg(test)]
pub(crate) fn record_one(
    flow: &Arc<Flow>,
    seed: u64,
    faults: Faults,
) -> (crate::call::Facts, Vec<(Duration, Input)>, Vec<crate::call::Output>) {
    let mut world = Random::new(Rng::new(seed), faults);
    let facts = world.facts(flow, seed);
    let (hang_up, _) = world.moments();
    let call = Call::new(Duration::ZERO, Arc::clone(flow), facts.clone());
    let mut stage = Stage::new(call, world, Duration::ZERO);
    if let Some(after) = hang_up {
        stage.plan(after, Topic::Caller, Input::HungUp);
    }
    while !stage.call.is_over() && stage.step() {}
    let outputs = stage.take_outputs();
    (facts, std::mem::take(&mut stage.told), outputs)
}

#[cfg(test)]
pub(crate) mod tests;
