//! What is said about a `carom.toml`, word for word.

use std::path::Path;

use ivr_runtime::diagnose;

use super::{load::of_all_senders, parse};

const BUILT_IN: &str = include_str!("builtin.toml");

#[test]
fn the_built_in_configuration_has_no_errors_and_stays_on_the_loopback() {
    let (config, problems) = parse::text(BUILT_IN, None, Path::new(""));
    assert_eq!(problems, []);
    let config = config.unwrap();
    assert!(config.listeners.iter().all(|listener| listener.bind.ip().is_loopback()));
    assert!(config.http.listen.ip().is_loopback());
    assert!(config.media_bind().is_loopback());
    assert!(config.trunk_at([127, 0, 0, 1].into()).is_some());
    assert!(config.trunk_at([192, 0, 2, 1].into()).is_none());
    assert_eq!(config.limits.countries, ["GB"]);
    assert_eq!(config.store.url.reveal(), "sqlite:var/carom.db");
    assert_eq!(config.control.socket, Path::new("var/control.sock"));
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = format!("{BUILT_IN}\n[control]\nsocket = \"run/c.sock\"\n");
    let (config, _) =
        parse::text(&text, Some(Path::new("/etc/carom/carom.toml")), Path::new("/etc/carom"));
    let config = config.unwrap();
    assert_eq!(config.control.socket, Path::new("/etc/carom/run/c.sock"));
    assert_eq!(config.flows_dir.as_deref(), Some(Path::new("/etc/carom/flows")));
    assert_eq!(config.store.url.reveal(), "sqlite:/etc/carom/var/carom.db");
}

