//! Flows to begin with: one for each usual reason to call, with its tests.

/// A flow to begin with.
#[derive(Debug)]
pub struct Template {
    /// What callers want; the intent of the flow, too.
    pub name: &'static str,
    /// In a few words.
    pub about: &'static str,
    flow: &'static str,
    tests: &'static str,
}

/// What a template leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// Name of the flow.
    pub name: String,
    /// Called numbers, E.164; none: every call that no other flow takes.
    pub numbers: Vec<String>,
    /// The target where a person is.
    pub human: String,
    /// Key of the business, where there are several.
    pub business: Option<String>,
    /// Stands in every text.
    pub brand: String,
    /// Where links and lookups lead, without a slash at the end.
    pub site: String,
}

macro_rules! template {
    ($name:literal, $about:literal) => {
        Template {
            name: $name,
            about: $about,
            flow: include_str!(concat!("flows/", $name, ".toml")),
            tests: include_str!(concat!("flows/", $name, ".flowtest.toml")),
        }
    };
}

/// All there are (requirements LP-06).
pub const TEMPLATES: [Template; 6] = [
    template!("password-reset", "a link to set a new password"),
    template!("activation", "a code activated in the call, or by a link"),
    template!("balance", "who is who is proved, and the balance told"),
    template!("bill-question", "amount and date told, the bill explained by a link"),
    template!("orders", "the state of an order told, its page by a link"),
    template!("sign-up", "what is needed told, the form by a link"),
];

impl Template {
    /// The text of the flow file.
    #[must_use]
    pub fn flow(&self, choices: &Choices) -> String {
        filled(self.flow, choices)
    }

    /// The text of the file of its tests.
    #[must_use]
    pub fn tests(&self, choices: &Choices) -> String {
        filled(self.tests, choices)
    }
}

fn filled(text: &str, choices: &Choices) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let numbers = match choices.numbers.as_slice() {
        [] => "default         = true                # takes every called number that no other flow names"
            .to_owned(),
        numbers => {
            let numbers: Vec<String> = numbers.iter().map(|number| quoted(number)).collect();
            format!("numbers         = [{}]", numbers.join(", "))
        }
    };
    let business = choices.business.iter();
    let business = business.map(|key| format!("\nbusiness        = {}", quoted(key)));
    let numbers = numbers + &business.collect::<String>();
    text.replace("\"{{name}}\"", &quoted(&choices.name))
        .replace("{{numbers}}", &numbers)
        .replace("{{human}}", &choices.human)
        .replace("{{brand}}", &choices.brand)
        .replace("{{site}}", &choices.site)
}
