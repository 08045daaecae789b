//! Providers on loopback, one personality each. What they do with a message is said by the last
//! digits of its number, so that a test reads the same for all of them; receipts are made, and
//! signed, as theirs are.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use deflect_actions::provider::Posted;
use serde_json::Value;

use super::{personality::Personality, twilio::hang_up};

/// What befalls a message, by the end of its number; any other is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Magic {
    Invalid,
    Landline,
    OptedOut,
    RateLimited,
    Config,
    Blocked,
    Funds,
    Auth,
    Down,
    /// Takes it and never answers.
    Hangs,
    /// Takes it and closes the connection.
    TakesAndResets,
    /// Answers 200 with something else, without taking it.
    Garbage,
}

impl Magic {
    pub const ALL: [(Self, &str); 12] = [
        (Self::Invalid, "901"),
        (Self::Landline, "902"),
        (Self::OptedOut, "903"),
        (Self::RateLimited, "904"),
        (Self::Config, "905"),
        (Self::Blocked, "906"),
        (Self::Funds, "907"),
        (Self::Auth, "908"),
        (Self::Down, "909"),
        (Self::Hangs, "911"),
        (Self::TakesAndResets, "912"),
        (Self::Garbage, "913"),
    ];

    fn of(number: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, end)| number.ends_with(end)).map(|(magic, _)| magic)
    }
}

/// A request that it got.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    /// The body: JSON, or a form as an object.
    pub body: Value,
}

/// A webhook that it posts.
#[derive(Debug, Clone)]
pub struct Hook {
    pub what: &'static str,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Hook {
    pub fn posted(&self) -> Posted<'_> {
        super::posted(self.what, &self.path, &self.headers, &self.body)
    }
}

/// The provider; clones are the same.
#[derive(Clone)]
pub struct Emulator {
    pub is: Personality,
    pub base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Emulator {
    pub async fn start(is: Personality) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let emulator = Self { is, base, asked: Arc::default(), taken: Arc::default() };
        let router = Router::new().fallback(answer).with_state(emulator.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        emulator
    }

    /// All it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }

    /// What phones get, as it was posted.
    pub fn taken(&self) -> Vec<Value> {
        lock(&self.taken).clone()
    }

    /// The id it gave the `n`th message that it took.
    pub fn id(&self, n: usize) -> String {
        self.is.id(n + 1)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

async fn answer(
    State(emulator): State<Emulator>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().unwrap().as_str().to_owned();
    let body = read(&headers, &body);
    let asked = Asked { method, path, headers, body: body.clone() };
    lock(&emulator.asked).push(asked.clone());
    let is = emulator.is;
    if !is.knows(&asked) {
        return told(is.refuses(Magic::Auth));
    }
    if asked.method == Method::GET {
        return told((200, is.about_itself()));
    }
    let take = || {
        let mut taken = lock(&emulator.taken);
        taken.push(body.clone());
        is.accepts(taken.len(), &body)
    };
    match Magic::of(&is.number(&body)) {
        None => told(take()),
        Some(Magic::Hangs) => {
            let answer = take();
            tokio::time::sleep(Duration::from_secs(20)).await;
            told(answer)
        }
        Some(magic) if !is.refuses_at_once(magic) => told(take()),
        Some(Magic::TakesAndResets) => {
            take();
            hang_up()
        }
        Some(Magic::Garbage) => (StatusCode::OK, "<html>Sign in to the hotel").into_response(),
        Some(refusal) => told(is.refuses(refusal)),
    }
}

fn told((status, body): (u16, Value)) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn read(headers: &HeaderMap, body: &[u8]) -> Value {
    let kind = headers.get(header::CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap());
    if kind.starts_with("application/x-www-form-urlencoded") {
        let form = deflect_actions::provider::form(body).unwrap();
        return Value::Object(form.into_iter().map(|(name, value)| (name, value.into())).collect());
    }
    serde_json::from_slice(body).unwrap_or(Value::Null)
}
