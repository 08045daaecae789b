//! The whole of `carom.toml`, section by section.

use std::path::Path;

use ivr_runtime::{
    diagnose::{self, Asked, Code, Notes, Problem, Span},
    flow::{
        model::HumanSignal,
        tables::{self, TargetDraft},
        way,
    },
};

use super::{
    Config, Control, Http, Limits, Listener, Media, Privacy, ProviderKind, Transport, Trunk,
    TrunkTransport, Tts, business, control, countries, entry, flow_files, hooks, http,
    limits::{self, Knowing},
    listener, media, privacy, provider,
    read::Table,
    sender, source, store, system, trunk,
};

/// Reads the text of a `carom.toml`; paths in it are relative to `base`. `None` where nothing can
/// run with it.
pub(super) fn text(text: &str, path: Option<&Path>, base: &Path) -> (Option<Config>, Vec<Problem>) {
    let notes = Notes::default();
    let tree = diagnose::tree(text, &notes);
    if notes.has_errors() {
        // What follows a fault of syntax would be reported as missing.
        return (None, notes.into_problems());
    }
    if let (Some((key, _)), None) =
        (tree.get_ref().get_key_value("flow"), tree.get_ref().get("config_version"))
    {
        let help = "`carom check FLOW` checks a flow, `carom check -c FILE` a configuration";
        notes.note(Code::E00, key.span(), "this is a flow, not a configuration", help);
        return (None, notes.into_problems());
    }
    let root = Table::root(&notes, tree.get_ref(), base);
    let config = config(&root, path);
    root.finish();
    let mut problems = notes.into_problems();
    problems.dedup();
    (config, problems)
}

/// What the reader asks of a text, whatever is wrong with it.
pub(super) fn asked(text: &str) -> Vec<Asked> {
    let notes = Notes::recording();
    let tree = diagnose::tree(text, &notes);
    let root = Table::root(&notes, tree.get_ref(), Path::new("/nowhere"));
    // What it reads is not needed, only how.
    let _ = config(&root, None);
    drop(root);
    notes.into_asked()
}

fn config(root: &Table<'_>, path: Option<&Path>) -> Option<Config> {
    root.required("config_version", |t| t.number("config_version", 1..=1));
    let base = root.base();
    let beside = |folder: &str| path.map(|_| base.join(folder));
    let flows_dir = root.folder("flows").or_else(|| beside("flows"));
    let prompts_dir =
        root.folder("prompts").or_else(|| beside("prompts").filter(|folder| folder.is_dir()));
    let tts = tts(root);
    let listeners = all(root, "listener", listener::read);
    refuse_same_address(root.notes(), &listeners);
    let listeners: Vec<Listener> = listeners.into_iter().map(|(listener, _)| listener).collect();
    let trunks = all(root, "trunk", trunk::read);
    refuse_twins(root.notes(), &trunks);
    refuse_unreachable_trunks(root.notes(), &listeners, &trunks);
    let media = section(root, "media", media::read).unwrap_or_else(Media::default);
    refuse_unreachable_media(root, &listeners, &media);
    let targets = root.names_under("target");
    let drafts = targets_with_places(root);
    if !root.has("fallback") {
        let help = "add it, with the `target` that takes every call when all else fails";
        root.lacks(Code::E00, "fallback", "there is no `[fallback]`", help);
    }
    let fallback = root.table("fallback").and_then(|fallback| {
        let target = fallback.required("target", |t| t.reference("target", "target", &targets));
        fallback.finish();
        target
    });
    let holiday_file = |name: &str| flow_files::holiday_file(&base.join(name));
    let hours = root
        .tables("hours")
        .into_iter()
        .map(|(name, table)| tables::hours(name, table.into_inner(), &holiday_file));
    let hours = tables::resolve_hours(hours.collect(), &[], root.notes());
    let sources = named(root, "source", |name, table| source::read(name, table, &targets));
    let systems = named(root, "system", system::read);
    for (target, place) in &drafts {
        let signal = &target.human_signal;
        let told = sources.iter().any(|source| source.kind.signal().as_ref() == Some(signal));
        if matches!(signal, HumanSignal::Ami | HumanSignal::Esl) && !told {
            let (word, name) = (signal.word(), &target.name.value);
            let message =
                format!("`human_signal` of `{name}`: no source of kind `{word}` tells it");
            let help = format!("add a `[source.X]` of kind `{word}`");
            root.problem(Code::E01, place, message, &help);
        }
    }
    let businesses = named(root, "business", business::read);
    if businesses.is_empty() && root.names_under("business").is_empty() {
        let help = "add one, with `name` and `brand`";
        root.lacks(Code::E00, "business", "there is no `[business.X]`", help);
    }
    let business_names = root.names_under("business");
    let entries = named(root, "entry", |name, table| entry::read(name, table, &business_names));
    let providers = named(root, "provider", provider::read);
    let provider_names = root.names_under("provider");
    let senders = named(root, "sender", |name, table| {
        sender::read(name, table, &provider_names, &providers, &business_names)
    });
    let store = match root.table("store") {
        Some(table) => {
            let store = store::read(&table);
            table.finish();
            Some(store)
        }
        None => None,
    };
    let http = section(root, "http", http::read).unwrap_or_else(Http::default);
    hooks::refuse_two_secrets(root, &http, &businesses);
    let control = section(root, "control", control::read);
    let of_kind = |is: fn(&ProviderKind) -> bool| -> Vec<&str> {
        let found = providers.iter().filter(|one| is(&one.kind));
        found.map(|one| one.name.as_str()).collect()
    };
    let knowing = Knowing {
        names: provider_names.clone(),
        scorers: of_kind(|kind| matches!(kind, ProviderKind::Twilio { .. })),
        lines: of_kind(|kind| match kind {
            ProviderKind::Twilio { .. } | ProviderKind::Telnyx { .. } => true,
            ProviderKind::Http(gateway) => gateway.lines.is_some(),
            _ => false,
        }),
    };
    let read_limits = |table: &Table<'_>| limits::read(table, &knowing);
    let mut limits = section(root, "limits", read_limits).unwrap_or_else(Limits::default);
    warn_of_few_ports(root, &media, &limits);
    let privacy = section(root, "privacy", privacy::read).unwrap_or_else(Privacy::default);
    countries::settle(&mut limits, &trunks);
    let sockets: Vec<_> = listeners.iter().map(Listener::socket).collect();
    for (target, place) in &drafts {
        tables::refuse_numbers(target, place, &limits.countries, root.notes());
        tables::refuse_unreached(target, place, &sockets, root.notes());
        if let Some(address) = target.addresses.iter().find(|at| is_ours(at, &listeners)) {
            let message = format!("`{}` leads back to this node: {address}", target.name.value);
            root.problem(Code::E01, place, message, "write the address of the PBX");
        }
    }
    let drafts = drafts.into_iter().map(|(target, _)| target).collect();
    Some(Config {
        file: path.map(Path::to_owned),
        flows_dir,
        prompts_dir,
        tts,
        listeners,
        trunks: trunks.into_iter().map(|(trunk, _)| trunk).collect(),
        media,
        targets: drafts,
        hours,
        sources,
        systems,
        fallback: fallback?.value,
        businesses,
        providers,
        senders,
        entries,
        store: store.unwrap_or_else(|| super::Store::at(base)),
        http,
        control: control.unwrap_or_else(|| Control::at(base)),
        limits,
        privacy,
    })
}

