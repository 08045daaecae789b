//! Answers to session descriptions as they come from carriers and PBXs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, too, fail by panicking")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::{prelude::*, test_runner::FileFailurePersistence};
use sip_stack::{
    offer_answer::{Codec, Direction, LocalMedia, Negotiated, Rejected, answer, conclude, offer},
    sdp::{Media, Session},
};

fn local() -> LocalMedia {
    LocalMedia {
        addr: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)),
        port: 30_000,
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        ptime_ms: 20,
        telephone_event: true,
        direction: Direction::SendRecv,
        session_id: 1,
        version: 1,
        crypto: None,
    }
}

/// An offer with these lines from the first m-line on.
fn offered(media: &str) -> Vec<u8> {
    let text =
        format!("v=0\no=- 7 7 IN IP4 198.51.100.1\ns=call\nc=IN IP4 198.51.100.1\nt=0 0\n{media}");
    text.replace('\n', "\r\n").into_bytes()
}

fn settled(media: &str) -> (String, Negotiated) {
    let (bytes, negotiated) = answer(&offered(media), &local()).unwrap();
    (String::from_utf8(bytes.to_vec()).unwrap(), negotiated)
}

fn refused(media: &str) -> Rejected {
    answer(&offered(media), &local()).unwrap_err()
}

#[test]
fn a_plain_offer_is_answered_line_by_line() {
    let (text, negotiated) = settled(
        "m=audio 4000 RTP/AVP 8 0 101\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\n\
         a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\na=ptime:20\n",
    );
    assert_eq!(
        text,
        "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
         m=audio 30000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
    assert_eq!(negotiated.remote_rtp, Some("198.51.100.1:4000".parse().unwrap()));
    assert_eq!(negotiated.remote_rtcp, Some("198.51.100.1:4001".parse().unwrap()));
    assert_eq!((negotiated.codec, negotiated.send_pt, negotiated.recv_pt), (Codec::Pcma, 8, 8));
    assert_eq!(negotiated.ptime_ms, 20);
    assert!(!negotiated.hold);
}

#[test]
fn static_payload_types_need_no_rtpmap_and_the_offers_order_counts() {
    let (text, negotiated) = settled("m=audio 4000 RTP/AVP 18 0 8\n");
    assert_eq!((negotiated.codec, negotiated.send_pt), (Codec::Pcmu, 0));
    assert_eq!(negotiated.telephone_event, None);
    assert!(text.contains("m=audio 30000 RTP/AVP 0\r\n"), "{text}");
}

#[test]
fn a_dynamic_payload_type_is_known_by_its_rtpmap() {
    let (text, negotiated) =
        settled("m=audio 4000 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\na=rtpmap:97 pcma/8000/1\n");
    assert_eq!((negotiated.codec, negotiated.send_pt, negotiated.recv_pt), (Codec::Pcma, 97, 97));
    assert!(text.contains("a=rtpmap:97 PCMA/8000\r\n"), "{text}");
}

#[test]
fn an_rtpmap_overrides_the_static_assignment() {
    assert_eq!(refused("m=audio 4000 RTP/AVP 0\na=rtpmap:0 PCMU/16000\n"), Rejected::NoCommonCodec);
}

/// Lesson 4: telephone-event offered at several clock rates beside G.711.
#[test]
fn telephone_events_are_answered_at_the_clock_rate_of_the_audio() {
    let (text, negotiated) = settled(
        "m=audio 4000 RTP/AVP 111 9 8 110 109 96\na=rtpmap:111 opus/48000/2\n\
         a=rtpmap:110 telephone-event/48000\na=rtpmap:109 telephone-event/16000\n\
         a=rtpmap:96 telephone-event/8000\n",
    );
    assert!(text.contains("m=audio 30000 RTP/AVP 8 96\r\n"), "{text}");
    assert_eq!(text.matches("telephone-event").count(), 1, "{text}");
    let events = negotiated.telephone_event.unwrap();
    assert_eq!(events.send_pt, 96);
    assert_eq!(events.recv_pts, [(110, 48_000), (109, 16_000), (96, 8_000)]);
}

#[test]
fn telephone_events_at_another_clock_rate_only_are_not_lost() {
    let (text, negotiated) =
        settled("m=audio 4000 RTP/AVP 8 110\na=rtpmap:110 telephone-event/48000\n");
    assert!(text.contains("a=rtpmap:110 telephone-event/48000\r\n"), "{text}");
    assert_eq!(negotiated.telephone_event.unwrap().recv_pts, [(110, 48_000)]);
}

#[test]
fn without_leave_no_telephone_event_is_taken() {
    let local = LocalMedia { telephone_event: false, ..local() };
    let media = "m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n";
    let (bytes, negotiated) = answer(&offered(media), &local).unwrap();
    assert_eq!(negotiated.telephone_event, None);
    assert!(!String::from_utf8_lossy(&bytes).contains("telephone-event"));
}

#[test]
fn other_streams_are_refused_in_their_place() {
    let (text, _) = settled(
        "m=video 5000 RTP/AVP 31 34\nm=audio 4000 RTP/SAVP 8\nm=audio 4002 RTP/AVP 8\n\
         m=image 6000 udptl t38\nm=audio 4004 RTP/AVP 0\nm=application 0 TCP/MSRP *\n",
    );
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=video 0 RTP/AVP 31 34",
            "m=audio 0 RTP/SAVP 8",
            "m=audio 30000 RTP/AVP 8",
            "m=image 0 udptl t38",
            "m=audio 0 RTP/AVP 0",
            "m=application 0 TCP/MSRP *",
        ]
    );
}