#[test]
fn every_error_is_told_at_its_place_with_the_way_to_mend_it() {
    for (change, told) in [
        // Keys.
        (
            "[media]|[media]\nport = \"20000-29999\"",
            "19:1 E00 `[media]` does not know the key `port` | did you mean `ports`?",
        ),
        (
            "[media]|[media]\nzzz = 1",
            "19:1 E00 `[media]` does not know the key `zzz` | known here: `bind`, `advertise`, `ports`, `workers`, `codecs`, `timeout_seconds`, `srtp`, `in_band_dtmf`",
        ),
        (
            "config_version = 1|config_version = 1\nflow = \"flows/\"",
            "3:1 E00 the file does not know the key `flow` | did you mean `flows`?",
        ),
        (
            "config_version = 1|config_version = 2",
            "2:18 E00 `config_version` is 2; it takes 1 to 1 | ",
        ),
        (
            "config_version = 1|",
            "1:1 E00 the file has no `config_version` | add `config_version = …`",
        ),
        ("country    = \"GB\"|", "11:1 E00 `[[trunk]]` has no `country` | add `country = …`"),
        // Types and ranges.
        (
            "trusted    = true|trusted    = \"yes\"",
            "16:14 E00 `trusted` is a text; it takes true or false | ",
        ),
        (
            "[media]|[limits]\ncalls = \"many\"\n[media]",
            "19:9 E00 `calls` is a text; it takes a whole number | ",
        ),
        ("[media]|[limits]\ncalls = 0\n[media]", "19:9 E00 `calls` is 0; it takes 1 to 1000000 | "),
        (
            "[media]|[media]\nports = \"20001-29999\"",
            "19:9 E00 `ports`: `20001-29999` is no range from an even port (1024 or more) up to an odd one | ",
        ),
        (
            "[media]|[media]\nports = 20000",
            "19:9 E00 `ports` is a whole number; it takes a text in quotes | ",
        ),
        (
            "bind = \"127.0.0.1\"|bind = \"localhost\"",
            "19:8 E00 `bind`: `localhost` is no IP address | ",
        ),
        (
            "\"udp\"\nbind      = \"127.0.0.1:5060\"|\"udp\"\nbind      = \"127.0.0.1\"",
            "6:13 E00 `bind`: `127.0.0.1` is no address and port such as `127.0.0.1:5060` | ",
        ),
        (
            "transport = \"tcp\"|transport = \"tpc\"",
            "8:13 E00 `transport` does not take `tpc` | did you mean `tcp`?",
        ),
        (
            "country    = \"GB\"|country    = \"UK1\"",
            "15:14 E00 `country`: `UK1` is no country code | two capitals, such as `\"GB\"`",
        ),
        (
            "sources    = [\"127.0.0.0/8\"]|sources    = [\"127.0.0.1/8\"]",
            "13:15 E00 `sources`: `127.0.0.1/8` has bits beyond its prefix; the range that begins here is `127.0.0.0/8` | ",
        ),
        (
            "sources    = [\"127.0.0.0/8\"]|sources    = []",
            "13:14 E00 `sources` is an empty list | ",
        ),
        (
            "trusted    = true|caller_from = [\"Diversion\"]",
            "16:16 E00 `caller_from` does not take `Diversion` | it takes `P-Asserted-Identity`, `Remote-Party-ID`, `From`",
        ),
        (
            "trusted    = true|numbers = { \"01234\" = { country = \"IE\" } }",
            "16:13 E08 `01234` is no E.164 number such as `+442079460018` | ",
        ),
        // References.
        (
            "target = \"pbx\"|target = \"pdx\"",
            "22:10 E01 `target`: there is no `[target.pdx]` | did you mean `pbx`?",
        ),
        (
            "provider = \"sandbox\"|provider = \"twilio\"",
            "47:12 E01 `provider`: there is no `[provider.twilio]` | add a `[provider.twilio]`",
        ),
        (
            "[media]|[[trunk]]\nname = \"local\"\nsources = [\"192.0.2.1\"]\nmedia_nets = [\"192.0.2.1\"]\ncountry = \"GB\"\n[media]",
            "18:1 E01 two trunks are named `local` | give one of them another name",
        ),
        (
            "[media]|[[trunk]]\nname = \"other\"\nsources = [\"127.0.0.0/8\"]\nmedia_nets = [\"192.0.2.1\"]\ncountry = \"GB\"\n[media]",
            "18:1 E01 `127.0.0.0/8` is in `sources` of `local` too | an address belongs to one trunk",
        ),
        // Not available yet, by name.
        (
            "[media]|[media]\ncodecs = [\"opus\"]",
            "19:10 E00 prompts can't be played in opus, so that no call could be answered | add `PCMA`, `PCMU` or `G722`",
        ),
        (
            "trusted    = true|outbound = true",
            "16:12 E00 a trunk that carries callbacks has an `address` and a `callback_from` | add what is missing",
        ),
        (
            "trusted    = true|caller_id = \"ask\"",
            "16:13 E00 `caller_id` does not take `ask` | it takes `accept`, `confirm`, `require-attested`",
        ),
        (
            "[provider.sandbox]\nkind = \"sandbox\"|[provider.sandbox]\nkind = \"infobip\"\nsecret = \"env:X\"",
            "44:8 N01 `kind = \"infobip\"` is not available yet | it takes `sandbox`, `twilio`, `telnyx`, `whatsapp-cloud`, `bandwidth`, `vonage`, `smpp`, `http`, `liveperson`, `khoros`",
        ),
        (
            "[media]|[http]\nwebhooks = [{ url = \"https://x.example\", secret = \"env:HOME\", events = [\"call.end\"] }]\n[media]",
            "19:73 E00 no event is called `call.end` | events are call.forwarded, call.answered, call.ended, callback.booked, voicemail.left, message.state, message.received, or `*` for all",
        ),
        (
            "trusted    = true|caller_id = \"require-attested\"",
            "16:13 E00 `caller_id = \"require-attested\"` believes no caller of a trunk that is not trusted to attest | say `trusted = true` if it is, or `caller_id = \"confirm\"`",
        ),
        (
            "trusted    = true|transport = \"udp\"\naddress = \"sip:127.0.0.1;transport=tls\"",
            "16:13 E00 `address` is reached by TLS, and the trunk's own requests are taken by any transport | say `transport = \"tls\"`: then nobody speaks in its name by a forged datagram",
        ),
        (
            "[media]|[http]\nlink_keys = [\"env:HOME\"]\n[media]",
            "19:14 E13 `link_keys`: it is no private key of kind Ed25519 or P-256 (PKCS #8, PEM) | `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, or `-algorithm ed25519`, makes one",
        ),
        (
            "[media]|[limits]\nline_types = \"sandbox\"\n[media]",
            "19:14 E00 `[provider.sandbox]` knows no kinds of lines | one of kind `twilio` or `telnyx` does, and `http` with a `line_url`",
        ),
        (
            "[provider.sandbox]\nkind = \"sandbox\"|[provider.sandbox]\nkind = \"sandbox\"\nwebhook_from = [\"10.0.0.0/8\"]",
            "45:16 E00 `webhook_from` is for providers with webhooks | leave it out here",
        ),
        (
            "[media]|[http]\npublic_url = \"https://bit.ly\"\n[media]",
            "19:14 W18 the links of texts would be of the public shortener `bit.ly` | carriers filter texts with such addresses: give the whole one, of a domain of your own",
        ),
        // Room for media.
        (
            "[media]\nbind|[media]\nports = \"20000-20199\"\nbind",
            "18:1 W17 the 200 `ports` of `[media]` are enough for 50 bridged calls, and 500 may go on at once | give it 2000 ports, or write `calls = 50` into `[limits]`: calls without ports are refused",
        ),
        (
            "[media]\nbind|[media]\nports = \"20000-20001\"\nbind",
            "18:1 W17 the 2 `ports` of `[media]` are enough for 0 bridged calls, and 500 may go on at once | give it 2000 ports: calls without ports are refused",
        ),
        (
            "[media]|[provider.gate]\nkind = \"http\"\nurl = \"https://g.example.com/{to}?t={text}\"\nline_url = \"https://l.example.com/{to}?t={text}\"\nline_at = \"/kind\"\n[media]",
            "21:12 E00 `line_url` holds a field that a question about a number has not | there are `{to}` `{to_digits}` `{secret}` `{account}` `{basic}`",
        ),
        // Who texts, and where.
        (
            "from     = \"+447700900999\"|from     = \"07700900999\"",
            "48:12 E10 `from`: `07700900999` has no country code | write it as +447700900123",
        ),
        (
            "[media]|[limits]\ncountries = [\"GB\", \"IE\"]\n[media]",
            "19:13 E10 `countries`: no sender serves IE | add it to the `regions` of a sender, or leave the country out; one that is called back only belongs into `callback_countries`",
        ),
        (
            "country    = \"GB\"|country    = \"GB\"\nnumbers = { \"+35312345678\" = { country = \"IE\" } }",
            "11:1 E10 callers of `local` are in IE, which no sender serves | add it to the `regions` of a sender, or name the countries that are texted: `[limits] countries = […]`",
        ),
        (
            "trusted    = true|trusted    = true\noutbound = true\naddress = \"sip:127.0.0.1\"\ncallback_from = \"+442079460018\"\n[limits]\ncountries = [\"GB\", \"IE\"]",
            "21:13 E10 `countries`: no sender serves IE | add it to the `regions` of a sender, or leave the country out; one that is called back only belongs into `callback_countries`",
        ),
        (
            "[media]|[limits]\nshared_callers = [\"+442079460018\", \"12\"]\n[media]",
            "19:36 E00 `shared_callers`: `12` is no number | write it as +442079460018",
        ),
        (
            "[media]|[limits]\ntexts_per_prefix = { per_hour = 9, prefix_digits = 9 }\n[media]",
            "19:52 E00 `prefix_digits` is 9; it takes 1 to 8 | ",
        ),
        (
            "regions  = [\"GB\"]|regions  = [\"GB\"]\nchannel = \"whatsapp\"",
            "50:11 E10 a WhatsApp sender needs a template | add `template = \"…\"`: a call opens no window for free text",
        ),
        // TLS.
        (
            "[media]|[[listener]]\ntransport = \"tls\"\ncert = \"gone.pem\"\nkey = \"env:HOME\"\n[media]",
            "20:8 E01 `cert`: gone.pem cannot be read: No such file or directory (os error 2) | paths are relative to this file",
        ),
        (
            "[media]|[[listener]]\ntransport = \"tls\"\ncert = \"env:HOME\"\nkey = \"env:HOME\"\n[media]",
            "20:8 E00 `cert`: there is no certificate in it (PEM, the listener's own first) | ",
        ),
        (
            "transport = \"tcp\"|transport = \"tcp\"\nkey = \"env:HOME\"",
            "9:7 E00 `key` is for `transport = \"tls\"` | leave it out here",
        ),
        (
            "trusted    = true|transport = \"tls\"",
            "11:1 E01 `local` is to be reached by TLS, and no listener is | add a `[[listener]]` with `transport = \"tls\"`",
        ),
        (
            "[target.pbx]|[target.pbx]\ntransport = \"tls\"",
            "26:18 E01 `pbx` is to be reached by TLS, and no listener is | add a `[[listener]]` with `transport = \"tls\"`",
        ),
        // Secrets.
        (
            "[provider.sandbox]\nkind = \"sandbox\"|[provider.sandbox]\nkind = \"twilio\"\naccount = \"AC1\"\nsecret = \"hunter2\"",
            "46:10 E13 `secret`: a secret stands here in the open | write `\"env:NAME\"` or `\"file:PATH\"`, and put the secret there",
        ),
        (
            "[provider.sandbox]\nkind = \"sandbox\"|[provider.sandbox]\nkind = \"twilio\"\naccount = \"AC1\"\nsecret = \"env:CAROM_NOT_SET\"",
            "46:10 E13 `secret`: the environment variable CAROM_NOT_SET is not set | set it where `carom` is started, or write `\"file:PATH\"`",
        ),
        (
            "[media]|[store]\nurl = \"postgres://carom:hunter2@db/carom\"\n[media]",
            "19:7 E13 `url`: a password stands here in the open | write `\"env:NAME\"` or `\"file:PATH\"`, and put the secret there",
        ),
        (
            "[media]|[http]\npublic_url = \"http://c.example.com\"\n[media]",
            "19:14 E13 `public_url` is no https address | write `\"https://…\"`; plain http is for this machine only",
        ),
        (
            "[media]|[http]\npublic_url = \"https://c.example.com/?a=b\"\n[media]",
            "19:14 E13 `public_url` is more than an address | paths are put behind it: `\"https://HOST\"`, or with a path that a proxy takes away",
        ),
        // Addresses that peers could not reach.
        (
            "bind      = \"127.0.0.1:5060\"\n[[listener]]|bind      = \"0.0.0.0:5060\"\n[[listener]]",
            "6:13 E00 `0.0.0.0:5060` is every address of the machine, so peers can't be told where to answer | add `advertise = \"…\"` with the address that peers reach",
        ),
        (
            "[media]\nbind = \"127.0.0.1\"|[media]\nbind = \"0.0.0.0\"",
            "18:1 E00 media would be received at every address of the machine, so SDP can't show one | add `advertise = \"…\"` to `[media]`",
        ),
        // Syntax.
        ("[media]|[media", "18:7 E00 not TOML: unclosed table, expected `]` | "),
    ] {
        let (from, to) = change.split_once('|').unwrap();
        assert!(BUILT_IN.contains(from), "{from}");
        assert_eq!(problems_of(&BUILT_IN.replacen(from, to, 1)), [told], "{to}");
    }
}

