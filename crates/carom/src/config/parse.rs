//! The whole of `carom.toml`, section by section.

use std::{collections::BTreeSet, path::Path};

use toml::{Spanned, de::DeTable};

use super::{
    Config, Control, Http, Limits, Listener, Media, Privacy, Trunk, business, control, http,
    limits, listener, media, privacy, provider, read, read::Table, sender, store, trunk,
};

/// Reads the tree; what is wrong is noted in `file`. `None` where nothing can run with it.
pub(super) fn config<'a>(
    file: &'a read::File<'a>,
    tree: &'a Spanned<DeTable<'a>>,
    path: Option<&Path>,
) -> Option<Config> {
    let mut root = file.root(tree);
    root.required("config_version", |t| t.number("config_version", 1..=1));
    let flows_dir = root.path("flows").or_else(|| path.map(|_| file.base.join("flows")));
    let prompts_dir = root.path("prompts").or_else(|| path.map(|_| file.base.join("prompts")));
    let listeners = all(&mut root, "listener", listener::read);
    let trunks = all(&mut root, "trunk", trunk::read);
    refuse_twins(&mut root, &trunks);
    let media = section(&mut root, "media", media::read).unwrap_or_else(Media::default);
    let fallback = root.required("fallback", |t| t.table("fallback")).and_then(|mut fallback| {
        let target = fallback.required("target", |t| t.text("target"));
        fallback.finish();
        target
    });
    root.tables("target");
    root.tables("hours");
    for (_, source) in root.tables("source") {
        let help = "remove it, and the rules that name it";
        file.problem("N01", source.span(), "sources are not available yet".to_owned(), help);
    }
    let businesses = named(&mut root, "business", business::read);
    if businesses.is_empty() && root.names_under("business").is_empty() {
        let help = "add one, with `name` and `brand`";
        root.error_at("business", "there is no `[business.X]`".to_owned(), help);
    }
    let providers = named(&mut root, "provider", provider::read);
    let provider_names = root.names_under("provider");
    let senders =
        named(&mut root, "sender", |name, table| sender::read(name, table, &provider_names));
    let store = match root.table("store") {
        Some(mut table) => {
            let store = store::read(&mut table);
            table.finish();
            Some(store)
        }
        None => None,
    };
    let http = section(&mut root, "http", http::read).unwrap_or_else(Http::default);
    let control = section(&mut root, "control", control::read);
    let mut limits = section(&mut root, "limits", limits::read).unwrap_or_else(Limits::default);
    let privacy = section(&mut root, "privacy", privacy::read).unwrap_or_else(Privacy::default);
    if limits.countries.is_empty() {
        let countries: BTreeSet<String> = trunks.iter().map(|t| t.country.clone()).collect();
        limits.countries = countries.into_iter().collect();
    }
    root.finish();
    let base = file.base;
    Some(Config {
        file: path.map(Path::to_owned),
        flows_dir,
        prompts_dir,
        listeners,
        trunks,
        media,
        fallback: fallback?.value.to_owned(),
        businesses,
        providers,
        senders,
        store: store.unwrap_or_else(|| super::Store::at(base)),
        http,
        control: control.unwrap_or_else(|| Control::at(base)),
        limits,
        privacy,
    })
}

fn section<T>(
    root: &mut Table<'_>,
    key: &str,
    read: impl FnOnce(&mut Table<'_>) -> T,
) -> Option<T> {
    let mut table = root.table(key)?;
    let section = read(&mut table);
    table.finish();
    Some(section)
}

/// Two trunks of one name could not be told apart in the records, two of one range on the wire.
fn refuse_twins(root: &mut Table<'_>, trunks: &[Trunk]) {
    let mut tables = root.array_of_tables("trunk").unwrap_or_default();
    for (i, trunk) in trunks.iter().enumerate() {
        for earlier in &trunks[..i] {
            // Where a trunk was refused, the indices do not match; the error is then at `[[trunk]]`.
            let at = tables.get_mut(i).map_or(0..0, |table| table.span());
            if earlier.name == trunk.name {
                let message = format!("two trunks are named `{}`", trunk.name);
                root.error_here("E01", at, message, "give one of them another name");
            } else if let Some(net) = trunk.sources.iter().find(|n| earlier.sources.contains(n)) {
                let message = format!("`{net}` is in `sources` of `{}` too", earlier.name);
                root.error_here("E01", at, message, "an address belongs to one trunk");
            }
        }
    }
}

/// SDP must show an address that media can be sent to.
fn refuse_unreachable_media(root: &Table<'_>, listeners: &[Listener], media: &Media) {
    let bind = media.bind.or(listeners.first().map(|listener| listener.bind.ip()));
    if media.advertise.is_none() && bind.is_some_and(|bind| bind.is_unspecified()) {
        let message = "media would be received at every address of the machine, so SDP can't \
                       show one"
            .to_owned();
        root.error_at("media", message, "add `advertise = \"…\"` to `[media]`");
    }
}

/// Reads `[[key]]`; at least one is needed.
fn all<T>(root: &mut Table<'_>, key: &str, read: impl Fn(&mut Table<'_>) -> Option<T>) -> Vec<T> {
    let Some(tables) = root.array_of_tables(key).filter(|tables| !tables.is_empty()) else {
        let message = format!("there is no `[[{key}]]`");
        root.error_at(key, message, &format!("add a `[[{key}]]` table"));
        return Vec::new();
    };
    let mut items = Vec::new();
    for mut table in tables {
        items.extend(read(&mut table));
        table.finish();
    }
    items
}

/// Reads `[key.X]` in file order.
fn named<T>(
    root: &mut Table<'_>,
    key: &str,
    read: impl Fn(String, &mut Table<'_>) -> Option<T>,
) -> Vec<T> {
    let mut items = Vec::new();
    for (name, mut table) in root.tables(key) {
        items.extend(read(name, &mut table));
        table.finish();
    }
    items
}
