//! `POST /v1/optouts`, `POST /v1/optouts/remove`: who wants no texts, told by other systems.

use axum::{Extension, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Body, Problem, number};
use crate::http::{Site, guard::Client};

/// Whose texts of which business.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptOut {
    /// With + and country code.
    number: String,
    /// Left out: of all businesses.
    business: Option<String>,
    /// Left out: of any topic.
    #[serde(default)]
    topic: String,
}

impl OptOut {
    fn businesses(&self, site: &Site) -> Result<Vec<String>, Problem> {
        let known: Vec<String> = site.store.keys().businesses().map(str::to_owned).collect();
        match &self.business {
            None => Ok(known),
            Some(business) if known.contains(business) => Ok(vec![business.clone()]),
            Some(business) => {
                Err(Problem::bad("no_business", format!("there is no `[business.{business}]`")))
            }
        }
    }
}

/// 204: from now on no text goes there.
pub(crate) async fn add(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    Body(order): Body<OptOut>,
) -> Result<StatusCode, Problem> {
    let number = number(&order.number)?;
    for business in order.businesses(&site)? {
        site.store.opt_out(&business, &number, &order.topic, "api").await?;
    }
    audit(&site, &client, "opt-out add", &order).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// 204: texts may go there again, of that topic, or of any where it is left out.
pub(crate) async fn remove(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    Body(order): Body<OptOut>,
) -> Result<StatusCode, Problem> {
    let number = number(&order.number)?;
    let topic = Some(order.topic.as_str()).filter(|topic| !topic.is_empty());
    for business in order.businesses(&site)? {
        site.store.opt_in(&business, &number, topic).await?;
    }
    audit(&site, &client, "opt-out remove", &order).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose it was is not written: the opt-out itself is kept under a hash.
async fn audit(site: &Site, who: &str, what: &str, order: &OptOut) -> Result<(), Problem> {
    let business = order.business.as_deref().unwrap_or("*");
    Ok(site.store.audit(who, what, &format!("{business} {}", order.topic)).await?)
}