#[test]
fn e11_texts_that_cost_what_nobody_counts_are_told_of() {
    const TWILIO: &str = "kind = \"twilio\"\naccount = \"AC1\"\nsecret = \"env:HOME\"";
    const VONAGE: &str = "kind = \"vonage\"\naccount = \"AC1\"\nsecret = \"env:HOME\"\n\
                          app_secret = \"env:HOME\"";
    const CAP: &str = "[limits]\nspend_per_day = { amount = 9, currency = \"GBP\" }\n[media]";
    let told = |kind: &str, limits: &str, price: &str| {
        let text = BUILT_IN.replacen("kind = \"sandbox\"", kind, 1).replacen("[media]", limits, 1);
        let text = text.replacen("from     =", &format!("{price}\nfrom     ="), 1);
        let problems = problems_of(&text).into_iter();
        problems.map(|one| one.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let unbounded = "W15 nothing bounds what the texts of a day may cost | add `spend_per_day = { \
                     amount = 250, currency = \"GBP\" }` to `[limits]`, with your figures";
    assert_eq!(told(TWILIO, "[media]", ""), [unbounded]);
    assert_eq!(told("kind = \"sandbox\"", "[media]", ""), [] as [&str; 0], "costs nothing");
    let uncounted = "A01 `spend_per_day` counts nothing for texts by `sandbox`: it has no `price`, \
                     and its provider tells none in time | give the sender `price = 0.04`, the \
                     price of one SMS";
    assert_eq!(told(TWILIO, CAP, ""), [uncounted]);
    assert_eq!(told(TWILIO, CAP, "price = 0.04"), [] as [&str; 0]);
    assert_eq!(told(VONAGE, CAP, ""), [] as [&str; 0], "it tells with its answer");
}

#[test]
fn all_errors_of_a_file_are_told_at_once() {
    let text = "config_versoin = 1\n[[trunk]]\n[medai]\n[fallback]\n";
    assert_eq!(
        problems_of(text),
        [
            "1:1 E00 there is no `[[listener]]` | add a `[[listener]]` table",
            "1:1 E00 there is no `[business.X]` | add one, with `name` and `brand`",
            "1:1 E00 the file does not know the key `config_versoin` | did you mean `config_version`?",
            "2:1 E00 `[[trunk]]` has no `name` | add `name = …`",
            "2:1 E00 `[[trunk]]` has no `sources` | add `sources = …`",
            "2:1 E00 `[[trunk]]` has no `media_nets` | add `media_nets = …`",
            "2:1 E00 `[[trunk]]` has no `country` | add `country = …`",
            "3:2 E00 the file does not know the key `medai` | did you mean `media`?",
            "4:1 E00 `[fallback]` has no `target` | add `target = …`",
        ]
    );
}

/// Each problem as `line:column code message | help`.
fn problems_of(text: &str) -> Vec<String> {
    let (config, problems) = parse::text(text, None, Path::new(""));
    let mut found = diagnose::findings(problems, "", text);
    found.extend(config.iter().flat_map(|config| of_all_senders(config, &[], "", text)));
    let told = found.iter().map(|found| {
        let (line, column, code) = (found.line, found.column, found.code);
        format!("{line}:{column} {code} {} | {}", found.message, found.help)
    });
    told.collect()
}
