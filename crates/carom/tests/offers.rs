//! Offers to callers of other IVRs, over nodes of one database and their restarts.

use std::{fs, thread, time::Duration};

use carom_blackbox::{
    CONFIG, Database, Place, eventually,
    twilio::{Does, Twilio},
    web,
};
use serde_json::{Value, json};

use super::{api::Site, eligibility::OFFERS};

/// Two nodes of one PostgreSQL database, with the same keys.
struct Nodes {
    database: Database,
    nodes: [Site; 2],
}

impl Nodes {
    fn start() -> Self {
        let (database, second) = (Database::postgres(), Place::new());
        let config =
            CONFIG.replace("[http]", &format!("[store]\nurl = \"{}\"\n[http]", database.url()));
        let first = Site::configured(&offers(), &config);
        let keys = second.folder().join("var/keys");
        fs::create_dir_all(&keys).unwrap();
        for key in fs::read_dir(first.place.folder().join("var/keys")).unwrap() {
            let key = key.unwrap().path();
            if key.extension().is_some_and(|extension| extension == "key") {
                fs::copy(&key, keys.join(key.file_name().unwrap())).unwrap();
            }
        }
        let second = Site::at(second, &offers(), &config);
        Self { database, nodes: [first, second] }
    }

    fn messages(&self) -> i64 {
        self.database.number("SELECT COUNT(*) FROM message")
    }
}

#[test]
fn kh_13_an_offer_is_taken_up_on_any_node_once_and_a_repeat_is_told_the_same() {
    let nodes = Nodes::start();
    let [one, other] = &nodes.nodes;
    let offer = offered(one, 1);
    let first = invite(other, &offer, "k1");
    assert_eq!((first.0, &first.1["state"]), (200, &json!("accepted")), "{first:?}");
    for node in [one, other] {
        assert_eq!(invite(node, &offer, "k1"), first, "any node tells what came of it");
        assert_eq!(invite(node, &offer, "k2").0, 404, "it is used");
    }
    assert_eq!(nodes.messages(), 1);
    // It is one call with one offer, whoever began it.
    let call = "SELECT c.origin || ' ' || c.end_reason || ' ' || o.response || ' ' || COALESCE(o.pressed, '') \
                FROM call c JOIN offer o ON o.call_id = c.call_id WHERE c.ended_ms IS NOT NULL";
    let told = eventually("the call is stored", || {
        Some(nodes.database.texts(call)).filter(|rows| !rows.is_empty())
    });
    assert_eq!(told, ["api deflected accepted 1"]);

    // Both at once, by one key.
    let offer = offered(one, 2);
    let both = thread::scope(|scope| {
        [one, other]
            .map(|node| scope.spawn(|| invite(node, &offer, "k3")))
            .map(|it| it.join().unwrap())
    });
    assert_eq!(both[0], both[1]);
    assert_eq!((both[0].0, nodes.messages()), (200, 2));
    // Nobody's number is in the open, nor kept once it is used.
    let kept = "SELECT COUNT(*) FROM remote_offer WHERE question_enc IS NOT NULL";
    eventually("forgotten", || (nodes.database.number(kept) == 0).then_some(()));
}

#[test]
fn kh_13_an_offer_outlives_a_kill_of_the_node_that_made_it() {
    let mut site = Site::with(&offers());
    let offer = offered(&site, 3);
    let refused = invite_as(&site, &offer, "k", json!({"channel": "whatsapp"}));
    assert_eq!(refused.0, 400, "{refused:?}");
    site.engine.kill();
    site.engine.restart();
    let sealed = Database::of(&site.place).texts("SELECT question_enc FROM remote_offer");
    assert!(sealed.len() == 1 && !sealed[0].contains("7700900"), "{sealed:?}");
    let first = invite(&site, &offer, "k");
    assert_eq!((first.0, &first.1["state"]), (200, &json!("accepted")), "{first:?}");
    let database = Database::of(&site.place);
    let ends = "SELECT COALESCE(end_reason, '') FROM call WHERE origin = 'api'";
    eventually("it is one call", || (database.texts(ends) == ["deflected"]).then_some(()));
    site.engine.kill();
    site.engine.restart();
    assert_eq!(invite(&site, &offer, "k"), first, "told again after another start");
    assert_eq!(database.number("SELECT COUNT(*) FROM message"), 1);
}

