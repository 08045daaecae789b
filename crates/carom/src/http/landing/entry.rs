//! `GET /e/{name}`: a tracked place leads on, and is counted (KH-21).

use axum::{
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use deflect_actions::store::{ContactRow, Row};
use uuid::Uuid;

use super::{
    asker,
    html::{self, Refused},
    owner, people,
};
use crate::{
    http::{Site, patience::Peer},
    node::clock::wall_ms,
};

/// Visits of one address in a minute that may be people's: many share one.
const VISITS: u32 = 60;

/// Whoever comes is led on at once; a person is a contact before any call, a program is none.
pub(super) async fn enter(
    State(site): State<Site>,
    Path(name): Path<String>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let snapshot = site.landing.0.snapshot.load();
    let Some(entry) = snapshot.config.entries.iter().find(|entry| entry.name == name) else {
        return html::refused(Refused::Unknown, &owner(&site));
    };
    let mut by_person = people::is_browser(&method, &headers);
    // Whoever comes all the time is no person, whatever it says, and fills no tables.
    let from = asker(&site, from.ip(), &headers);
    if by_person && site.landing.0.visits.is_too_many(from, VISITS, wall_ms()) {
        by_person = false;
    }
    let contact = by_person.then(|| Uuid::now_v7().to_string());
    if let Some(contact_id) = &contact {
        let row = ContactRow {
            contact_id: contact_id.clone(),
            entry_point: entry.name.clone(),
            business: entry.business.clone(),
            at_ms: wall_ms(),
        };
        // A queue that is full loses a count, not the person.
        let _ = site.writer.try_write(Row::Contact(row));
    }
    let who = if by_person { "person" } else { "program" };
    metrics::counter!("carom_entries_total", "entry" => entry.name.clone(), "by" => who)
        .increment(1);
    let to = entry.leads_to(contact.as_deref());
    html::keep_to_itself((StatusCode::FOUND, [(header::LOCATION, to)]).into_response())
}
