//! SMPP 3.4 on the wire. Pure: bytes in, bytes out.

/// A message as it stands in a stream: header and body (SMPP 3.4 §3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// Pairs an answer with its question.
    pub sequence: u32,
    /// What is said.
    pub body: Body,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// We want to send and to receive.
    BindTransceiver(Bind),
    /// Whether we may.
    BindTransceiverResp(u32),
    /// A text, or a part of one, to a phone.
    SubmitSm(Short),
    /// Status, and the centre's id of it.
    SubmitSmResp(u32, String),
    /// A text from a phone, or a receipt.
    DeliverSm(Short),
    /// Status.
    DeliverSmResp(u32),
    /// Are you there?
    EnquireLink,
    /// Yes.
    EnquireLinkResp,
    /// Goodbye.
    Unbind,
    /// Goodbye.
    UnbindResp,
    /// Something was not understood.
    GenericNack(u32),
    /// A command that we have no use for.
    Other(u32),
    /// A command whose body ends too early: where the next one begins is known all the same.
    Broken(u32),
}

/// Credentials (§4.1.5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bind {
    /// Name of the account.
    pub system_id: String,
    /// Its password.
    pub password: String,
    /// What we are, where the centre wants to know.
    pub system_type: String,
}

/// A number or name with its type (§5.2.5, §5.2.6).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
    /// Itself.
    pub text: String,
}

/// The body of `submit_sm` and `deliver_sm` (§4.4.1, §4.6.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Short {
    /// Where it comes from.
    pub source: Address,
    /// Where it goes.
    pub destination: Address,
    /// Kind of message, and whether a header precedes the text (§5.2.12).
    pub esm_class: u8,
    /// After this it is worth nothing (§7.1.1); empty: the centre's default.
    pub validity_period: String,
    /// Whether a receipt is wanted (§5.2.17).
    pub registered_delivery: u8,
    /// How the text is encoded (§5.2.19).
    pub data_coding: u8,
    /// The text, at most 254 octets.
    pub short_message: Vec<u8>,
    /// Optional parameters, by tag, in order.
    pub tlvs: Vec<(u16, Vec<u8>)>,
}

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PduError {
    /// A length below that of the header, or beyond all measure.
    #[error("a message of {0} octets")]
    Length(u32),
    /// The body ends in the middle of a field, or a text never ends.
    #[error("a message that ends too early")]
    Short,
}

/// `sar_msg_ref_num`.
pub const TLV_SAR_REFERENCE: u16 = 0x020c;
/// `sar_total_segments`.
pub const TLV_SAR_COUNT: u16 = 0x020e;
/// `sar_segment_seqnum`.
pub const TLV_SAR_NUMBER: u16 = 0x020f;
/// `receipted_message_id`.
pub const TLV_RECEIPTED_ID: u16 = 0x001e;
/// `message_payload`.
pub const TLV_PAYLOAD: u16 = 0x0424;
/// `message_state`.
pub const TLV_STATE: u16 = 0x0427;

const HEADER: usize = 16;
/// Longest message that is read, in octets.
const LONGEST: u32 = 64 * 1024;
const ANSWER: u32 = 0x8000_0000;

const GENERIC_NACK: u32 = 0x8000_0000;
const SUBMIT_SM: u32 = 0x04;
/// A text from a phone, or a receipt.
pub(super) const DELIVER_SM: u32 = 0x05;
const UNBIND: u32 = 0x06;
const BIND_TRANSCEIVER: u32 = 0x09;
const ENQUIRE_LINK: u32 = 0x15;

/// Takes the first message off a stream; `None` when it is not whole yet. One that ends too early is
/// [`Body::Broken`].
///
/// # Errors
/// What stands there has no length of a message; the stream is lost.
pub fn take(stream: &mut Vec<u8>) -> Result<Option<Pdu>, PduError> {
    let Some(length) = stream.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)) else {
        return Ok(None);
    };
    if length < HEADER as u32 || length > LONGEST {
        return Err(PduError::Length(length));
    }
    let length = length as usize;
    if stream.len() < length {
        return Ok(None);
    }
    let bytes = &stream[..length];
    let pdu = Pdu::decode(bytes).or_else(|error| match bytes {
        [_, _, _, _, a, b, c, d, _, _, _, _, e, f, g, h, ..] => Ok(Pdu {
            sequence: u32::from_be_bytes([*e, *f, *g, *h]),
            body: Body::Broken(u32::from_be_bytes([*a, *b, *c, *d])),
        }),
        _ => Err(error),
    });
    stream.drain(..length);
    pdu.map(Some)
}

