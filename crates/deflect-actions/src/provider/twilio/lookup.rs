//! Twilio Lookup v2: the risk of a number (`sms_pumping_risk`) and the kind of its line
//! (`line_type_intelligence`).

use std::time::Duration;

use message_text::E164;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{Twilio, request};
use crate::{http::body, provider::line};

#[derive(Deserialize)]
struct Looked {
    sms_pumping_risk: Option<Risk>,
    line_type_intelligence: Option<Line>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Risk {
    sms_pumping_risk_score: Option<f64>,
    number_blocked: Option<bool>,
}

impl Twilio {
    /// 0 (harmless) to 100; `None`: it does not say.
    pub(in crate::provider) async fn risk(&self, number: &E164, limit: Duration) -> Option<u8> {
        score(&self.look_up(number, "sms_pumping_risk", limit).await?.sms_pumping_risk?)
    }

    /// Whether a number takes texts; `None`: it does not say.
    pub(in crate::provider) async fn takes_texts(
        &self,
        number: &E164,
        limit: Duration,
    ) -> Option<bool> {
        let looked = self.look_up(number, "line_type_intelligence", limit).await?;
        line::takes_texts(&looked.line_type_intelligence?.kind?)
    }

    async fn look_up(&self, number: &E164, field: &str, limit: Duration) -> Option<Looked> {
        let url = format!("{}/v2/PhoneNumbers/{}", self.lookups, number.as_str());
        let request = request::to(Method::GET, &url, limit).ok()?;
        let request =
            request.basic_auth(&self.account, Some(&self.token)).query(&[("Fields", field)]);
        let response = request.send().await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        serde_json::from_slice(&body(response).await?).ok()
    }
}

/// A number that is blocked there already has the highest.
fn score(risk: &Risk) -> Option<u8> {
    if risk.number_blocked == Some(true) {
        return Some(100);
    }
    risk.sms_pumping_risk_score.map(|score| score.clamp(0.0, 100.0).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_read_as_lookup_v2_writes_it() {
        // As documented, less what is not read.
        for (body, expected) in [
            (
                r#"{"phone_number":"+447700900123","valid":true,"sms_pumping_risk":{
                  "carrier_risk_category":"high","number_blocked":false,"number_blocked_date":null,
                  "number_blocked_last_3_months":false,"sms_pumping_risk_score":95,"error_code":null}}"#,
                Some(95),
            ),
            (
                r#"{"sms_pumping_risk":{"number_blocked":true,"sms_pumping_risk_score":3}}"#,
                Some(100),
            ),
            (r#"{"sms_pumping_risk":{"error_code":60600}}"#, None),
            (r#"{"sms_pumping_risk":null}"#, None),
        ] {
            let looked: Looked = serde_json::from_str(body).unwrap();
            assert_eq!(looked.sms_pumping_risk.and_then(|risk| score(&risk)), expected, "{body}");
        }
    }
}
