//! One call in virtual time: a world reacts to what the call asks for, and time jumps from one
//! event to the next.

use std::{collections::BTreeMap, time::Duration};

use crate::call::{Call, Input, Output, Record};

/// What the world around a call does.
pub trait World {
    /// The call asked for `output`; what follows from it goes into `plan`.
    fn react(&mut self, now: Duration, call: &Call, output: &Output, plan: &mut Plan);

    /// Whether a deadline of the call comes before an event of the same moment.
    fn deadlines_first(&self) -> bool {
        false
    }
}

/// Which of the world's doings an event belongs to, so that it can be called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The caller: keys, hang-up.
    Caller,
    /// The caller leg's answer.
    Answer,
    /// Prompts.
    Play,
    /// The text service.
    Text,
    /// The store.
    Store,
    /// Callbacks.
    Callback,
    /// What the caller says.
    Voice,
    /// Systems of the business.
    Fetch,
    /// The target leg.
    Target,
}

/// Events to come, in order of time.
#[derive(Debug, Default)]
pub struct Plan {
    events: BTreeMap<(Duration, u64), (Topic, Input)>,
    planned: u64,
}

impl Plan {
    /// Plans an event for a moment.
    pub fn at(&mut self, when: Duration, topic: Topic, input: Input) {
        self.planned += 1;
        self.events.insert((when, self.planned), (topic, input));
    }

    /// Calls off all events of a topic.
    pub fn cancel(&mut self, topic: Topic) {
        self.events.retain(|_, (of, _)| *of != topic);
    }

    fn next_at(&self) -> Option<Duration> {
        self.events.keys().next().map(|(when, _)| *when)
    }

    fn take_due(&mut self, now: Duration) -> Option<Input> {
        let key = *self.events.keys().next().filter(|(when, _)| *when <= now)?;
        self.events.remove(&key).map(|(_, input)| input)
    }
}

/// A call, its world and its clock.
#[derive(Debug)]
pub struct Stage<W> {
    /// The call.
    pub call: Call,
    /// What is around it.
    pub world: W,
    /// The virtual clock.
    pub now: Duration,
    plan: Plan,
    outputs: Vec<Output>,
    /// What the call was told, as a record keeps it.
    #[cfg(test)]
    pub told: Vec<(Duration, Input)>,
}

impl<W: World> Stage<W> {
    /// Begins with a call that has just arrived.
    pub fn new(call: Call, world: W, now: Duration) -> Self {
        let mut stage = Self {
            call,
            world,
            now,
            plan: Plan::default(),
            outputs: Vec::new(),
            #[cfg(test)]
            told: Vec::new(),
        };
        stage.drain();
        stage
    }

    /// Plans an event, e.g. the caller's.
    pub fn plan(&mut self, after: Duration, topic: Topic, input: Input) {
        self.plan.at(self.now + after, topic, input);
    }

    /// Something happens now.
    pub fn input(&mut self, input: Input) {
        #[cfg(test)]
        {
            let veil = crate::replay::Veil::of(self.call.flow());
            let kept = veil.input(&input, self.call.hides_keys());
            self.told.extend(kept.map(|input| (self.now, input)));
        }
        self.call.handle_input(self.now, input);
        self.drain();
    }

    /// Lets the next event or time-out happen. `false`: there is none, nothing more will happen.
    pub fn step(&mut self) -> bool {
        let times = [self.plan.next_at(), self.call.poll_timeout()];
        let Some(next) = times.into_iter().flatten().min() else { return false };
        self.now = self.now.max(next);
        let late = self.call.poll_timeout().is_some_and(|until| until <= self.now);
        let due = match late && self.world.deadlines_first() {
            true => None,
            false => self.plan.take_due(self.now),
        };
        match due {
            Some(input) => self.input(input),
            None => {
                self.call.handle_timeout(self.now);
                self.drain();
            }
        }
        true
    }

    /// Lets time pass with all that happens in it.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let due = |stage: &Self| {
            let times = [stage.plan.next_at(), stage.call.poll_timeout()];
            times.into_iter().flatten().min().is_some_and(|next| next <= until)
        };
        while due(self) && self.step() {}
        self.now = until;
    }

    /// All that the call has asked for since the last time.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// All that the call has asked for and that was not taken.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The records among [`Stage::outputs`].
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Record(record) => Some(record),
            _ => None,
        })
    }

    fn drain(&mut self) {
        while let Some(output) = self.call.poll_output() {
            self.world.react(self.now, &self.call, &output, &mut self.plan);
            self.outputs.push(output);
        }
    }
}
