//! Session descriptions (RFC 8866), read leniently; syntax by the crate `sdp-types`.

mod direction;
mod media;
mod mend;

use bytes::Bytes;

pub use self::{
    direction::Direction,
    media::{Connection, Media, RtpMap},
};

/// The media type of a session description in a Content-Type header.
pub const CONTENT_TYPE: &str = "application/sdp";

/// A body that is no session description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no session description: {0}")]
pub struct SdpError(String);

/// A session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session(sdp_types::Session);

impl Session {
    /// Reads a description. Text that is not UTF-8 is taken lossily; lines that negotiation has
    /// no use for cannot make it fail, and an m-line without formats is mended.
    pub fn parse(body: &[u8]) -> Result<Self, SdpError> {
        if let Ok(session) = sdp_types::Session::parse(body) {
            return Ok(Self(session));
        }
        let mended = mend::mend(&String::from_utf8_lossy(body));
        let session = sdp_types::Session::parse(mended.as_bytes());
        session.map(Self).map_err(|error| SdpError(error.to_string()))
    }

    /// Returns the description as text.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(512);
        // Writing to memory does not fail; half a description would be refused by its reader.
        let _ = self.0.write(&mut out);
        out.into()
    }

    /// Returns the media descriptions in their order.
    pub fn media(&self) -> impl Iterator<Item = Media<'_>> {
        self.0.medias.iter().map(|line| Media::new(&self.0, line))
    }

    /// Returns id and version of the origin line; two descriptions of a dialog with the same
    /// pair are the same (RFC 3264 §8).
    pub fn origin(&self) -> (&str, u64) {
        (&self.0.origin.sess_id, self.0.origin.sess_version)
    }

    /// Returns start and stop of the first time line, which an answer repeats (RFC 3264 §6).
    pub fn time(&self) -> (u64, u64) {
        self.0.times.first().map_or((0, 0), |time| (time.start_time, time.stop_time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_m_line_without_formats_is_mended() {
        let body = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 0 RTP/AVP\r\n";
        let session = Session::parse(body).unwrap();
        assert_eq!(session.media().next().unwrap().port(), 0);
    }

    #[test]
    fn odd_lines_do_not_make_it_fail() {
        let body = b"v=0\no=caf\xe9 x y\ns=\nb=AS:64.5\nz=now\nt=tomorrow\nc=IN IP4 192.0.2.1\n\
            m=audio 4000 RTP/AVP 8 101\nk=junk\na=rtpmap:101 telephone-event/8000\nnonsense\n";
        let session = Session::parse(body).unwrap();
        let audio = session.media().next().unwrap();
        assert_eq!(audio.port(), 4000);
        assert_eq!(audio.connection(), Connection::Address([192, 0, 2, 1].into()));
        assert_eq!(audio.rtpmap(101).unwrap().clock_hz, 8000);
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for body in [&b""[..], b"\r\n", b"hello", b"{\"sdp\": 1}", b"m=audio 1 RTP/AVP 0"] {
            assert!(Session::parse(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_description_is_written_back() {
        let body = "v=0\r\no=- 7 8 IN IP4 192.0.2.1\r\ns=-\r\nt=1 2\r\nm=audio 9 RTP/AVP 0\r\n";
        let session = Session::parse(body.as_bytes()).unwrap();
        assert_eq!((session.origin(), session.time()), (("7", 8), (1, 2)));
        assert_eq!(session.to_bytes(), body);
    }
}
