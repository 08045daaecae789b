//! Bad flow files, one for each way of being bad: what is told of them, word for word.
//!
//! The name of a file in `tests/bad` begins with the code that it is about.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use ivr_runtime::{
    diagnose::{Code, Severity, render},
    flow::{
        Business, PromptFacts, PromptIndex, Sender, Shared, load,
        tables::TargetDraft,
        way::{Socket, Way},
    },
};
use message_text::Alphabet;

const BAD_CALENDAR: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261225\r\n\
                            RRULE:FREQ=YEARLY;BYEASTER=1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[test]
fn every_bad_flow_is_told_what_is_wrong_where_and_how_to_mend_it() {
    let mut seen = 0;
    for (name, text) in bad_flows() {
        let mut shared = shared();
        if name.ends_with("_without_fallback") {
            shared.fallback = None;
        }
        shared.confirms = name.starts_with("W16");
        if name == "W10_senders_and_sources" {
            // As the configuration reads them from the flow file.
            shared.senders = ["used", "spare"].map(sender).into();
            shared.sources = ["line", "idle"].map(str::to_owned).into();
        }
        let checked = load(&text, &format!("flows/{name}.toml"), &shared, &Prompts);
        let code = name.split('_').next().unwrap();
        assert!(
            checked.findings.iter().any(|finding| finding.code.to_string() == code),
            "{name}: {:#?}",
            checked.findings
        );
        let errors = checked.findings.iter().filter(|f| f.severity == Severity::Error).count();
        assert_eq!(
            checked.flow.is_none(),
            errors > 0,
            "{name}: a flow with an error is not served"
        );
        assert_eq!(!code.starts_with('E'), errors == 0, "{name}: {:#?}", checked.findings);
        let told: Vec<String> = checked.findings.iter().map(|f| render(f, &text)).collect();
        insta::assert_snapshot!(name, told.join("\n\n"));
        seen += 1;
    }
    assert!(seen >= 30, "{seen} files only");
}

#[test]
fn every_code_of_the_linter_has_a_bad_flow() {
    let names: Vec<String> = bad_flows().into_keys().collect();
    for code in [
        "E00", "E01", "E02", "E03", "E04", "E05", "E06", "E07", "E08", "E09", "E10", "E11", "E12",
        "E13", "E14", "E15", "E16", "E17", "W02", "W03", "W04", "W05", "W06", "W07", "W08", "W09",
        "W10", "W11", "W14", "W16", "W18", "A02",
    ] {
        assert!(names.iter().any(|name| name.starts_with(code)), "{code}");
    }
}

#[test]
fn ex_02_a_link_to_no_page_in_particular_is_a_generic_destination() {
    let text = bad_flows()["W02_home_page"].clone();
    let warned = |url: &str| {
        let text = text.replace("https://help.example.com/\"", &format!("{url}\""));
        let checked = load(&text, "flow.toml", &shared(), &Prompts);
        assert!(checked.flow.is_some(), "{url}: {:?}", checked.findings);
        checked.findings.iter().any(|finding| finding.code == Code::W02)
    };
    for url in
        ["", "/", "//", "/?", "#top", "/#", "/#/"].map(|end| format!("https://a.example{end}"))
    {
        assert!(warned(&url), "{url}");
    }
    let pages = ["/orders", "/?page=orders", "/#/orders", "#!/orders", "/{call_id}"];
    for url in pages.map(|end| format!("https://a.example{end}")) {
        assert!(!warned(&url), "{url}");
    }
    assert!(Code::W02.what().contains("generic-destination"));
}

#[test]
fn kh_20_google_business_messages_are_refused_as_retired() {
    let text = bad_flows()["E10_retired_channel"].clone();
    for kind in ["google-business-messages", "google", "gbm"] {
        let text = text.replace("\"google-business-messages\"", &format!("\"{kind}\""));
        let checked = load(&text, "flow.toml", &shared(), &Prompts);
        assert!(checked.flow.is_none(), "{kind}");
        let told = checked.findings.iter().find(|finding| finding.code == Code::E10);
        let told = told.unwrap_or_else(|| panic!("{kind}: {:?}", checked.findings));
        assert!(told.message.contains("closed by its owner"), "{told:?}");
        assert!(told.help.contains("31 July 2024"), "{told:?}");
    }
}

#[test]
fn kh_22_a_digital_only_line_needs_its_acknowledgement_and_somebody_for_protected_calls() {
    let text = bad_flows()["E14_nobody_at_night_without_fallback"].clone();
    let told = |text: &str, fallback: Option<&str>| {
        let shared = Shared { fallback: fallback.map(str::to_owned), ..shared() };
        let checked = load(text, "flow.toml", &shared, &Prompts);
        let errors = checked.findings.iter().filter(|f| f.severity == Severity::Error);
        (checked.flow.is_some(), errors.map(|f| f.code).collect::<Vec<_>>())
    };
    let (served, codes) = told(&text, None);
    assert!(!served && codes.contains(&Code::E14), "{codes:?}");
    let open = text.replace("hours = \"day\"\nwhen_closed = \"closed\"\nfallback = false\n", "");
    let open = open.split("[step.closed]").next().unwrap().to_owned();
    let (served, codes) = told(&open, Some("pbx"));
    assert!(served, "{codes:?}");
    for word in ["true", "\"yes\"", "\"acknowledge\""] {
        let careless = open.replace("\"acknowledged\"", word);
        let (served, codes) = told(&careless, Some("pbx"));
        assert!(!served && codes == [Code::E14], "{word}: {codes:?}");
    }
}