/// Lesson 17: each failure has its own code; what cannot be agreed on is 488.
#[test]
fn what_cannot_be_agreed_on_is_refused_with_488() {
    for (media, why) in [
        ("m=audio 4000 RTP/AVP 18 3\n", Rejected::NoCommonCodec),
        ("m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n", Rejected::NoCommonCodec),
        ("m=audio 4000 RTP/SAVP 8\n", Rejected::Transport),
        ("m=audio 4000 UDP/TLS/RTP/SAVPF 8\n", Rejected::Transport),
        ("m=video 4000 RTP/AVP 31\n", Rejected::NoAudio),
        ("m=audio 0 RTP/AVP 8\nm=image 4000 udptl t38\n", Rejected::NoAudio),
        ("m=audio 0 RTP/AVP\n", Rejected::NoAudio),
        ("", Rejected::NoAudio),
        ("m=audio 4000 RTP/AVP 8\nc=IN IP6 2001:db8::1\n", Rejected::Address),
        ("m=audio 4000 RTP/AVP 8\nc=IN IP4 224.2.1.1/127\n", Rejected::Address),
    ] {
        assert_eq!(refused(media), why, "{media}");
        assert_eq!(why.status(), 488);
    }
    assert_eq!(answer(b"not sdp", &local()).unwrap_err().status(), 400);
}

#[test]
fn hold_is_understood_in_all_its_forms() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (attributes, ours, hold) in [
        ("a=sendrecv\n", SendRecv, false),
        ("a=recvonly\n", SendOnly, false),
        ("a=sendonly\n", RecvOnly, true),
        ("a=inactive\n", Inactive, true),
        ("c=IN IP4 0.0.0.0\n", RecvOnly, true),
        ("c=IN IP4 0.0.0.0\na=sendonly\n", RecvOnly, true),
        ("c=IN IP4 0.0.0.0\na=inactive\n", Inactive, true),
    ] {
        let (text, negotiated) = settled(&format!("m=audio 4000 RTP/AVP 8\n{attributes}"));
        assert_eq!((negotiated.direction, negotiated.hold), (ours, hold), "{attributes}");
        assert!(text.ends_with(&format!("a={}\r\n", ours.as_str())), "{text}");
        let sent_to = negotiated.remote_rtp.is_some();
        assert_eq!(sent_to, !attributes.contains("0.0.0.0"), "{attributes}");
    }
}