impl Pdu {
    /// Reads a whole message.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, PduError> {
        let mut reader = Reader(bytes);
        let length = reader.u32()?;
        if length as usize != bytes.len() {
            return Err(PduError::Length(length));
        }
        let (command, status, sequence) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let body = match command {
            GENERIC_NACK => Body::GenericNack(status),
            BIND_TRANSCEIVER => Body::BindTransceiver(Bind::read(&mut reader)?),
            SUBMIT_SM => Body::SubmitSm(Short::read(&mut reader)?),
            DELIVER_SM => Body::DeliverSm(Short::read(&mut reader)?),
            UNBIND => Body::Unbind,
            ENQUIRE_LINK => Body::EnquireLink,
            answer if answer & ANSWER != 0 => match answer ^ ANSWER {
                BIND_TRANSCEIVER => Body::BindTransceiverResp(status),
                // A refusal may leave its body out.
                SUBMIT_SM => Body::SubmitSmResp(status, reader.text().unwrap_or_default()),
                DELIVER_SM => Body::DeliverSmResp(status),
                UNBIND => Body::UnbindResp,
                ENQUIRE_LINK => Body::EnquireLinkResp,
                _ => Body::Other(answer),
            },
            other => Body::Other(other),
        };
        Ok(Self { sequence, body })
    }

    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (command, status) = match &self.body {
            Body::BindTransceiver(_) => (BIND_TRANSCEIVER, 0),
            Body::BindTransceiverResp(status) => (BIND_TRANSCEIVER | ANSWER, *status),
            Body::SubmitSm(_) => (SUBMIT_SM, 0),
            Body::SubmitSmResp(status, _) => (SUBMIT_SM | ANSWER, *status),
            Body::DeliverSm(_) => (DELIVER_SM, 0),
            Body::DeliverSmResp(status) => (DELIVER_SM | ANSWER, *status),
            Body::EnquireLink => (ENQUIRE_LINK, 0),
            Body::EnquireLinkResp => (ENQUIRE_LINK | ANSWER, 0),
            Body::Unbind => (UNBIND, 0),
            Body::UnbindResp => (UNBIND | ANSWER, 0),
            Body::GenericNack(status) => (GENERIC_NACK, *status),
            Body::Other(command) | Body::Broken(command) => (*command, 0),
        };
        let mut bytes = vec![0; 4];
        for word in [command, status, self.sequence] {
            bytes.extend(word.to_be_bytes());
        }
        match &self.body {
            Body::BindTransceiver(bind) => bind.write(&mut bytes),
            // The name of the centre.
            Body::BindTransceiverResp(0) | Body::DeliverSmResp(_) => bytes.push(0),
            Body::SubmitSmResp(_, id) => put(&mut bytes, id),
            Body::SubmitSm(short) | Body::DeliverSm(short) => short.write(&mut bytes),
            Body::BindTransceiverResp(_)
            | Body::EnquireLink
            | Body::EnquireLinkResp
            | Body::Unbind
            | Body::UnbindResp
            | Body::GenericNack(_)
            | Body::Other(_)
            | Body::Broken(_) => {}
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }
}

impl Bind {
    fn read(reader: &mut Reader<'_>) -> Result<Self, PduError> {
        let (system_id, password) = (reader.text()?, reader.text()?);
        let system_type = reader.text()?;
        // Version, type, plan and range of addresses say nothing that we use.
        reader.take(3)?;
        reader.text()?;
        Ok(Self { system_id, password, system_type })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        for text in [&self.system_id, &self.password, &self.system_type] {
            put(bytes, text);
        }
        // Version 3.4; any address.
        bytes.extend([0x34, 0, 0, 0]);
    }
}

impl Short {
    /// An optional parameter.
    #[must_use]
    pub fn tlv(&self, tag: u16) -> Option<&[u8]> {
        self.tlvs.iter().find(|(known, _)| *known == tag).map(|(_, value)| value.as_slice())
    }

