//! The page of a link, as browsers and programs fetch it.

use carom_blackbox::{Database, eventually, web::SAFARI};

use super::Site;

#[test]
fn lp_07_a_link_shows_a_page_to_anybody_and_leads_one_browser_on() {
    let site = Site::new();
    site.calls("1");
    let link = site.link();
    // Programs look at it first, some by a browser's name: nothing is used up, nobody is counted.
    let head = site.asks("HEAD", &link, SAFARI, "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let previews = ["User-Agent: WhatsApp/2.24\r\n", "User-Agent: facebookexternalhit/1.1\r\n", ""];
    for agent in [SAFARI].into_iter().chain(previews) {
        assert_eq!(site.asks("GET", &link, agent, "").status, 200);
    }
    eventually("the fetch", || {
        (site.number("SELECT COUNT(*) FROM link WHERE first_fetch_ms IS NOT NULL") == 1)
            .then_some(())
    });
    let people = || site.number("SELECT COUNT(*) FROM link WHERE first_human_ms IS NOT NULL");
    assert_eq!(people(), 0);
    let page = site.asks("GET", &link, SAFARI, "");
    assert!(page.body.len() <= 14 * 1024, "{}", page.body.len());
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.header(name), value);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("form-action 'self' http: https:;"));
    assert!(page.body.contains("<h1>Example</h1>") && page.body.contains("lost parcel"));
    assert!(page.body.contains("href=\"tel:+442079460018\""), "IC-09: the way back to the phone");
    assert!(!page.body.contains("<script") && !page.body.contains("customer-7"));
    // A button binds the browser, whose second press leads on again; another one's does not.
    let mine = page.cookie();
    let other = site.asks("GET", &link, SAFARI, "").cookie();
    for _ in 0..2 {
        let pressed = site.asks("POST", &link, &format!("{SAFARI}{mine}"), "to=0");
        assert_eq!(pressed.status, 200, "{}", pressed.body);
        assert!(
            pressed.body.contains("action=\"http://127.0.0.1:9/orders/order-9\""),
            "{}",
            pressed.body
        );
        assert_eq!(people(), 1, "who presses is a person");
    }
    for headers in [format!("{SAFARI}{other}"), SAFARI.to_owned()] {
        let refused = site.asks("POST", &link, &headers, "to=0");
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("another browser") && refused.body.contains("tel:+44"));
    }
    assert_eq!(site.asks("GET", &link, SAFARI, "").status, 403);
    // Nothing of the token or of what stands on the page is in the database as it is.
    let rows = Database::of(&site.place)
        .texts("SELECT destination || token_hash || COALESCE(context_ref, '') FROM link")
        .join("");
    assert!(!rows.contains(&link[3..]) && !rows.contains("order-9") && rows.contains("orders"));
    let log = site.engine.log();
    assert!(!log.contains(&link[3..]), "no token in the log");
}

#[test]
fn a_page_speaks_the_language_of_the_call_and_says_when_it_is_over() {
    let site = Site::new();
    site.calls("8");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    assert!(
        page.body.contains("<html lang=\"es\">") && page.body.contains("Llámenos: +442079460018")
    );
    Database::of(&site.place).execute("UPDATE link SET expires_ms = 1");
    for (method, body) in [("GET", ""), ("POST", "to=0")] {
        let over = site.asks(method, &link, SAFARI, body);
        assert_eq!(over.status, 410);
        assert!(over.body.contains("ya no es válido") && over.body.contains("tel:+442079460018"));
    }
    let told = site.asks("GET", &format!("/v1/context/{}", &link[3..]), "", "");
    assert_eq!(told.status, 410);
}

#[test]
fn behind_a_proxy_that_takes_a_path_away_a_page_leads_to_that_path() {
    let site = Site::new();
    let own = format!("http://{}:8080", site.place.engine());
    site.engine.rewrite(&site.place, "carom.toml", |config| {
        config.replace(&format!("\"{own}\""), &format!("\"{own}/shop/carom/\""))
    });
    assert!(site.engine.cli(&["reload"]).status.success());
    site.calls("1");
    let link = site.link();
    let inbox = site.asks("GET", "/sandbox", "", "").body;
    assert!(inbox.contains(&format!("{own}/shop/carom{link}")), "{inbox}");
    let page = site.asks("GET", &link, SAFARI, "");
    let forms = page.body.matches(" action=\"").count();
    let ours = page.body.matches(&format!(" action=\"/shop/carom{link}")).count();
    assert!(forms > 0 && forms == ours, "{}", page.body);
    assert!(page.header("set-cookie").contains(&format!("Path=/shop/carom{link};")));
}