/// The program that speaks texts of flows.
fn tts(root: &Table<'_>) -> Tts {
    let command = root.texts_owned("tts_command");
    for place in ["{file}", "{text}"] {
        let filled = command.iter().skip(1).any(|argument| argument.contains(place));
        if root.has("tts_command") && !filled {
            let message = format!("`tts_command` has no argument `{place}`");
            root.note(Code::E00, "tts_command", message, "see docs/prompts.md");
        }
    }
    let command = if root.has("tts_command") { command } else { Tts::default_command() };
    let cache = root.path("tts_cache").unwrap_or_else(|| root.base().join("var/tts"));
    Tts { command, cache }
}

fn section<'a, T>(root: &Table<'a>, key: &'a str, read: impl FnOnce(&Table<'_>) -> T) -> Option<T> {
    let table = root.table(key)?;
    let section = read(&table);
    table.finish();
    Some(section)
}

/// The targets, each with the place of its `sip`; the names of their hours are looked up.
fn targets_with_places(root: &Table<'_>) -> Vec<(TargetDraft, Span)> {
    let hours = root.names_under("hours");
    let mut targets = Vec::new();
    for (name, table) in root.tables("target") {
        table.reference("hours", "hours", &hours);
        let place = table.place("sip");
        targets.extend(tables::target(name, table.into_inner()).map(|target| (target, place)));
    }
    targets
}

/// Two listeners at one address could not both be bound.
fn refuse_same_address(notes: &Notes, listeners: &[(Listener, Span)]) {
    for (i, (listener, place)) in listeners.iter().enumerate() {
        let same = |(earlier, _): &&(Listener, Span)| {
            (earlier.transport, earlier.bind) == (listener.transport, listener.bind)
        };
        if listener.bind.port() != 0 && listeners[..i].iter().any(|earlier| same(&earlier)) {
            let message = format!("another listener has `{}` already", listener.bind);
            notes.note(Code::E01, place.clone(), message, "leave one of them out");
        }
    }
}

