//! Questions to systems of the business: what is asked again, what is remembered, and when not.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use deflect_actions::{
    destination::{Availability, Base, Context, Destination, Destinations, Keys, Liveperson},
    web::{Answer, Ask, Web},
};
use tokio::time::{Instant, sleep};

/// What a system does, question by question; the last holds for all that follow.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// 200 with the number of the question as its `n`.
    Counts,
    Status(u16),
    /// [`Does::Status`], after so many ms.
    StatusAfter(u64, u16),
}

/// A system of the business on loopback.
struct Crm {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    method: Method,
    query: String,
    key: Option<String>,
}

type Shared = (Vec<Does>, Arc<Mutex<Vec<Asked>>>);

async fn serve(
    State((does, asked)): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> (StatusCode, String) {
    let n = {
        let mut asked = asked.lock().unwrap();
        let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
        asked.push(Asked { method, query: uri.query().unwrap_or_default().to_owned(), key });
        asked.len()
    };
    let (after, status) = match does[n.min(does.len()) - 1] {
        Does::Counts => (0, 200),
        Does::Status(status) => (0, status),
        Does::StatusAfter(ms, status) => (ms, status),
    };
    sleep(Duration::from_millis(after)).await;
    let body = if status == 200 { format!("{{\"n\":{n}}}") } else { String::new() };
    (StatusCode::from_u16(status).unwrap(), body)
}

impl Crm {
    async fn start(does: &[Does]) -> Self {
        let asked = Arc::default();
        let state: Shared = (does.to_vec(), Arc::clone(&asked));
        let router = Router::new().fallback(serve).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked }
    }

    /// A question about a caller, good for ten minutes once answered.
    fn ask(&self, who: &str) -> Ask {
        Ask {
            post: false,
            url: format!("{}/caller?who={who}", self.url).into(),
            token: None,
            system: None,
            body: BTreeMap::new(),
            idempotency_key: None,
            within: Duration::from_secs(5),
            keep: Duration::from_secs(600),
            who: "step".to_owned(),
            save: vec![("n".to_owned(), "/n".to_owned())],
        }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn n(n: u32) -> Answer {
    Answer::Values(BTreeMap::from([("n".to_owned(), n.to_string())]))
}

fn failed(why: &str) -> Answer {
    Answer::Failed(why.to_owned())
}

#[tokio::test]
async fn ex_10_an_answer_is_kept_for_the_same_question_and_for_no_other() {
    let crm = Crm::start(&[Does::Counts]).await;
    let web = Web::default();
    let ask = crm.ask("ann");
    assert_eq!(web.ask(ask.clone()).await, n(1));
    assert_eq!(web.clone().ask(ask.clone()).await, n(1), "kept, for each clone");
    assert_eq!(crm.asked().len(), 1, "two calls, one request");

    // Another caller, another token, another field; no time at all, and a POST.
    let other = Ask { token: Some("t0ken".to_owned()), ..ask.clone() };
    let field = Ask { save: vec![("m".to_owned(), "/n".to_owned())], ..ask.clone() };
    let unkept = Ask { keep: Duration::ZERO, ..ask.clone() };
    let post = Ask { post: true, ..ask.clone() };
    let renamed = Answer::Values(BTreeMap::from([("m".to_owned(), "4".to_owned())]));
    for (ask, told) in [
        (crm.ask("bob"), n(2)),
        (other, n(3)),
        (field, renamed),
        (unkept.clone(), n(5)),
        (unkept, n(6)),
        (post.clone(), n(7)),
        (post, n(8)),
    ] {
        assert_eq!(web.ask(ask).await, told);
    }
    assert_eq!(web.ask(ask).await, n(1), "and the first is still known");
    assert_eq!(crm.asked().len(), 8);
}

#[tokio::test]
async fn ex_10_a_kept_answer_grows_old_and_a_failure_is_not_kept() {
    let crm = Crm::start(&[Does::Status(404), Does::Counts]).await;
    let web = Web::default();
    let ask = Ask { keep: Duration::from_millis(300), ..crm.ask("ann") };
    assert_eq!(web.ask(ask.clone()).await, failed("status_404"));
    assert_eq!(web.ask(ask.clone()).await, n(2));
    assert_eq!(web.ask(ask.clone()).await, n(2));
    sleep(Duration::from_millis(350)).await;
    assert_eq!(web.ask(ask).await, n(3));
}

#[tokio::test]
async fn ex_10_a_get_that_got_500_is_asked_once_more_and_no_more() {
    let crm = Crm::start(&[Does::Status(500), Does::Counts]).await;
    assert_eq!(Web::default().ask(crm.ask("ann")).await, n(2));
    let crm = Crm::start(&[Does::Status(503)]).await;
    assert_eq!(Web::default().ask(crm.ask("ann")).await, failed("status_503"));
    assert_eq!(crm.asked().len(), 2);
    let wrong = Crm::start(&[Does::Status(404)]).await;
    assert_eq!(Web::default().ask(wrong.ask("ann")).await, failed("status_404"));
    assert_eq!(wrong.asked().len(), 1, "that is an answer");
}

#[tokio::test]
async fn ex_11_a_post_that_got_500_is_never_asked_again() {
    for does in [Does::Status(500), Does::Status(503), Does::Status(404)] {
        let crm = Crm::start(&[does, Does::Counts]).await;
        let key = Some("call:pay:1".to_owned());
        let ask = Ask { post: true, idempotency_key: key.clone(), ..crm.ask("ann") };
        assert!(matches!(Web::default().ask(ask).await, Answer::Failed(_)), "{does:?}");
        let once = Asked { method: Method::POST, query: "who=ann".to_owned(), key };
        assert_eq!(crm.asked(), [once], "{does:?}");
    }
}

#[tokio::test]
async fn ex_10_nothing_is_asked_again_past_its_time_and_the_answer_comes_within_it() {
    let within = Duration::from_millis(600);
    for (does, why, times) in [
        // Too little is left for another try.
        (vec![Does::StatusAfter(500, 500), Does::Counts], "status_500", 1),
        // Its time is over while the second is under way.
        (vec![Does::Status(500), Does::StatusAfter(2_000, 200)], "timeout", 2),
        (vec![Does::StatusAfter(2_000, 200)], "timeout", 1),
    ] {
        let crm = Crm::start(&does).await;
        let began = Instant::now();
        let told = Web::default().ask(Ask { within, ..crm.ask("ann") }).await;
        assert_eq!(told, failed(why), "{does:?}");
        let took = began.elapsed();
        assert!(took < within + Duration::from_millis(300), "{does:?}: {took:?}");
        sleep(Duration::from_millis(100)).await;
        assert_eq!(crm.asked().len(), times, "{does:?}");
    }
}

/// LivePerson with its Domain API, all at one address; `knows`: whose hosts it tells.
async fn liveperson(knows: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (base, seen) = (host.clone(), Arc::clone(&asked));
    let router = Router::new().fallback(move |method: Method, uri: Uri| {
        let path = uri.path_and_query().unwrap().to_string();
        seen.lock().unwrap().push(format!("{method} {path}"));
        let told = match path.rsplit('/').next().unwrap() {
            "baseURI.json?version=1.0" if path.contains(knows) => {
                Some(format!("{{\"service\":\"s\",\"account\":\"a\",\"baseURI\":\"{base}\"}}"))
            }
            "engagement?v=1.0" => Some(
                "{\"status\":\"Available\",\"engagementDetails\":{\"urlToChat\":\"https://c.example/1\",\
                 \"validForSeconds\":60}}"
                    .to_owned(),
            ),
            "eligibility?v=2.0" => {
                Some("{\"eligible\":true,\"availableChannels\":[\"sms\"],\"callId\":\"c\"}".to_owned())
            }
            _ => None,
        };
        async move { told.ok_or(StatusCode::NOT_FOUND) }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{host}"), asked)
}

#[tokio::test]
async fn lp_01_an_account_s_hosts_are_looked_up_by_service_and_known_from_then_on() {
    let (directory, asked) = liveperson("/77001/").await;
    let key = || "key".to_owned();
    let keys =
        Keys { consumer_key: key(), consumer_secret: key(), token: key(), token_secret: key() };
    let account = |number: &str| Liveperson {
        account: number.to_owned(),
        keys: keys.clone(),
        base: Base::Directory(directory.clone()),
    };
    let caller = Some("+447700900123".to_owned());
    let context = Context { caller, ..Context::default() };
    let destinations = Destinations::default();
    let check = async |of: &Destination| {
        destinations.check("chat", of, "", &context, Duration::from_secs(5)).await
    };
    let c2m = |number| Destination::LivepersonC2m {
        account: account(number),
        skill: "sales".to_owned(),
        handoff: "h".to_owned(),
    };
    for of in [Destination::LivepersonIvr(account("77001")), c2m("77001")] {
        for _ in 0..2 {
            let told = check(&of).await;
            assert!(matches!(told, Availability::Available(_)), "{told:?}");
        }
    }
    let lookup =
        |service| format!("GET /api/account/77001/service/{service}/baseURI.json?version=1.0");
    let (engagement, eligibility) = (
        "POST /api/account/77001/external/engagement?v=1.0".to_owned(),
        "POST /api/account/77001/eligibility?v=2.0".to_owned(),
    );
    let (smt, c2m_domain) = (lookup("smt"), lookup("connectToMessagingDomain"));
    let expected =
        [smt, engagement.clone(), engagement, c2m_domain, eligibility.clone(), eligibility];
    assert_eq!(*asked.lock().unwrap(), expected);
    // Of an account that it does not know nothing is known, and it is asked again.
    for asked_so_far in 1..=2 {
        assert_eq!(check(&c2m("77002")).await, Availability::Unknown("status_404".to_owned()));
        assert_eq!(asked.lock().unwrap().len(), expected.len() + asked_so_far);
    }
}