#[test]
fn a_direction_of_the_session_counts_for_its_media() {
    let text = "v=0\r\no=- 7 7 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\n\
        t=0 0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 8\r\n";
    assert!(answer(text.as_bytes(), &local()).unwrap().1.hold);
}

#[test]
fn ipv6_is_answered_in_ipv6() {
    let local = LocalMedia { addr: "2001:db8::10".parse().unwrap(), ..local() };
    let media = "m=audio 4000 RTP/AVP 8\nc=IN IP6 2001:db8::1\n";
    let (bytes, negotiated) = answer(&offered(media), &local).unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains("o=- 1 1 IN IP6 2001:db8::10\r\n"), "{text}");
    assert!(text.contains("c=IN IP6 2001:db8::10\r\n"), "{text}");
    assert_eq!(negotiated.remote_rtp, Some("[2001:db8::1]:4000".parse().unwrap()));
}

#[test]
fn rtcp_goes_where_it_is_said_and_mux_is_not_taken_up() {
    for (attribute, rtcp) in [
        ("a=rtcp:5005\n", "198.51.100.1:5005"),
        ("a=rtcp:5005 IN IP4 198.51.100.9\n", "198.51.100.9:5005"),
        ("a=rtcp:0\n", "198.51.100.1:4001"),
        ("a=rtcp-mux\n", "198.51.100.1:4001"),
    ] {
        let (text, negotiated) = settled(&format!("m=audio 4000 RTP/AVP 8\n{attribute}"));
        assert_eq!(negotiated.remote_rtcp, Some(rtcp.parse().unwrap()), "{attribute}");
        assert!(!text.contains("rtcp"), "{text}");
    }
}

#[test]
fn a_media_address_by_name_leaves_the_address_to_latching() {
    let (_, negotiated) = settled("m=audio 4000 RTP/AVP 8\nc=IN IP4 media.example.net\n");
    assert_eq!((negotiated.remote_rtp, negotiated.hold), (None, false));
}

#[test]
fn any_packet_time_is_taken_and_ours_is_sent() {
    for ptime in [10, 20, 30, 40, 60] {
        let (text, negotiated) = settled(&format!("m=audio 4000 RTP/AVP 8\na=ptime:{ptime}\n"));
        assert_eq!(negotiated.ptime_ms, 20);
        assert!(text.contains("a=ptime:20\r\n"), "{text}");
    }
    // Only a limit below ours shortens what we send.
    for (limit, sent) in [("10", 10), ("15", 10), ("20", 20), ("60.0", 20), ("0", 20), ("x", 20)] {
        let (_, negotiated) = settled(&format!("m=audio 4000 RTP/AVP 8\na=maxptime:{limit}\n"));
        assert_eq!(negotiated.ptime_ms, sent, "maxptime {limit}");
    }
}

#[test]
fn our_offer_names_everything_we_have() {
    let text = String::from_utf8(offer(&local()).to_vec()).unwrap();
    assert!(text.contains("m=audio 30000 RTP/AVP 8 0 101\r\n"), "{text}");
    for attribute in
        ["rtpmap:8 PCMA/8000", "rtpmap:0 PCMU/8000", "rtpmap:101 telephone-event/8000", "ptime:20"]
    {
        assert!(text.contains(&format!("a={attribute}\r\n")), "{text}");
    }
}

#[test]
fn an_answer_with_other_payload_types_is_asymmetric() {
    let answer = offered(
        "m=audio 4000 RTP/AVP 100 99\na=rtpmap:100 PCMU/8000\na=rtpmap:99 telephone-event/8000\n",
    );
    let negotiated = conclude(&local(), &answer).unwrap();
    assert_eq!((negotiated.codec, negotiated.send_pt, negotiated.recv_pt), (Codec::Pcmu, 100, 0));
    let events = negotiated.telephone_event.unwrap();
    assert_eq!((events.send_pt, events.recv_pts), (99, vec![(101, 8_000), (99, 8_000)]));
}

