//! An account at a provider: what it is asked, what it takes, what it does with it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    Does, Event, Hook, Magic, Message, Personality, Request, Says, Tell, http,
    personality::Draft,
    poster::{Job, Poster},
};

/// An account at a provider; clones are the same.
#[derive(Clone)]
pub struct Account {
    /// Whose.
    pub is: Personality,
    /// The address of the emulator, without a slash at the end.
    pub base: String,
    book: Arc<Mutex<Book>>,
    poster: Arc<Poster>,
}

/// What an account remembers, and was told to do.
#[derive(Default)]
pub(crate) struct Book {
    /// By number, until told otherwise.
    does: BTreeMap<String, Does>,
    /// By number, with its next messages, in order.
    once: BTreeMap<String, VecDeque<Does>>,
    /// With the next messages, in order.
    next: VecDeque<Does>,
    always: Option<Does>,
    pub asked: Vec<Request>,
    pub taken: Vec<Message>,
    /// Places in `taken`, by id.
    places: HashMap<String, usize>,
    /// How often a number was asked for.
    tries: BTreeMap<String, usize>,
    /// When a person last wrote to us, ms.
    wrote: BTreeMap<String, i64>,
    pub hides: bool,
    /// Risk by number.
    pub scores: BTreeMap<String, u8>,
    /// Kind of line by number, and how long it takes to say so.
    pub lines: BTreeMap<String, (&'static str, Duration)>,
    pub looked_up: usize,
}

/// A person who wrote may be answered without a template for so long, ms.
const WINDOW_MS: i64 = 24 * 3_600_000;

impl Book {
    /// What is done with a message, and what its number chooses where nobody said.
    pub fn does(&mut self, is: Personality, to: &str) -> (Does, Option<Magic>) {
        let tries = self.tries.entry(to.to_owned()).or_default();
        let n = std::mem::replace(tries, *tries + 1);
        let once = self.once.get_mut(to).and_then(VecDeque::pop_front);
        let told = once.or_else(|| self.does.get(to).copied());
        let told = told.or_else(|| self.next.pop_front()).or(self.always);
        match (told, Magic::of(to)) {
            (Some(Does::Fail(magic)), _) => (Does::Fail(magic), Some(magic)),
            (Some(does), _) => (does, None),
            (None, Some(magic)) => (magic.does(is, n), Some(magic)),
            (None, None) => (Does::Accept, None),
        }
    }

    /// Whether the window for free text is open.
    pub fn is_open(&self, number: &str, now_ms: i64) -> bool {
        self.wrote.get(number).is_some_and(|at_ms| now_ms - at_ms < WINDOW_MS)
    }

    pub fn take(&mut self, is: Personality, request: &Request, draft: Draft) -> Message {
        let message = Message {
            id: is.id(self.taken.len() + 1),
            segments: message_text::segments(&draft.text).count,
            to: draft.to,
            from: draft.from,
            text: draft.text,
            callback: draft.callback,
            reference: draft.reference,
            at_ns: request.at_ns,
            posted: request.body.clone(),
            says: None,
        };
        self.places.insert(message.id.clone(), self.taken.len());
        self.taken.push(message.clone());
        message
    }

    /// Notes what was told of a message.
    pub fn told(&mut self, id: &str, says: Says<'static>) {
        if let Some(place) = self.places.get(id) {
            self.taken[*place].says = Some(says);
        }
    }
}

impl Account {
    pub(crate) fn new(is: Personality, base: String, poster: &Arc<Poster>) -> Self {
        Self { is, base, book: Arc::default(), poster: Arc::clone(poster) }
    }

    /// What it does with messages to `number` from now on.
    pub fn does(&self, number: &str, does: Does) {
        self.book().does.insert(number.to_owned(), does);
    }

    /// What it does with the next messages to `number`, in order.
    pub fn once(&self, number: &str, does: &[Does]) {
        self.book().once.entry(number.to_owned()).or_default().extend(does);
    }

    /// What it does with the next messages, in order.
    pub fn then(&self, does: &[Does]) {
        self.book().next.extend(does);
    }

    /// What it does with any other message from now on, whatever its number would choose.
    pub fn always(&self, does: Does) {
        self.book().always = Some(does);
    }

    /// Its list of messages fails from now on, or no more.
    pub fn hides_its_list(&self, hides: bool) {
        self.book().hides = hides;
    }

    /// How risky it calls a number from now on; `None`: it does not say.
    pub fn scores(&self, number: &str, score: Option<u8>) {
        let mut book = self.book();
        match score {
            Some(score) => book.scores.insert(number.to_owned(), score),
            None => book.scores.remove(number),
        };
    }

    /// What kind of line it says a number is from now on, after this time.
    pub fn line(&self, number: &str, kind: &'static str, after: Duration) {
        self.book().lines.insert(number.to_owned(), (kind, after));
    }

    /// How often it was asked for either.
    #[must_use]
    pub fn looked_up(&self) -> usize {
        self.book().looked_up
    }

    /// All it was asked, whatever it did with it.
    #[must_use]
    pub fn asked(&self) -> Vec<Request> {
        self.book().asked.clone()
    }

    /// The messages it took: what phones get.
    #[must_use]
    pub fn taken(&self) -> Vec<Message> {
        self.book().taken.clone()
    }

    /// A person wrote to us then, by a webhook of the test's own.
    pub fn wrote(&self, number: &str, at_ms: i64) {
        self.book().wrote.insert(number.to_owned(), at_ms);
    }

    /// A person writes to us: posts it, signed; returns the status of the answer, or `None` where
    /// nobody answers.
    pub fn texts(&self, number: &str, text: &str) -> Option<u16> {
        let at_ms = crate::now_ms();
        let id = {
            let mut book = self.book();
            book.wrote.insert(number.to_owned(), at_ms);
            self.is.id(900_000 + book.wrote.len())
        };
        let event = Event { id: &id, reference: None, number, says: Says::Text(text), at_ms };
        let url = self.is.address(&self.poster.webhooks(), &event);
        self.posts(&url, &self.is.hook_to(&url, &[event], false))
    }

    fn posts(&self, url: &str, hook: &Hook) -> Option<u16> {
        let (at, _) = http::place(url)?;
        let mut client = http::Client::connect(at).ok()?;
        client.post(&hook.path, &hook.headers, &hook.body).ok()
    }

    /// Plans what is told of a message that was taken; what comes before the answer is told now.
    pub(crate) fn plan(&self, message: &Message, magic: Option<Magic>) {
        let tells = magic.and_then(Magic::tells);
        for tell in tells.unwrap_or_else(|| self.poster.usually()) {
            let job = Job { of: self.clone(), message: message.clone(), tell };
            self.poster.take(job);
        }
    }

    pub(crate) fn told(&self, id: &str, tell: &Tell) {
        if let Some(says) = tell.says.last() {
            self.book().told(id, *says);
        }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
