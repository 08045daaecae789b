//! `GET /v1/voicemails`: what callers left, and the sound of it.

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use deflect_actions::store::VoicemailView;
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;
use crate::http::Site;

/// Messages of one answer.
const MOST: u32 = 100;

/// A message that a caller left; no number.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Voicemail")]
pub(crate) struct VoicemailTold {
    voicemail_id: String,
    call_id: String,
    /// Name of the flow.
    flow: Option<String>,
    /// The step that took it.
    step: String,
    /// The number called.
    called: Option<String>,
    /// Country of the caller.
    caller_region: Option<String>,
    length_ms: i64,
    created_ms: i64,
    heard_ms: Option<i64>,
    /// When its sound is erased.
    erase_after_ms: Option<i64>,
    /// The node that has the sound.
    node: Option<String>,
    /// Where the sound is, on that node and on all that share its folder.
    sound: String,
}

impl From<VoicemailView> for VoicemailTold {
    fn from(left: VoicemailView) -> Self {
        Self {
            sound: format!("/v1/voicemails/{}/sound", left.voicemail_id),
            voicemail_id: left.voicemail_id,
            call_id: left.call_id,
            flow: left.flow,
            step: left.step,
            called: left.did,
            caller_region: left.caller_region,
            length_ms: left.length_ms,
            created_ms: left.created_ms,
            heard_ms: left.heard_ms,
            erase_after_ms: left.erase_after_ms,
            node: left.node_id,
        }
    }
}

/// The newest messages whose sound is there.
pub(crate) async fn list(State(site): State<Site>) -> Result<Json<Vec<VoicemailTold>>, Problem> {
    let left = site.store.voicemails(MOST).await?;
    Ok(Json(left.into_iter().map(VoicemailTold::from).collect()))
}

/// The sound of one, as WAV: mono, 8 kHz, 16 bit.
pub(crate) async fn sound(
    State(site): State<Site>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let unknown = || Problem::unknown("no such message, or its sound is erased");
    let left = site.store.voicemail(&id).await?.ok_or_else(unknown)?;
    let file = left.file.ok_or_else(unknown)?;
    let elsewhere = left.node_id.filter(|node| *node != site.store.node().node_id);
    let wav = match tokio::fs::read(&file).await {
        Ok(wav) => wav,
        // Of a node that shares no folder with this one.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let told = |node| format!("the sound lies on the node `{node}`: ask that one");
            let elsewhere = elsewhere
                .map(|node| Problem::of(StatusCode::MISDIRECTED_REQUEST, "elsewhere", told(node)));
            return Err(elsewhere.unwrap_or_else(unknown));
        }
        Err(error) => {
            tracing::error!(%error, file, "the sound of a message can't be read");
            let told = "the disk does not give the sound; try again later";
            return Err(Problem::of(StatusCode::SERVICE_UNAVAILABLE, "disk", told));
        }
    };
    let named = format!("attachment; filename=\"{id}.wav\"");
    let headers = [
        (header::CONTENT_TYPE, "audio/wav".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_DISPOSITION, named),
    ];
    Ok((headers, wav).into_response())
}