#[test]
fn who_guesses_tokens_is_slowed_down_and_others_are_not() {
    let site = Site::new();
    site.calls("2");
    let link = site.link();
    let guess = "X-Forwarded-For: 203.0.113.9\r\n";
    for n in 0..20 {
        let page = site.asks("GET", &format!("/l/{n:021}A"), guess, "");
        assert_eq!(page.status, 404);
        assert!(page.body.contains("tel:+442079460018"), "the way to a person");
    }
    assert_eq!(site.asks("GET", "/l/AAAAAAAAAAAAAAAAAAAAAA", guess, "").status, 429);
    let elsewhere = "X-Forwarded-For: 203.0.113.10\r\n";
    assert_eq!(site.asks("GET", "/l/AAAAAAAAAAAAAAAAAAAAAA", elsewhere, "").status, 404);
    assert_eq!(site.asks("GET", &link, guess, "").status, 200, "a good token is always good");
    assert_eq!(site.asks("GET", "/l/..%2F..%2Fetc%2Fpasswd", "", "").status, 404);
}

#[test]
fn ex_15_lp_09_who_comes_back_is_asked_once_how_it_went_and_the_app_is_counted() {
    let site = Site::new();
    site.calls("1");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    assert!(!page.body.contains("/rating"), "not before it was used");
    let mine = format!("{SAFARI}{}", page.cookie());
    assert_eq!(site.asks("POST", &format!("{link}/rating"), &mine, "rating=5").status, 400);
    let app = site.asks("POST", &link, &mine, "app=0");
    assert_eq!((app.status, app.header("location")), (303, "https://apps.example.com/example"));
    assert_eq!(site.number("SELECT COUNT(*) FROM link WHERE app_ms IS NOT NULL"), 1);
    let back = site.asks("GET", &link, &mine, "");
    assert!(back.body.contains("Did this solve it?"), "{}", back.body);
    assert_eq!(site.asks("POST", &format!("{link}/rating"), &mine, "rating=6").status, 400);
    for rating in [5, 1] {
        let thanks =
            site.asks("POST", &format!("{link}/rating"), &mine, &format!("rating={rating}"));
        assert!(thanks.body.contains("Thank you for your answer."), "{}", thanks.body);
        eventually("the answer", || {
            (site.number("SELECT COUNT(*) FROM outcome WHERE kind = 'rated'") == 1).then_some(())
        });
    }
    assert_eq!(site.number("SELECT csat FROM outcome WHERE kind = 'rated'"), 5);
    assert_eq!(site.number("SELECT COUNT(*) FROM outcome WHERE kind = 'resolved'"), 1);
    assert_eq!(site.number("SELECT COUNT(*) FROM outcome WHERE kind = 'unresolved'"), 0);
    assert!(!site.asks("GET", &link, &mine, "").body.contains("/rating"), "once");
}

#[test]
fn whoever_would_rather_talk_is_called_back_once_from_the_page() {
    let site = Site::new();
    site.calls("1");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    assert!(page.body.contains("Have us call you back"), "{}", page.body);
    for _ in 0..2 {
        let pressed = site.asks("POST", &format!("{link}/callback"), SAFARI, "");
        assert!(pressed.body.contains("We will call you back on the number"), "{}", pressed.body);
        assert!(!pressed.body.contains("Have us call you back"), "it is booked");
    }
    assert_eq!(site.number("SELECT COUNT(*) FROM callback WHERE state = 'booked'"), 1);
    let asked = "SELECT COUNT(*) FROM outcome WHERE kind = 'callback_requested'";
    eventually("the outcome", || (site.number(asked) == 1).then_some(()));
    assert_eq!(site.asks("POST", "/l/AAAAAAAAAAAAAAAAAAAAAA/callback", SAFARI, "").status, 404);
    // What was tried in vain, or was made, is promised to nobody any more: another one is booked.
    for (state, booked) in [("failed", 2), ("canceled", 3)] {
        let over = format!("UPDATE callback SET state = '{state}' WHERE state = 'booked'");
        site.execute(&over);
        let pressed = site.asks("POST", &format!("{link}/callback"), SAFARI, "");
        assert!(pressed.body.contains("We will call you back on the number"), "{}", pressed.body);
        assert_eq!(site.number("SELECT COUNT(*) FROM callback WHERE state = 'booked'"), 1);
        assert_eq!(site.number("SELECT COUNT(*) FROM callback"), booked);
    }
    // Enough is enough: then nothing is promised.
    site.execute("UPDATE callback SET state = 'done'");
    let pressed = site.asks("POST", &format!("{link}/callback"), SAFARI, "");
    assert!(!pressed.body.contains("We will call you back on the number"), "{}", pressed.body);
    assert_eq!(site.number("SELECT COUNT(*) FROM callback WHERE state = 'booked'"), 0);
}
