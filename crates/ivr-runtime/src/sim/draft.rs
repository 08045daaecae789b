//! Flows for tests, written down by name.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    flow::model::{
        AnsweredMeans, ConfirmNumber, Does, Fact, Flow, Go, HumanSignal, Level, Link, LinkId,
        LinkKind, Menu, Offer, PromptItem, PromptList, RoundWait, Rule, RuleId, Sender, Step,
        StepId, Target, TargetId, TargetMode, Text,
    },
    key::Key,
};

/// A flow in the making; the names of its steps and targets are known from the start.
pub(crate) struct Draft {
    pub flow: Flow,
}

impl Draft {
    /// The first step is the start, the first target the human one, the second `[fallback]`.
    pub fn new(steps: &[&str], targets: &[&str]) -> Self {
        let goodbye = Does::Say { play: sound("goodbye"), then: Go::HangUp };
        let step =
            |name: &&str| Step { name: (*name).into(), fallback: true, does: goodbye.clone() };
        let link = Link {
            name: "chat".into(),
            kind: LinkKind::Static,
            url: "https://help.example.com/chat".into(),
            if_missing: None,
            intents: vec!["any".into()],
            staffing: None,
            check_url: None,
            check_seconds: 60,
            app_url: None,
            tracked: false,
            expires_hours: 24,
            context: Vec::new(),
            context_level: Level::L0,
            secret: None,
        };
        let flow = Flow {
            name: "test".into(),
            rev: "rev".into(),
            numbers: vec!["+442079460019".into()],
            extensions: Vec::new(),
            prefixes: Vec::new(),
            default: false,
            business: None,
            languages: vec!["en-GB".into()],
            start: StepId(0),
            human: TargetId(0),
            fallback: (targets.len() > 1).then_some(TargetId(1)),
            emergency_notice: false,
            digital_only: false,
            operator_keys: vec![key('0')],
            holdout_percent: 0,
            ask_again_days: 7,
            max_minutes: 15,
            told: Vec::new(),
            max_steps: 60,
            round_wait: RoundWait::default(),
            steps: steps.iter().map(step).collect(),
            targets: targets.iter().map(|name| target(name)).collect(),
            links: vec![link],
            rules: Vec::new(),
            hours: Vec::new(),
            after_call: Vec::new(),
            senders: vec![sender("sandbox", "sms", false)],
            media_intents: Vec::new(),
            priority_intents: Vec::new(),
        };
        Self { flow }
    }

    pub fn go(&self, name: &str) -> Go {
        let step = self.flow.steps.iter().position(|step| step.name == name);
        let target = self.flow.targets.iter().position(|target| target.name == name);
        match (name, step, target) {
            ("hangup", _, _) => Go::HangUp,
            (_, Some(index), _) => Go::Step(StepId(u16::try_from(index).unwrap())),
            (_, None, Some(index)) => Go::Target(TargetId(u16::try_from(index).unwrap())),
            (_, None, None) => panic!("no step or target {name}"),
        }
    }

    pub fn step(mut self, name: &str, does: impl FnOnce(&Self) -> Does) -> Self {
        let does = does(&self);
        let step = self.flow.steps.iter_mut().find(|step| step.name == name);
        step.unwrap_or_else(|| panic!("no step {name}")).does = does;
        self
    }

    pub fn target(mut self, name: &str, change: impl FnOnce(&Self, &mut Target)) -> Self {
        let index = self.flow.targets.iter().position(|target| target.name == name).unwrap();
        let mut target = self.flow.targets[index].clone();
        change(&self, &mut target);
        self.flow.targets[index] = target;
        self
    }

    pub fn rule(mut self, name: &str, fact: Fact) -> Self {
        self.flow.rules.push(Rule { name: name.into(), fact });
        self
    }

    pub fn rule_id(&self, name: &str) -> RuleId {
        let index = self.flow.rules.iter().position(|rule| rule.name == name).unwrap();
        RuleId(u16::try_from(index).unwrap())
    }

    pub fn menu(&self, play: &str, press: &[(char, &str)], no_input: &str) -> Menu {
        Menu {
            play: sound(play),
            play_again: Vec::new(),
            press: press.iter().map(|(label, to)| (key(*label), self.go(to))).collect(),
            tries: 3,
            timeout_ms: 8_000,
            repeat_key: Some(key('*')),
            no_input: self.go(no_input),
            wrong: self.go(no_input),
            barge_in: true,
            flush: false,
            intent: None,
        }
    }

