//! LivePerson's IVR Engagement by its own name: an IVR asks whether somebody is there and gets a
//! link, which it texts itself (requirements §2.1, §2.3).

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use ivr_runtime::flow::may_be_told;
use jiff::Timestamp;
use message_text::E164;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Body, Problem,
    compat::{self, Version},
};
use crate::{
    http::{Site, guard::Client},
    node::clock::wall_ms,
    switchboard::Question,
};

/// A link of which nobody says how long it is good.
const VALID_SECONDS: i64 = 300;

/// The field that has the sections.
const PATH: &str = "path";

/// The version of the API that is spoken.
const SPOKEN: &str = "1.0";

/// What the IVR knows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Engagement {
    app_type: AppType,
    /// Where in the IVR the caller is; the last one is the intent.
    #[serde(default)]
    consumer_sections: Vec<String>,
    /// One `personal` entry says who it is.
    #[serde(default)]
    engagement_attributes: Vec<Attribute>,
    external_wait_time_seconds: Option<u32>,
}

/// The only kind that there is.
#[derive(Debug, Deserialize, JsonSchema)]
enum AppType {
    #[serde(rename = "IVR")]
    Ivr,
}

/// What is known of the caller.
#[derive(Debug, Deserialize, JsonSchema)]
struct Attribute {
    /// `personal`; others are not looked at.
    #[serde(rename = "type")]
    kind: String,
    personal: Option<Personal>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Personal {
    #[serde(default)]
    contacts: Vec<ContactOf>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct ContactOf {
    /// With + and country code.
    phone: Option<String>,
}

/// Whether somebody is there.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EngagementTold {
    /// `Available`, `Not Available`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    engagement_details: Option<Details>,
}

/// The link, for one caller and one use.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Details {
    url_to_chat: String,
    valid_for_seconds: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_wait_time_seconds: Option<u32>,
}

/// As that API tells an error.
pub(crate) struct Refused(StatusCode, String);

/// Its body.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EngagementProblem")]
pub(crate) struct RefusedTold {
    /// When, RFC 3339.
    time: String,
    /// For people.
    message: String,
    /// The status.
    internal_code: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let time = Timestamp::from_millisecond(wall_ms()).unwrap_or(Timestamp::UNIX_EPOCH);
        let body = RefusedTold {
            time: time.to_string(),
            message: self.1,
            internal_code: self.0.as_u16().to_string(),
        };
        (self.0, Json(body)).into_response()
    }
}

impl Refused {
    /// Told with this status.
    pub fn of(status: StatusCode, message: impl Into<String>) -> Self {
        Self(status, message.into())
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::of(problem.status, problem.message)
    }
}

/// `POST /api/account/{account}/external/engagement?v=1.0`; the account names the line
/// (`[http.accounts]`), or is the number called itself.
pub(crate) async fn engagement(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    Path(account): Path<String>,
    Query(version): Query<Version>,
    body: Result<Body<Engagement>, Problem>,
) -> Result<Json<EngagementTold>, Refused> {
    let bad = |why: &str| Refused::of(StatusCode::BAD_REQUEST, why);
    if version.is_other_than(SPOKEN) {
        return Err(bad("v is 1.0"));
    }
    let Body(asked) = body?;
    let Engagement { app_type: AppType::Ivr, .. } = asked;
    let person = person(&asked).ok_or_else(|| {
        bad("engagementAttributes need a personal entry with a phone with + and country code")
    })?;
    let intent = asked.consumer_sections.last().cloned();
    let path = asked.consumer_sections.join(" ");
    let snapshot = site.snapshot.load_full();
    let called = compat::line_of(&snapshot, &account).unwrap_or(account);
    may_be_told(PATH, &path).map_err(|why| bad(&format!("consumerSections: {why}")))?;
    let question = Question {
        wait_seconds: asked.external_wait_time_seconds,
        fields: vec![(PATH.to_owned(), path)],
        ..compat::question(person, Some(called), intent, client)
    };
    let found = site.remote.ask(&snapshot, question).await;
    let link = match found.offer_id {
        Some(offer) => site.remote.link(&offer).await,
        None => None,
    };
    let Some(link) = link else {
        return Ok(Json(EngagementTold { status: "Not Available", engagement_details: None }));
    };
    let left = link.until_ms.map(|until| (until - wall_ms()).max(0) / 1_000);
    let details = Details {
        url_to_chat: link.url,
        valid_for_seconds: left.unwrap_or(VALID_SECONDS),
        expected_wait_time_seconds: found.expected_wait_seconds,
    };
    Ok(Json(EngagementTold { status: "Available", engagement_details: Some(details) }))
}

fn person(asked: &Engagement) -> Option<E164> {
    let personal = asked.engagement_attributes.iter().filter(|one| one.kind == "personal");
    let contacts = personal.filter_map(|one| one.personal.as_ref()).flat_map(|one| &one.contacts);
    contacts.filter_map(|contact| contact.phone.as_deref()).find_map(|phone| phone.parse().ok())
}