/// A trunk that is to be asked by TCP or TLS needs a socket of ours for it, and so does the address
/// that its callbacks go to.
fn refuse_unreachable_trunks(notes: &Notes, listeners: &[Listener], trunks: &[(Trunk, Span)]) {
    let sockets: Vec<_> = listeners.iter().map(Listener::socket).collect();
    for (trunk, place) in trunks {
        let (needed, word) = match trunk.transport {
            TrunkTransport::Udp => (None, "udp"),
            TrunkTransport::Tcp => (Some(Transport::Tcp), "tcp"),
            TrunkTransport::Auto => (Some(Transport::Tcp), "auto"),
            TrunkTransport::Tls => (Some(Transport::Tls), "tls"),
        };
        let listens = |needed| listeners.iter().any(|listener| listener.transport == needed);
        if let Some(needed) = needed.filter(|needed| !listens(*needed)) {
            let word = if needed == Transport::Tls { "tls" } else { "tcp" };
            let by = word.to_uppercase();
            let message = format!("`{}` is to be reached by {by}, and no listener is", trunk.name);
            let help = format!("add a `[[listener]]` with `transport = \"{word}\"`");
            notes.note(Code::E01, place.clone(), message, help);
        } else if let Some(outbound) = &trunk.outbound
            && let Some((what, help)) = way::unreached(&outbound.address, word, &sockets)
        {
            let message = format!("`address` of `{}` {what}", trunk.name);
            notes.note(Code::E01, place.clone(), message, help);
        }
    }
}

/// Two trunks of one name could not be told apart in the records, two of one range on the wire.
fn refuse_twins(notes: &Notes, trunks: &[(Trunk, Span)]) {
    for (i, (trunk, place)) in trunks.iter().enumerate() {
        for (earlier, _) in &trunks[..i] {
            if earlier.name == trunk.name {
                let message = format!("two trunks are named `{}`", trunk.name);
                notes.note(Code::E01, place.clone(), message, "give one of them another name");
            } else if let Some(net) = trunk.sources.iter().find(|n| earlier.sources.contains(n)) {
                let message = format!("`{net}` is in `sources` of `{}` too", earlier.name);
                notes.note(Code::E01, place.clone(), message, "an address belongs to one trunk");
            }
        }
    }
}

/// SDP must show an address that media can be sent to.
fn refuse_unreachable_media(root: &Table<'_>, listeners: &[Listener], media: &Media) {
    let bind = media.bind.or(listeners.first().map(|listener| listener.bind.ip()));
    if media.advertise.is_none() && bind.is_some_and(|bind| bind.is_unspecified()) {
        let message = "media would be received at every address of the machine, so SDP can't \
                       show one";
        root.note(Code::E00, "media", message, "add `advertise = \"…\"` to `[media]`");
    }
}

/// A call has two legs while it is bridged, each with a port for RTP and one for RTCP.
fn warn_of_few_ports(root: &Table<'_>, media: &Media, limits: &Limits) {
    const PORTS_OF_A_CALL: u32 = 4;
    let (ports, calls) = (2 * u32::from(media.ports.pairs()), limits.calls);
    let (room, needed) = (ports / PORTS_OF_A_CALL, calls.saturating_mul(PORTS_OF_A_CALL));
    if room >= calls {
        return;
    }
    let message = format!(
        "the {ports} `ports` of `[media]` are enough for {room} bridged calls, and {calls} may go on at \
         once"
    );
    let less = match room {
        0 => String::new(),
        _ => format!(", or write `calls = {room}` into `[limits]`"),
    };
    let help = format!("give it {needed} ports{less}: calls without ports are refused");
    let key = if root.has("media") { "media" } else { "limits" };
    root.note(Code::W17, key, message, help);
}

/// Reads `[[key]]`, each with its place; at least one is needed.
fn all<'a, T>(
    root: &Table<'a>,
    key: &'a str,
    read: impl Fn(&Table<'_>) -> Option<T>,
) -> Vec<(T, Span)> {
    let tables = root.array_of_tables(key);
    if tables.is_empty() {
        let message = format!("there is no `[[{key}]]`");
        root.lacks(Code::E00, key, message, format!("add a `[[{key}]]` table"));
    }
    let mut items = Vec::new();
    for table in tables {
        items.extend(read(&table).map(|item| (item, table.span())));
        table.finish();
    }
    items
}

/// Reads `[key.X]` in file order.
fn named<'a, T>(
    root: &Table<'a>,
    key: &'a str,
    read: impl Fn(String, &Table<'_>) -> Option<T>,
) -> Vec<T> {
    let mut items = Vec::new();
    for (name, table) in root.tables(key) {
        items.extend(read(name.value, &table));
        table.finish();
    }
    items
}

/// Whether an address of SIP is one of our listeners, by what it is bound to.
fn is_ours(address: &str, listeners: &[Listener]) -> bool {
    let place = address.rsplit_once('@').map_or(address, |(_, place)| place);
    let place = place.split([';', '?', '>']).next().unwrap_or_default();
    listeners.iter().any(|listener| listener.bind.to_string() == place)
}
