//! The rule of each table of the store.

/// What becomes of the row of somebody who is erased.
#[derive(Clone, Copy, PartialEq)]
pub enum Row {
    /// It stays, and tells nobody who it was about.
    Stays,
    /// It goes.
    Goes,
}
pub use Row::{Goes, Stays};

pub struct Table {
    pub name: &'static str,
    /// Ids, moments, counts, states, names of the configuration, hashes of those: nobody's.
    pub plain: &'static str,
    /// Keyed hashes of a number, by which its rows are found.
    pub keys: &'static str,
    /// Encrypted numbers and texts, recordings, digits of a number that are shown.
    pub sealed: &'static str,
    /// By which it is known who wants no texts: stays for good.
    pub opt_out: &'static str,
    pub erased: Row,
    /// Age at which `sealed` goes by itself, hours; `None`: with the row.
    pub sealed_h: Option<i64>,
    /// Age at which the row goes by itself, hours; `None`: never.
    pub gone_h: Option<i64>,
}

const NOTHING: Table = Table {
    name: "",
    plain: "",
    keys: "",
    sealed: "",
    opt_out: "",
    erased: Stays,
    sealed_h: None,
    gone_h: None,
};
pub const DAY_H: i64 = 24;
const MONTHS_H: Option<i64> = Some(13 * 31 * DAY_H);