/// Requirements §6.3: advice of ours does not stand between an operator and a flow.
#[test]
fn e11_a_field_that_its_lookup_calls_public_is_no_account_data() {
    let told = |text: &str| {
        let checked = load(text, "flow.toml", &shared(), &Prompts);
        let findings =
            checked.findings.iter().filter(|f| matches!(f.code, Code::A02 | Code::E11 | Code::E00));
        let told = findings.map(|f| (f.severity, f.message.clone(), f.help.clone()));
        (checked.flow.is_some(), told.collect::<Vec<_>>())
    };
    let text = bad_flows()["A02_below_level_2"].clone();
    let (is_served, findings) = told(&text);
    assert!(is_served && findings.len() == 1 && findings[0].0 == Severity::Note, "{findings:?}");
    let public = |named: &str| {
        text.replace(
            "save = [\"order\"]",
            &format!("save = [\"order\", \"id\"]\npublic = [{named:?}]"),
        )
    };
    assert_eq!(told(&public("order")), (true, Vec::new()));
    let in_words = public("id").replace("your order is", "{order} is");
    let (is_served, findings) = told(&in_words);
    assert!(!is_served && findings.len() == 2, "it leaves with nothing: {findings:?}");
    let (is_served, findings) = told(&public("oder"));
    assert!(!is_served, "{findings:?}");
    let (message, help) = ("`public`: `save` names no field `oder`", "did you mean `order`?");
    assert!(findings.contains(&(Severity::Error, message.into(), help.into())), "{findings:?}");
}

/// A message centre that takes Latin-1 gets 140 characters in an SMS.
#[test]
fn e09_a_message_is_counted_by_what_its_senders_write_it_in() {
    let long = format!("\"Example: {{link}} {}\"\nmax_segments = 1", "a".repeat(110));
    let text = bad_flows()["W09_two_sms"].clone();
    let text = text.replace("\"Example: order {order_number}: {link}\"", &long);
    let told = |alphabet| {
        let senders = vec![Sender { alphabet, ..sender("uk") }];
        let checked = load(&text, "flow.toml", &Shared { senders, ..shared() }, &Prompts);
        checked.findings.iter().any(|finding| finding.code == Code::E09)
    };
    assert_eq!((told(Alphabet::Gsm7), told(Alphabet::Latin1)), (false, true));
}

fn bad_flows() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let flows = files.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(&path).unwrap())
    });
    flows.collect()
}

/// One brand, one target, one listener, British numbers.
fn shared() -> Shared {
    let pbx = TargetDraft {
        name: ivr_runtime::diagnose::Text { value: "pbx".into(), span: 0..0 },
        addresses: vec!["sip:main@pbx.example.net".into()],
        ..TargetDraft::default()
    };
    Shared {
        targets: vec![pbx],
        businesses: vec![Business { key: "shop".into(), brand: "Example".into() }],
        fallback: Some("pbx".into()),
        sockets: vec![Socket { way: Way::Udp, is_ipv4: true }],
        countries: vec!["GB".into()],
        providers: vec![("lp".into(), "liveperson".into())],
        holiday_files: BTreeMap::from([("bank.ics".into(), BAD_CALENDAR.into())]),
        ..Shared::default()
    }
}

fn sender(name: &str) -> Sender {
    Sender {
        name: name.into(),
        from: "+447700900999".into(),
        regions: vec!["GB".into()],
        channel: "sms".into(),
        media: false,
        alphabet: Default::default(),
        business: None,
    }
}

/// Every prompt is there in English but the one called missing; two are unfit.
struct Prompts;

impl PromptIndex for Prompts {
    fn has(&self, language: &str, name: &str) -> Option<PromptFacts> {
        let good = PromptFacts { len_ms: 2_000, rate: 8_000, channels: 1 };
        match (language, name) {
            ("cy", name) if name != "apology" => None,
            (_, "missing" | "missing-again") => None,
            ("pt-PT", "emergency-typed" | "emergency-stay") => None,
            ("de-DE", name) if name.starts_with("f-") => None,
            ("es-ES", "f-ord-7" | "f-ord-8") => None,
            (_, "stereo") => Some(PromptFacts { channels: 2, ..good }),
            (_, "odd-rate") => Some(PromptFacts { rate: 11_025, ..good }),
            (_, "too-long") => Some(PromptFacts { len_ms: 61_000, ..good }),
            _ => Some(good),
        }
    }

    fn render(&self, _language: &str, text: &str) -> Result<(), String> {
        if text == "Nobody can say this." { Err("no voice".into()) } else { Ok(()) }
    }

    fn in_folder(&self, _language: &str, folder: &str) -> Option<BTreeSet<String>> {
        (folder == "nowhere").then(BTreeSet::new)
    }

    fn transcript(&self, language: &str, name: &str) -> Option<String> {
        let said = match (language, name) {
            ("en-GB", "main") => "For orders press 1, for the rest press two or three.",
            ("en-GB", "apology") => "Press 2, or press 9 for the rest.",
            ("en-GB", "goodbye") => "Thank you for calling. Goodbye.",
            ("en-GB", "sent") => "The link is on its way to you.",
            ("es-ES", "main") => "Para pedidos pulse 1. Para repetir pulse asterisco.",
            _ => return None,
        };
        Some(said.to_owned())
    }
}