    /// Key 1 accepts, 0 is the operator; not offered and silence go to `other`.
    pub fn offer(&self, yes: &str, other: &str) -> Offer {
        let menu = Menu { tries: 1, ..self.menu("offer-text", &[('1', yes), ('2', other)], other) };
        Offer {
            menu,
            stage: "use-case".into(),
            link: LinkId(0),
            only_if: Vec::new(),
            never_if: Vec::new(),
            needs_intent: false,
            again: false,
            share: 100.into(),
            accept: vec![key('1')],
            if_not_offered: self.go(other),
        }
    }

    pub fn text(&self, then: &str) -> Text {
        Text {
            via: Vec::new(),
            links: vec![LinkId(0)],
            message: BTreeMap::from([(String::new(), "Example: {link}".into())]),
            purpose: "link".into(),
            confirm_number: ConfirmNumber::IfNotMobile,
            ask: None,
            accept_within_ms: 8_000,
            attempt_ms: 2_500,
            allow_one_duplicate: false,
            keep_waiting: false,
            sent_when_queued: false,
            valid_minutes: 15,
            repeat_after_minutes: 10,
            max_segments: message_text::MAX_SEGMENTS,
            wait_prompt: Some(sound("one-moment")),
            sent_prompt: Some(sound("sent")),
            failed_prompt: Some(sound("not-sent")),
            unsure_prompt: sound("may-still-arrive"),
            then: self.go(then),
            if_fails: None,
            if_ambiguous: None,
            if_opted_out: None,
            if_limited: None,
        }
    }

    pub fn done(self) -> Arc<Flow> {
        Arc::new(self.flow)
    }
}

/// The flow of `minimal.toml`: one menu, one text, one person.
pub(crate) fn minimal() -> Draft {
    Draft::new(&["welcome", "text_me"], &["agents", "pbx"])
        .target("agents", |_, target| {
            target.answered_means = AnsweredMeans::Human;
            target.human_signal = HumanSignal::Answer;
        })
        .step("welcome", |draft| {
            Does::Menu(draft.menu("welcome", &[('1', "text_me"), ('0', "agents")], "agents"))
        })
        .step("text_me", |draft| Does::Text(draft.text("hangup")))
}

/// A menu that leads to an offer.
pub(crate) fn offering(change: impl FnOnce(&Draft, &mut Offer)) -> Draft {
    minimal_with(&["ask", "text_me", "menu"]).step("ask", |draft| {
        let mut offer = draft.offer("text_me", "menu");
        change(draft, &mut offer);
        Does::Offer(offer)
    })
}

fn minimal_with(steps: &[&str]) -> Draft {
    Draft::new(steps, &["agents", "pbx"])
        .target("agents", |_, target| target.answered_means = AnsweredMeans::Human)
        .step("menu", |draft| Does::Menu(draft.menu("menu", &[('0', "agents")], "hangup")))
        .step("text_me", |draft| Does::Text(draft.text("hangup")))
}

pub(crate) fn key(label: char) -> Key {
    Key::try_from(label).unwrap()
}

pub(crate) fn sound(name: &str) -> PromptList {
    vec![PromptItem::Sound(name.into())]
}

pub(crate) fn sender(name: &str, channel: &str, media: bool) -> Sender {
    Sender {
        name: name.into(),
        from: "+447700900999".into(),
        regions: vec!["GB".into()],
        channel: channel.into(),
        media,
        alphabet: Default::default(),
        business: None,
    }
}

fn target(name: &str) -> Target {
    Target {
        name: name.into(),
        addresses: vec![format!("sip:{name}@pbx.example.net")],
        no_reply_ms: 3_000,
        ring_seconds: 45,
        ping_seconds: 30,
        mode: TargetMode::Bridge,
        transport: "auto".into(),
        hours: None,
        when_closed: None,
        answered_means: AnsweredMeans::Queue,
        human_signal: HumanSignal::None,
        headers: BTreeMap::new(),
        feature_code: Vec::new(),
        send_link: None,
        if_busy: None,
        if_no_answer: None,
        if_fails: None,
        fallback: true,
    }
}