/// In the order in which their rows refer to each other.
const TABLES: [Table; 29] = [
    Table { name: "schema_version", plain: "version applied_ms", ..NOTHING },
    Table {
        name: "node",
        plain: "node_id node_boot version started_ms lease_until_ms draining stopped_ms",
        ..NOTHING
    },
    Table { name: "flow_rev", plain: "flow_rev flow source first_served_ms file subs", ..NOTHING },
    Table {
        name: "call",
        plain: "call_id node_id node_boot origin trunk did business flow flow_rev sip_call_id_a \
            sip_call_id_b started_ms answered_ms ended_ms local_date local_dow local_hour \
            local_quarter caller_region caller_line_type verstat language intent customer_type arm \
            last_step forward_target forward_started_ms human_answered_ms human_ended_ms handled \
            end_reason sip_final mos_centi",
        keys: "caller_key caller_key_prev",
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "step",
        plain: "call_id seq step kind entered_ms left_ms first_key_ms exit note tries",
        gone_h: Some(90 * DAY_H),
        ..NOTHING
    },
    // Keys, numbers and what was looked up are veiled in it (crates/ivr-runtime/src/replay/veil.rs).
    Table {
        name: "call_input",
        plain: "call_id seq at_ms input",
        gone_h: Some(90 * DAY_H),
        ..NOTHING
    },
    Table {
        name: "step_count",
        plain: "flow flow_rev step exit local_date n",
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "offer",
        plain: "offer_id call_id step stage intent offered_ms response pressed reason channel",
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "consent",
        plain: "consent_id call_id step prompt_id prompt_hash language pressed purpose at_ms \
            withdrawn_ms",
        keys: "dest_key dest_key_prev",
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "message",
        plain: "message_id call_id offer_id consent_id idem_key purpose channel sender provider \
            provider_id dest_region template encoding segments state attempt claimed_by \
            lease_until_ms next_try_ms write_ms error_class error_code price_micros created_ms \
            valid_until_ms accepted_ms sent_ms delivered_ms read_ms failed_ms final_ms \
            erase_after_ms try_no price_asked priced_ms",
        keys: "dest_key dest_key_prev",
        sealed: "dest_enc body_enc",
        sealed_h: Some(DAY_H),
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "link",
        plain: "link_id message_id call_id entry_point destination token_hash level created_ms \
            expires_ms first_fetch_ms first_human_ms redeemed_ms browser context_read_ms app_ms \
            asked_ms invited",
        sealed: "context_ref",
        sealed_h: Some(DAY_H),
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "outcome",
        plain: "outcome_id call_id kind csat at_ms source",
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table { name: "rate", plain: "kind valid_from_ms micros", ..NOTHING },
    Table {
        name: "receipt",
        plain: "receipt_id provider provider_id message_id dedup_key state error_class error_code \
            at_ms received_ms segments price_micros",
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "opt_out",
        plain: "brand topic via since_ms revoked_ms lost_ms",
        sealed: "shown",
        opt_out: "opt_key",
        ..NOTHING
    },
    Table { name: "opt_out_key", plain: "business key_check since_ms", ..NOTHING },
    // One that was never decided on.
    Table {
        name: "opt_out_import",
        plain: "import_id via begun_ms decided_ms",
        gone_h: Some(1),
        ..NOTHING
    },
    Table {
        name: "opt_out_staged",
        plain: "import_id n brand topic",
        sealed: "shown",
        opt_out: "opt_key",
        gone_h: Some(1),
        ..NOTHING
    },
    Table {
        name: "callback",
        plain: "callback_id call_id target due_ms tries state claimed_by lease_until_ms created_ms \
            done_ms erase_after_ms step max_tries flow called",
        keys: "caller_key caller_key_prev",
        sealed: "number_enc",
        sealed_h: Some(DAY_H),
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "voicemail",
        plain: "voicemail_id call_id step length_ms created_ms heard_ms erase_after_ms",
        sealed: "file",
        sealed_h: Some(30 * DAY_H),
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "destination_check",
        plain: "link at_ms ok status took_ms cert_until_ms note",
        gone_h: Some(90 * DAY_H),
        ..NOTHING
    },
    Table {
        name: "limit_hit",
        plain: "hit_id at_ms call_id rule scope",
        keys: "scope_key",
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table {
        name: "precall_contact",
        plain: "contact_id entry_point link_id business at_ms engaged_ms solved_ms kind",
        keys: "caller_key caller_key_prev",
        gone_h: MONTHS_H,
        ..NOTHING
    },
    Table { name: "external_count", plain: "local_date source kind n", ..NOTHING },
    Table { name: "change_marker", plain: "marker_id at_ms kind name value by_whom", ..NOTHING },
    // Of numbers it has the country and the last two digits.
    Table { name: "audit", plain: "audit_id at_ms who what detail", ..NOTHING },
    // `body` is of events without words.
    Table {
        name: "event",
        plain: "event_id hook type body created_ms attempt next_try_ms claimed_by lease_until_ms",
        keys: "caller_key",
        sealed: "body_enc",
        erased: Goes,
        gone_h: Some(3 * DAY_H),
        ..NOTHING
    },
    Table {
        name: "protection",
        plain: "kind n at_ms until_ms",
        keys: "scope_key",
        erased: Goes,
        gone_h: Some(1),
        ..NOTHING
    },
    Table {
        name: "remote_offer",
        plain: "offer_id created_ms expires_ms taken_key taken_ms answer taken_call",
        sealed: "question_enc",
        sealed_h: Some(1),
        gone_h: Some(DAY_H),
        ..NOTHING
    },
];

/// Taken up by the next start that looks: it has no age.
const FOLLOW_UP: Table = Table {
    name: "follow_up",
    plain: "call_id step node_id node_boot at_ms",
    keys: "dest_key",
    sealed: "order_enc",
    erased: Goes,
    ..NOTHING
};

pub fn tables() -> impl Iterator<Item = &'static Table> {
    static LAST: Table = FOLLOW_UP;
    static ALL: [Table; 29] = TABLES;
    ALL.iter().chain([&LAST])
}

/// What a column must hold where it does not take any text.
pub fn fixed(table: &str, column: &str) -> Option<&'static str> {
    Some(match (table, column) {
        ("call", "origin") => "trunk",
        ("call", "arm") => "on",
        ("call", "handled") => "no_human",
        ("call", "end_reason") => "deflected",
        ("call", "business") => "retail",
        ("offer", "response") => "accepted",
        ("message", "state") => "delivered",
        ("callback", "state") => "done",
        ("change_marker", "kind") => "note",
        ("limit_hit", "scope") => "destination",
        ("protection", "kind") => "risk",
        _ => return None,
    })
}