    /// The octets of the text, wherever they stand.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        if self.short_message.is_empty() {
            self.tlv(TLV_PAYLOAD).unwrap_or_default()
        } else {
            &self.short_message
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PduError> {
        reader.text()?; // service_type
        let (source, destination) = (Address::read(reader)?, Address::read(reader)?);
        let [esm_class, _protocol, _priority] = reader.array()?;
        reader.text()?; // schedule_delivery_time
        let validity_period = reader.text()?;
        let [registered_delivery, _replace, data_coding, _default, length] = reader.array()?;
        let short_message = reader.take(usize::from(length))?.to_vec();
        let mut tlvs = Vec::new();
        while !reader.0.is_empty() {
            let (tag, length) = (reader.u16()?, reader.u16()?);
            tlvs.push((tag, reader.take(usize::from(length))?.to_vec()));
        }
        Ok(Self {
            source,
            destination,
            esm_class,
            validity_period,
            registered_delivery,
            data_coding,
            short_message,
            tlvs,
        })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(0); // service_type
        self.source.write(bytes);
        self.destination.write(bytes);
        bytes.extend([self.esm_class, 0, 0, 0]); // and protocol, priority, schedule
        put(bytes, &self.validity_period);
        bytes.extend([self.registered_delivery, 0, self.data_coding, 0]);
        let text = &self.short_message[..self.short_message.len().min(255)];
        bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        bytes.extend(text);
        for (tag, value) in &self.tlvs {
            let value = &value[..value.len().min(usize::from(u16::MAX))];
            bytes.extend(tag.to_be_bytes());
            bytes.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend(value);
        }
    }
}

impl Address {
    fn read(reader: &mut Reader<'_>) -> Result<Self, PduError> {
        let [ton, npi] = reader.array()?;
        Ok(Self { ton, npi, text: reader.text()? })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend([self.ton, self.npi]);
        put(bytes, &self.text);
    }
}

/// A text with the zero at its end.
fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).filter(|b| *b != 0));
    bytes.push(0);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], PduError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(PduError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PduError> {
        self.take(N)?.try_into().map_err(|_| PduError::Short)
    }

    fn u16(&mut self) -> Result<u16, PduError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, PduError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A text up to its zero, read as Latin-1.
    fn text(&mut self) -> Result<String, PduError> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(PduError::Short)?;
        let text = self.take(end)?.iter().map(|byte| char::from(*byte)).collect();
        self.take(1)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_has_the_octets_of_the_standard() {
        let bind = Bind {
            system_id: "SMPP3TEST".to_owned(),
            password: "secret08".to_owned(),
            system_type: "SUBMIT1".to_owned(),
        };
        let pdu = Pdu { sequence: 1, body: Body::BindTransceiver(bind) };
        // The example of SMPP 3.4 §3.2.3, as a transceiver of version 3.4 for any number.
        let expected = "0000002f000000090000000000000001534d50503354455354007365637265743038\
                        005355424d4954310034000000";
        let written = pdu.encode();
        assert_eq!(hex::encode(&written), expected);
        assert_eq!(Pdu::decode(&written), Ok(pdu));
    }

    #[test]
    fn a_stream_is_cut_into_its_messages() {
        let one = Pdu { sequence: 1, body: Body::EnquireLink };
        let two = Pdu { sequence: 2, body: Body::SubmitSmResp(0, "7f".to_owned()) };
        let whole = [one.encode(), two.encode()].concat();
        let mut stream = Vec::new();
        let mut taken = Vec::new();
        for byte in whole {
            stream.push(byte);
            taken.extend(take(&mut stream).unwrap());
        }
        assert_eq!(taken, [one, two]);
        assert_eq!(take(&mut vec![0, 0, 0, 15, 0]), Err(PduError::Length(15)));
        assert_eq!(take(&mut vec![0xff; 4]), Err(PduError::Length(u32::MAX)));
    }

    #[test]
    fn the_message_after_one_that_ends_too_early_is_taken() {
        let mut broken = Pdu { sequence: 7, body: Body::DeliverSm(Short::default()) }.encode();
        broken.truncate(20);
        broken[..4].copy_from_slice(&20_u32.to_be_bytes());
        let next = Pdu { sequence: 8, body: Body::EnquireLink };
        let mut stream = [broken, next.encode()].concat();
        let told = Pdu { sequence: 7, body: Body::Broken(DELIVER_SM) };
        assert_eq!(take(&mut stream), Ok(Some(told)));
        assert_eq!(take(&mut stream), Ok(Some(next)));
    }

    #[test]
    fn a_message_that_ends_too_early_is_refused() {
        let short = Short { short_message: b"hello".to_vec(), ..Short::default() };
        let mut bytes = Pdu { sequence: 1, body: Body::SubmitSm(short) }.encode();
        for length in (16..bytes.len()).rev() {
            bytes.truncate(length);
            let written = u32::try_from(length).unwrap().to_be_bytes();
            bytes[..4].copy_from_slice(&written);
            assert_eq!(Pdu::decode(&bytes), Err(PduError::Short), "{length}");
        }
    }
}
