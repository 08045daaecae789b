//! Steps that ask: the caller for digits, systems of the business for facts and deeds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FieldType, Go, Level, PromptList};
use crate::{flow::play, key::Key};

/// `do = "collect"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collect {
    /// The field that the digits go into.
    pub save: String,
    /// What is played.
    pub play: PromptList,
    /// As [`play_again`](super::Menu::play_again) of a menu.
    pub play_again: Vec<PromptList>,
    /// Fewer digits are wrong.
    pub min: u8,
    /// So many end the input.
    pub max: u8,
    /// Ends the input before.
    pub end_key: Option<Key>,
    /// From the end of the prompt to the first digit, ms.
    pub timeout_ms: u32,
    /// From one digit to the next, ms.
    pub gap_ms: u32,
    /// How often it is asked, 1–5.
    pub tries: u8,
    /// What the digits must be.
    pub check: Check,
    /// What reads the value back and asks whether it is right; `None`: it is taken as typed.
    pub confirm: Option<PromptList>,
    /// Never stored, logged or handed on, except to the lookup or action that names the field.
    pub secret: bool,
    /// An operator's key that is typed alone leads to a person, and is no value.
    pub operator: bool,
    /// With good digits.
    pub then: Go,
    /// After all tries in silence.
    pub no_input: Go,
    /// After all tries with wrong digits.
    pub wrong: Go,
}

impl Collect {
    /// What is played at the `n`th try, counted from 1.
    pub fn prompt(&self, n: u8) -> &PromptList {
        play::of_try(&self.play, &self.play_again, n)
    }
}

/// `check`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Any digits.
    #[default]
    Digits,
    /// A phone number of the country in which the call's numbers are read.
    Phone,
    /// A mobile number of that country.
    Mobile,
    /// The last digit is a Luhn check digit (ISO/IEC 7812-1).
    Luhn,
    /// A day that exists: DDMMYYYY, or MMDDYYYY where the call's language is `en-US`.
    Date,
    /// The whole input matches a regular expression.
    Pattern(String),
}

/// `do = "lookup"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// How it is asked.
    pub request: Request,
    /// Answers to a request are good for the next one of the same call and address for so long,
    /// seconds; 0: each is asked anew.
    pub cache_seconds: u32,
    /// What is read out of the answer.
    pub save: Vec<Save>,
    /// What plays while the answer is awaited; `None`: silence, and the call is not answered.
    pub wait_prompt: Option<PromptList>,
    /// Asked for as soon as its fields are known, not when the step is reached.
    pub start_early: bool,
    /// Granted when the answer's member `verified` is true.
    pub auth_level: Option<Level>,
    /// The answer is there.
    pub then: Go,
    /// No answer in time, or a bad one; `None`: the way out.
    pub if_fails: Option<Go>,
}

/// A value read out of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Save {
    /// The field it goes into.
    pub field: String,
    /// Where it stands in the answer (RFC 6901).
    pub pointer: String,
    /// What it must be, else it is unknown; `None`: whatever it is.
    pub is: Option<FieldType>,
    /// It tells nothing of the caller's account, and may go along with any link and text.
    pub public: bool,
}

impl Save {
    /// The member of an answer that has the field's name, or stands at `pointer`.
    #[must_use]
    pub fn untyped(field: &str, pointer: &str) -> Self {
        Self { field: field.to_owned(), pointer: pointer.to_owned(), is: None, public: false }
    }
}

/// `do = "action"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// How it is asked for.
    pub request: Request,
    /// What is played and must be answered by `1`; `None`: it is done unasked.
    pub confirm: Option<PromptList>,
    /// What is read out of the answer.
    pub save: Vec<Save>,
    /// What plays while it is done; `None`: silence.
    pub wait_prompt: Option<PromptList>,
    /// It is done.
    pub then: Go,
    /// Not confirmed; as `if_fails` where it is left out.
    pub no_input: Option<Go>,
    /// It is not done, or nobody knows; `None`: the way out.
    pub if_fails: Option<Go>,
}

/// A request to a system of the business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// GET, or POST with a body.
    pub method: Method,
    /// https, with `{fields}`.
    pub url: String,
    /// `env:…` or `file:…` of a bearer token.
    pub token: Option<String>,
    /// The `[system.X]` that it goes to.
    pub system: Option<String>,
    /// Fields of the JSON body, templates with `{fields}`.
    pub body: BTreeMap<String, String>,
    /// The answer must be there by then, ms.
    pub timeout_ms: u32,
}

/// `method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Safe: may be tried again.
    #[default]
    Get,
    /// Carries an idempotency key.
    Post,
}
