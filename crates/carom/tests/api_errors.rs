//! Errors of the API against the document that it serves, by a validator of others; and where to go
//! from `/`.

use carom_blackbox::{
    Engine, Place, get,
    judges::{self, Judges},
    web,
};
use serde_json::{Value, json};

use crate::api::Site;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn kh_13_the_errors_of_each_route_are_those_of_the_served_document() {
    // Without tokens this machine may ask for everything, but texts of the business's own.
    let open = Place::new();
    let engine = Engine::start(BIN, &open);
    let guarded = Site::new();
    let document = document(&open);
    let mut answers = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let route = path.replace('{', "no-").replace('}', "");
            let damaged = match path.split_once('{') {
                Some((before, after)) => {
                    format!("{before}%FF{}", after.split_once('}').unwrap().1)
                }
                None => format!("{path}?v=%FF"),
            };
            let verb = method.to_uppercase();
            let asked = [
                ask(&open, &verb, &route, JSON, "{"),
                ask(&open, &verb, &route, JSON, "{\"nobody\": 1}"),
                ask(&open, &verb, &route, JSON, "7"),
                ask(&open, &verb, &route, "Content-Type: text/plain\r\n", "x"),
                ask(&open, &verb, &route, &format!("{JSON}Accept: application/xml\r\n"), "{"),
                ask(&open, &verb, &damaged, JSON, "{"),
                ask(&open, "PUT", &route, JSON, "{}"),
                ask(&guarded.place, &verb, &route, JSON, "{}"),
                ask(&guarded.place, &verb, &route, "Authorization: Bearer wrong\r\n", ""),
            ];
            let refused = asked.into_iter().filter(|(status, ..)| *status >= 400);
            let refused: Vec<Value> = refused
                .map(|(status, kind, body)| {
                    json!({
                        "method": method, "path": path, "status": status, "kind": kind, "body": body,
                    })
                })
                .collect();
            assert!(refused.len() >= 3, "{method} {path}: {refused:?}");
            answers.extend(refused);
        }
    }
    assert!(answers.len() > 120, "{}", answers.len());
    let statuses: Vec<u64> = answers.iter().map(|one| one["status"].as_u64().unwrap()).collect();
    for status in [400, 401, 403, 404, 405, 415] {
        assert!(statuses.contains(&status), "{status}: {statuses:?}");
    }
    let judge = Judges::below(env!("CARGO_TARGET_TMPDIR")).python("answers.py");
    let wrong = judges::asked(judge, &json!({ "document": document, "answers": answers }));
    assert_eq!(wrong, json!([]), "{wrong:#}");
    // Nor are too many requests told otherwise.
    for _ in 0..3 {
        guarded.asks("hasty", "POST", "/v1/eligibility", "{}");
    }
    let (status, told) = guarded.asks("hasty", "POST", "/v1/eligibility", "{}");
    assert_eq!((status, &told["error"]), (429, &json!("too_many_requests")), "{told}");
    drop(engine);
}

#[test]
fn the_front_page_leads_to_what_is_there_and_unknown_routes_of_the_api_answer_as_it_does() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let (status, kind, page) = ask(&place, "GET", "/", "", "");
    assert_eq!((status, kind.as_str()), (200, "text/html; charset=utf-8"));
    let places: Vec<&str> =
        page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(places.contains(&"/v1/openapi.json") && places.len() >= 5, "{page}");
    for path in places {
        assert_eq!(ask(&place, "GET", path, "", "").0, 200, "{path}");
    }
    let (status, _, told) = ask(&place, "GET", "/v1/nothing", "", "");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((status, &told["error"]), (404, &json!("not_found")));
    let (status, _, told) = ask(&place, "GET", "/nothing", "", "");
    assert_eq!((status, told.as_str()), (404, "nothing is here; see /\n"));
    drop(engine);
}

#[test]
fn kh_13_the_document_of_the_api_is_for_who_bears_a_token_of_any_scope() {
    let site = Site::new();
    let asked = |headers: &str| ask(&site.place, "GET", "/v1/openapi.json", headers, "");
    for headers in ["", "Authorization: Bearer wrong\r\n"] {
        let (status, _, told) = asked(headers);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(
            (status, &told),
            (401, &json!({"error": "unauthorized", "message": "a token is needed"}))
        );
    }
    for token in ["read", "deflect", "sources"] {
        let (status, _, told) = asked(&format!("Authorization: Bearer {token}-token\r\n"));
        assert_eq!(status, 200, "{token}");
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["openapi"], "3.1.0", "{token}");
    }
    // The page that leads to it tells a stranger nothing of what is configured.
    let (status, _, page) = ask(&site.place, "GET", "/", "", "");
    assert_eq!(status, 200);
    for name in ["ivr-of-others", "pbx", "Example", "+44"] {
        assert!(!page.contains(name), "{name}: {page}");
    }
}

fn document(place: &Place) -> Value {
    let served = get(place, "/v1/openapi.json");
    serde_json::from_str(served.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Status, type and body of an answer.
fn ask(
    place: &Place,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String, String) {
    let answer = web::ask(place, method, path, headers, body);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
    (status, kind.unwrap_or_default().to_owned(), body.to_owned())
}
