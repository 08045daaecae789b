//! `POST /v1/optouts`, `POST /v1/optouts/remove`: who wants no texts, told by other systems.

use axum::{Extension, extract::State, http::StatusCode};
use deflect_actions::store::OptOutOrder;
use message_text::E164;
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

    fn of(&self, site: &Site, number: &E164) -> Result<Vec<OptOutOrder>, Problem> {
        let keys = site.store.keys();
        let order = |business: String| OptOutOrder::new(keys, &business, number, &self.topic);
        Ok(self.businesses(site)?.into_iter().map(order).collect())
    }

    /// Whose it was is not audited: the opt-out itself is kept under a hash.
    fn scope(&self) -> String {
        format!("{} {}", self.business.as_deref().unwrap_or("*"), self.topic)
    }
}

/// 204: from now on no text goes there.
pub(crate) async fn add(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    Body(order): Body<OptOut>,
) -> Result<StatusCode, Problem> {
    let number = number(&order.number)?;
    let orders = order.of(&site, &number)?;
    let by = (client.as_str(), "opt-out add", order.scope());
    site.store.opt_out_all(orders, "api", (by.0, by.1, &by.2)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// 204: texts may go there again, of that topic, or of any where it is left out.
pub(crate) async fn remove(
    State(site): State<Site>,
    Extension(Client(client)): Extension<Client>,
    Body(order): Body<OptOut>,
) -> Result<StatusCode, Problem> {
    let number = number(&order.number)?;
    let orders = order.of(&site, &number)?;
    let by = (client.as_str(), "opt-out remove", order.scope());
    site.store.opt_in_all(orders, order.topic.is_empty(), (by.0, by.1, &by.2)).await?;
    Ok(StatusCode::NO_CONTENT)
}