#[test]
fn kh_13_of_invites_at_once_that_want_another_matter_one_sends() {
    let flow = offers().replace("intents  = [\"orders\"]", "intents  = [\"orders\", \"bills\"]");
    let site = Site::with(&flow);
    let offer = offered(&site, 4);
    let statuses = thread::scope(|scope| {
        let wants = |n: u32| {
            let (site, offer) = (&site, &offer);
            scope.spawn(move || {
                invite_as(site, offer, &format!("key-{n}"), json!({"intent": "bills"})).0
            })
        };
        let all: Vec<_> = (0..6).map(wants).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 5, "{statuses:?}");
    assert_eq!(Database::of(&site.place).number("SELECT COUNT(*) FROM message"), 1);
}

#[test]
fn kh_13_an_invite_about_another_matter_goes_out_once_though_its_node_dies_of_it() {
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let flow = offers()
        .replace("intents  = [\"orders\"]", "intents  = [\"orders\", \"bills\"]")
        .replace("do       = \"text\"", "do       = \"text\"\nrepeat_after_minutes = 0");
    assert!(flow.contains("repeat_after_minutes"));
    let config = twilio.engine_config(&place);
    let mut site = Site::at(place, &flow, &config);
    twilio.always(Does::Slow(Duration::from_secs(8)));
    let offer = offered(&site, 5);
    let bills = || json!({"intent": "bills"});
    let headers =
        format!("{}Authorization: Bearer deflect-token\r\nIdempotency-Key: k\r\n", web::JSON);
    let body = json!({"offer_id": offer, "intent": "bills"}).to_string();
    let asked = web::begin(&site.place, "POST", "/v1/invite", &headers, &body).unwrap();
    eventually("it is sent", || (twilio.posted().len() == 1).then_some(()));
    site.engine.kill();
    drop(asked);
    twilio.always(Does::Accept);
    site.engine.restart();
    let database = Database::of(&site.place);
    // Whoever claimed it is taken for dead.
    database.execute("UPDATE remote_offer SET taken_ms = taken_ms - 120000");
    let (status, told) = invite_as(&site, &offer, "k", bills());
    assert!((200..203).contains(&status), "{status} {told}");
    let message = database.texts("SELECT message_id FROM message");
    assert_eq!(message.len(), 1, "{message:?}");
    assert_eq!(told["message_id"], json!(message[0]), "it is told of the one there is");
    assert_eq!(twilio.posted().len(), 1);
}

#[test]
fn lp_02_the_wait_that_is_told_is_what_our_source_knows_and_no_echo() {
    let site = Site::with(OFFERS);
    let wait = |asked: &str| {
        let who = "\"number\":\"+447700900467\",\"called\":\"x\",\"intent\":\"orders\"";
        let body = format!("{{{who}{asked}}}");
        let (status, told) = site.asks("deflect", "POST", "/v1/eligibility", &body);
        assert_eq!(status, 200, "{told}");
        (told["expected_wait_seconds"].clone(), told["eligible"].clone())
    };
    assert_eq!(wait(",\"wait_seconds\":777"), (Value::Null, json!(true)), "nobody told us");
    let told = "{\"wait_seconds\":420}";
    assert_eq!(site.asks("sources", "POST", "/v1/sources/queue", told).0, 204);
    assert_eq!(wait(",\"wait_seconds\":777"), (json!(420), json!(true)));
    assert_eq!(wait(""), (json!(420), json!(true)), "the rules know it, too");
}

fn offers() -> String {
    OFFERS.replace("only_if  = [\"long_wait\"]\n", "")
}

fn offered(site: &Site, n: u32) -> String {
    let body = json!({"number": format!("+44770090049{n}"), "called": "x", "intent": "orders"});
    let (_, told) = site.asks("deflect", "POST", "/v1/eligibility", &body.to_string());
    told["offer_id"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
}

fn invite(site: &Site, offer: &str, key: &str) -> (u16, Value) {
    invite_as(site, offer, key, json!({}))
}

fn invite_as(site: &Site, offer: &str, key: &str, wanted: Value) -> (u16, Value) {
    let mut body = json!({"offer_id": offer});
    body.as_object_mut().unwrap().extend(wanted.as_object().unwrap().clone());
    let header = format!("Idempotency-Key: {key}\r\n");
    site.asks_with("deflect", "POST", "/v1/invite", &header, &body.to_string())
}
