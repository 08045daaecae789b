//! A provider on loopback that speaks Twilio's REST form, and misbehaves as told.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Form, Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

/// What it does with a message; in the order told, then it accepts.
#[derive(Debug, Clone, Copy)]
pub enum Does {
    /// Takes it and says so.
    Accept,
    /// Takes it and answers after this many milliseconds.
    Slow(u64),
    /// Closes the connection without taking it.
    Reset,
    /// Takes it and closes the connection without an answer.
    TakeAndReset,
    /// Answers with this status, Twilio code and Retry-After in seconds.
    Refuse(u16, i64, Option<u64>),
    /// Answers 200 with something that is no JSON, without taking it.
    Garbage,
}

/// A message it was sent, whatever it did with it.
#[derive(Debug, Clone)]
pub struct Posted {
    pub form: HashMap<String, String>,
    pub authorization: String,
    pub account: String,
}

/// The provider; clones are the same.
#[derive(Clone, Default)]
pub struct FakeTwilio(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    does: VecDeque<Does>,
    posted: Vec<Posted>,
    taken: Vec<Value>,
    asked: Vec<HashMap<String, String>>,
    hides: bool,
    /// Risk by number.
    scores: HashMap<String, u8>,
    /// Kind of line by number; a late answer for `late`.
    lines: HashMap<String, &'static str>,
    looked_up: usize,
}

impl FakeTwilio {
    /// Starts it; returns its address.
    pub async fn start(does: &[Does]) -> (Self, String) {
        let fake = Self::default();
        fake.lock().does = does.iter().copied().collect();
        let path = "/2010-04-01/Accounts/{account}/Messages.json";
        let router = Router::new()
            .route(path, get(list).post(create))
            .route("/v2/PhoneNumbers/{number}", get(look_up))
            .with_state(fake.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (fake, base)
    }

    /// All it was sent.
    pub fn posted(&self) -> Vec<Posted> {
        self.lock().posted.clone()
    }

    /// The texts it took: what phones would get.
    pub fn taken(&self) -> Vec<String> {
        self.lock().taken.iter().map(|m| m["body"].as_str().unwrap().to_owned()).collect()
    }

    /// How often its list was asked for.
    pub fn asked(&self) -> Vec<HashMap<String, String>> {
        self.lock().asked.clone()
    }

    /// Its list fails from now on, or no more.
    pub fn hide_list(&self, hides: bool) {
        self.lock().hides = hides;
    }

    /// How risky it calls a number from now on; `None`: it does not say.
    pub fn scores(&self, number: &str, score: Option<u8>) {
        let mut inner = self.lock();
        match score {
            Some(score) => inner.scores.insert(number.to_owned(), score),
            None => inner.scores.remove(number),
        };
    }

    /// What kind of line it says a number is from now on; `late`: it says so a second later.
    pub fn line(&self, number: &str, kind: &'static str) {
        self.lock().lines.insert(number.to_owned(), kind);
    }

    /// How often it was asked for that.
    pub fn looked_up(&self) -> usize {
        self.lock().looked_up
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn take(&self, form: &HashMap<String, String>) -> Value {
        let mut inner = self.lock();
        let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let message = json!({
            "sid": format!("SM{:032x}", inner.taken.len() + 1),
            "status": "queued",
            "num_segments": "1",
            "to": form["To"], "from": form.get("From"), "body": form["Body"],
            "date_created": jiff::fmt::rfc2822::to_string(&now).unwrap(),
            "error_code": null,
        });
        inner.taken.push(message.clone());
        message
    }
}

async fn create(
    State(fake): State<FakeTwilio>,
    Path(account): Path<String>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let authorization = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
    let does = {
        let mut inner = fake.lock();
        inner.posted.push(Posted { form: form.clone(), authorization, account });
        inner.does.pop_front().unwrap_or(Does::Accept)
    };
    match does {
        Does::Accept => (StatusCode::CREATED, Json(fake.take(&form))).into_response(),
        Does::Slow(ms) => {
            let message = fake.take(&form);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            (StatusCode::CREATED, Json(message)).into_response()
        }
        Does::TakeAndReset => {
            fake.take(&form);
            hang_up()
        }
        Does::Reset => hang_up(),
        Does::Garbage => (StatusCode::OK, "<html>Sign in to the hotel's network").into_response(),
        Does::Refuse(status, code, retry_after) => {
            let body = json!({ "code": code, "message": "no", "status": status });
            let status = StatusCode::from_u16(status).unwrap();
            let mut response = (status, Json(body)).into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
    }
}

async fn look_up(
    State(fake): State<FakeTwilio>,
    Path(number): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let field = query.get("Fields").map(String::as_str);
    let (score, line) = {
        let mut inner = fake.lock();
        inner.looked_up += 1;
        (inner.scores.get(&number).copied(), inner.lines.get(&number).copied())
    };
    match field {
        Some("sms_pumping_risk") => {}
        Some("line_type_intelligence") => {
            let Some(kind) = line else { return StatusCode::NOT_FOUND.into_response() };
            if kind == "late" {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let told = json!({ "type": kind.replace("late", "landline"), "carrier_name": "x" });
            let told = json!({ "phone_number": number, "line_type_intelligence": told });
            return Json(told).into_response();
        }
        _ => return StatusCode::BAD_REQUEST.into_response(),
    }
    match score {
        Some(score) => {
            let risk = json!({ "number_blocked": false, "sms_pumping_risk_score": score });
            Json(json!({ "phone_number": number, "sms_pumping_risk": risk })).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn list(
    State(fake): State<FakeTwilio>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let mut inner = fake.lock();
    inner.asked.push(query.clone());
    if inner.hides {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let to = &query["To"];
    let found: Vec<_> = inner.taken.iter().filter(|m| m["to"] == to.as_str()).cloned().collect();
    Json(json!({ "messages": found })).into_response()
}

/// Ends the connection's task, and with it the connection; without the noise of a panic.
pub fn hang_up() -> ! {
    std::panic::resume_unwind(Box::new("the connection is closed"))
}