#[test]
fn an_answer_that_fits_not_is_refused() {
    for (media, why) in [
        ("m=audio 0 RTP/AVP 8\n", Rejected::NoAudio),
        ("m=audio 4000 RTP/AVP 18\n", Rejected::NoCommonCodec),
        ("m=audio 4000 RTP/SAVP 8\n", Rejected::Transport),
        ("m=video 4000 RTP/AVP 8\n", Rejected::NoAudio),
        ("", Rejected::Mismatch),
    ] {
        assert_eq!(conclude(&local(), &offered(media)), Err(why), "{media}");
    }
}

/// One m-line of an offer, with what it says of itself.
#[derive(Debug, Clone)]
struct Stream {
    kind: &'static str,
    port: u16,
    proto: &'static str,
    formats: Vec<(u8, Option<&'static str>)>,
    attributes: String,
}

impl Stream {
    fn text(&self) -> String {
        let mut text = format!("m={} {} {}", self.kind, self.port, self.proto);
        for (pt, _) in &self.formats {
            text += &format!(" {pt}");
        }
        text.push('\n');
        for (pt, map) in &self.formats {
            if let Some(map) = map {
                text += &format!("a=rtpmap:{pt} {map}\n");
            }
        }
        text + &self.attributes
    }
}

fn streams() -> impl Strategy<Value = Vec<Stream>> {
    let encodings = prop::sample::select(vec![
        "PCMU/8000",
        "PCMA/8000",
        "pcma/8000/1",
        "PCMA/16000",
        "opus/48000/2",
        "G722/8000",
        "telephone-event/8000",
        "telephone-event/16000",
        "telephone-event/48000",
        "CN/8000",
    ]);
    let formats = (
        prop::sample::subsequence(vec![0_u8, 3, 8, 9, 13, 18], 0..=6).prop_shuffle(),
        prop::sample::subsequence((96_u8..=127).collect::<Vec<_>>(), 0..=5).prop_shuffle(),
        prop::collection::vec(encodings, 5),
    )
        .prop_map(|(fixed, dynamic, maps)| {
            let fixed = fixed.into_iter().map(|pt| (pt, None));
            let dynamic = dynamic.into_iter().zip(maps).map(|(pt, map)| (pt, Some(map)));
            let mut formats: Vec<_> = fixed.chain(dynamic).collect();
            if formats.is_empty() {
                formats.push((18, None));
            }
            formats
        })
        .prop_flat_map(|formats| Just(formats).prop_shuffle());
    let attributes = (
        prop::sample::select(vec![
            "",
            "a=sendonly\n",
            "a=recvonly\n",
            "a=inactive\n",
            "a=sendrecv\n",
        ]),
        prop::sample::select(vec!["", "c=IN IP4 0.0.0.0\n", "c=IN IP4 203.0.113.5\n"]),
        prop::sample::select(vec![
            "",
            "a=ptime:10\n",
            "a=ptime:60\na=maxptime:60\n",
            "a=rtcp-mux\n",
            "a=rtcp:9\n",
        ]),
    )
        .prop_map(|(direction, connection, other)| format!("{connection}{direction}{other}"));
    let kind = prop::sample::select(vec!["audio", "audio", "audio", "video", "image", "text"]);
    let proto = prop::sample::select(vec!["RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "udptl"]);
    let port = prop::sample::select(vec![0_u16, 1, 4000, 4000, 65535]);
    let stream = (kind, port, proto, formats, attributes).prop_map(
        |(kind, port, proto, formats, attributes)| Stream {
            kind,
            port,
            proto,
            formats,
            attributes,
        },
    );
    prop::collection::vec(stream, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    /// RFC 3264 §6 on any offer. A failure prints its seed and its smallest offer.
    #[test]
    fn every_answer_fits_its_offer(streams in streams()) {
        let body = offered(&streams.iter().map(Stream::text).collect::<String>());
        let offer = Session::parse(&body).unwrap();
        let usable = offer.media().position(usable);
        match answer(&body, &local()) {
            Err(why) => {
                prop_assert_eq!(usable, None);
                prop_assert_eq!(why.status(), 488);
            }
            Ok((bytes, negotiated)) => {
                let ours = Session::parse(&bytes).unwrap();
                check_answer(&offer, &ours, usable, &negotiated)?;
            }
        }
    }

    /// What we answer concludes the peer's offer to the same codec and directions, reversed.
    #[test]
    fn both_sides_come_to_the_same_session(
        codecs in prop::sample::subsequence(vec![Codec::Pcmu, Codec::Pcma], 1..=2).prop_shuffle(),
        telephone_event: bool,
        send: bool,
        recv: bool,
    ) {
        let direction = Direction::from_flags(send, recv);
        let port = 40_000;
        let theirs = LocalMedia { codecs, telephone_event, direction, port, ..local() };
        let (answered, ours) = answer(&offer(&theirs), &local()).unwrap();
        let peer = conclude(&theirs, &answered).unwrap();
        prop_assert_eq!(ours.codec, peer.codec);
        prop_assert_eq!((ours.send_pt, ours.recv_pt), (peer.recv_pt, peer.send_pt));
        prop_assert_eq!(ours.direction, peer.direction.reversed());
        prop_assert_eq!(ours.telephone_event, peer.telephone_event);
        prop_assert_eq!(peer.remote_rtp, Some(SocketAddr::new(local().addr, 30_000)));
        prop_assert_eq!(ours.remote_rtp, Some(SocketAddr::new(local().addr, port)));
    }
}

/// An independent reading of which lines can be taken.
fn usable(media: Media<'_>) -> bool {
    let plain = ["RTP/AVP", "RTP/AVPF"].contains(&media.proto());
    let g711 = media.payload_types().any(|pt| {
        media.rtpmap(pt).is_some_and(|map| map.is("PCMU", 8_000) || map.is("PCMA", 8_000))
    });
    media.kind() == "audio" && media.port() != 0 && plain && g711
}

fn check_answer(
    offer: &Session,
    ours: &Session,
    usable: Option<usize>,
    negotiated: &Negotiated,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(ours.media().count(), offer.media().count());
    for (index, (asked, given)) in offer.media().zip(ours.media()).enumerate() {
        prop_assert_eq!(given.kind(), asked.kind());
        prop_assert_eq!(given.proto(), asked.proto());
        if Some(index) != usable {
            prop_assert_eq!(given.port(), 0);
            continue;
        }
        prop_assert_eq!(given.port(), 30_000);
        // Every number means the same in both, and was offered.
        for pt in given.payload_types() {
            prop_assert!(asked.payload_types().any(|offered| offered == pt));
            let (a, b) = (given.rtpmap(pt).unwrap(), asked.rtpmap(pt).unwrap());
            prop_assert!(a.name.eq_ignore_ascii_case(b.name) && a.clock_hz == b.clock_hz);
        }
        let codecs = given
            .payload_types()
            .filter(|&pt| given.rtpmap(pt).is_some_and(|map| map.name != "telephone-event"));
        prop_assert_eq!(codecs.collect::<Vec<_>>(), vec![negotiated.recv_pt]);
        // One telephone-event at the audio's clock rate when it was offered.
        let events = |media: Media<'_>| -> Vec<u32> {
            let maps = media.payload_types().filter_map(move |pt| media.rtpmap(pt));
            maps.filter(|map| map.name == "telephone-event").map(|map| map.clock_hz).collect()
        };
        let asked_events = events(asked);
        let expected =
            if asked_events.contains(&8_000) { Some(8_000) } else { asked_events.first().copied() };
        prop_assert_eq!(events(given), expected.into_iter().collect::<Vec<_>>());
        let flow = asked.direction().reversed();
        prop_assert!(flow.sends() || !given.direction().sends());
        prop_assert!(flow.receives() || !given.direction().receives());
        prop_assert_eq!(given.direction(), negotiated.direction);
        prop_assert!(negotiated.ptime_ms == 20);
    }
    Ok(())
}
