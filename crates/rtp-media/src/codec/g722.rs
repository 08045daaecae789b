//! G.722: 7 kHz audio in two sub-bands at 64 kbit/s (ITU-T G.722, mode 1).
//!
//! A byte stands for two samples at 16 kHz, so for one tick of the clock of 8 kHz that RTP gives it
//! (RFC 3551 §4.5.2). The lower sub-band alone is the audio at 8 kHz: legs with G.711 are joined
//! to wideband ones by it, without the filters. Names in brackets are the blocks of the
//! Recommendation.

/// Filter of the sub-bands, one half of it (table 11), doubled by the Recommendation's scale.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// Decision levels of the lower sub-band's quantizer (table 14).
const LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023,
    1_121, 1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// Outputs of the inverse quantizers of 6, 4 and 2 bits, by codeword (tables 17, 18, 19).
const INVERSE_6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192,
    -10_232, -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008,
    -3_576, -3_168, -2_776, -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008,
    16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000,
    5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432,
    136, -432, -136,
];
const INVERSE_4: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288,
    4_240, 2_584, 1_200, 0,
];
const INVERSE_2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
/// Steps of the logarithm of the scale factor, by codeword (tables 20, 21).
const STEPS_4: [i32; 16] =
    [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];
const STEPS_2: [i32; 4] = [798, -214, 798, -214];
/// The antilogarithm of the scale factor (table 22).
const ANTILOG: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656,
    2_714, 2_774, 2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520,
    3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];

/// The codeword of the higher sub-band of a signal that has none.
const NO_HIGH_BAND: u8 = 0b1100_0000;
/// A byte that decodes to almost nothing, as often as it comes: a difference of nothing, by which
/// what the predictor still makes of the sound before it dies away.
pub const SILENCE: u8 = NO_HIGH_BAND | 61;

/// Encodes one stream.
#[derive(Debug, Clone)]
pub struct Encoder {
    filter: [i32; 24],
    low: Band,
    high: Band,
}

/// Decodes one stream.
#[derive(Debug, Clone)]
pub struct Decoder {
    filter: [i32; 24],
    low: Band,
    high: Band,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { filter: [0; 24], low: Band::new(32), high: Band::new(8) }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { filter: [0; 24], low: Band::new(32), high: Band::new(8) }
    }
}

impl Encoder {
    /// The byte of the next two samples at 16 kHz.
    pub fn encode(&mut self, pair: [i16; 2]) -> u8 {
        let [first, second] = split(&mut self.filter, pair);
        let (low, high) = ((second + first) >> 14, (second - first) >> 14);
        let low = self.low_band(low);
        let difference = saturate(high - self.high.estimate);
        let level = (564 * self.high.scale) >> 12;
        let outer = magnitude(difference) >= level;
        let code = match (difference < 0, outer) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        self.high.adapt_high(code);
        (code as u8) << 6 | low
    }

    /// The byte of the next sample at 8 kHz, whose audio ends at 4 kHz.
    pub fn encode_narrow(&mut self, sample: i16) -> u8 {
        NO_HIGH_BAND | self.low_band(i32::from(sample) >> 1)
    }

    fn low_band(&mut self, sample: i32) -> u8 {
        // [QUANTL]
        let difference = saturate(sample - self.low.estimate);
        let size = magnitude(difference);
        let above = |level: &&i32| size >= (**level * self.low.scale) >> 12;
        let interval = 1 + LEVELS.iter().take_while(above).count();
        let code = match (difference < 0, interval) {
            (true, 1) => 63,
            (true, 2) => 62,
            (true, n) => 34 - n,
            (false, n) => 62 - n,
        };
        self.low.adapt_low(code >> 2);
        code as u8
    }
}

impl Decoder {
    /// The two samples at 16 kHz of the next byte.
    pub fn decode(&mut self, byte: u8) -> [i16; 2] {
        let low = self.low_band(byte);
        let code = usize::from(byte >> 6);
        let high = limit(self.high.estimate + self.high.adapt_high(code));
        join(&mut self.filter, low + high, low - high)
    }

    /// The sample at 8 kHz of the next byte: what its lower sub-band holds.
    pub fn decode_narrow(&mut self, byte: u8) -> i16 {
        saturate(self.low_band(byte) << 1) as i16
    }

    fn low_band(&mut self, byte: u8) -> i32 {
        let code = usize::from(byte & 0x3F);
        let fine = (self.low.scale * INVERSE_6[code]) >> 15;
        let sample = limit(self.low.estimate + fine);
        self.low.adapt_low(code >> 2);
        sample
    }
}

/// The adaptive quantizer and predictor of a sub-band.
#[derive(Debug, Clone)]
struct Band {
    /// What the next sample will be [PREDIC], and the part of it that the zeros give.
    estimate: i32,
    zeros_estimate: i32,
    /// The scale factor, and its logarithm.
    scale: i32,
    log_scale: i32,
    /// Coefficients of two poles and six zeros.
    poles: [i32; 2],
    zeros: [i32; 6],
    /// The last quantized differences, reconstructed samples, and partial reconstructions.
    differences: [i32; 6],
    rebuilt: [i32; 2],
    partial: [i32; 2],
}

impl Band {
    fn new(scale: i32) -> Self {
        Self {
            estimate: 0,
            zeros_estimate: 0,
            scale,
            log_scale: 0,
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            rebuilt: [0; 2],
            partial: [0; 2],
        }
    }

    /// Goes on by the four leading bits of a codeword of the lower sub-band.
    fn adapt_low(&mut self, code: usize) {
        let difference = (self.scale * INVERSE_4[code]) >> 15;
        self.rescale(STEPS_4[code], 18_432, 8);
        self.predict(difference);
    }

    /// The same of the higher one; returns the quantized difference.
    fn adapt_high(&mut self, code: usize) -> i32 {
        let difference = (self.scale * INVERSE_2[code]) >> 15;
        self.rescale(STEPS_2[code], 22_528, 10);
        self.predict(difference);
        difference
    }

    /// [LOGSCL], [LOGSCH], [SCALEL], [SCALEH].
    fn rescale(&mut self, step: i32, most: i32, octaves: i32) {
        self.log_scale = (((self.log_scale * 127) >> 7) + step).clamp(0, most);
        let mantissa = ANTILOG[(self.log_scale >> 6 & 31) as usize];
        let shift = octaves - (self.log_scale >> 11);
        let scale = if shift < 0 { mantissa << -shift } else { mantissa >> shift };
        self.scale = scale << 2;
    }

    /// Takes the sample's quantized difference, and estimates the next one.
    fn predict(&mut self, difference: i32) {
        // [RECONS], [PARREC]
        let rebuilt = saturate(self.estimate + difference);
        let partial = saturate(self.zeros_estimate + difference);
        let poles = self.next_poles(partial);
        // [UPZERO]
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, past) in self.zeros.iter_mut().zip(self.differences) {
            let towards = if (past < 0) == (difference < 0) { step } else { -step };
            *zero = saturate(towards + ((*zero * 32_640) >> 15));
        }
        // [DELAYA], [DELAYL]
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.rebuilt = [rebuilt, self.rebuilt[0]];
        self.partial = [partial, self.partial[0]];
        self.poles = poles;
        // [FILTEP], [FILTEZ]
        let weigh = |(weight, value): (i32, i32)| (weight * saturate(2 * value)) >> 15;
        let by_poles: i32 = self.poles.into_iter().zip(self.rebuilt).map(weigh).sum();
        let by_zeros: i32 = self.zeros.into_iter().zip(self.differences).map(weigh).sum();
        self.zeros_estimate = saturate(by_zeros);
        self.estimate = saturate(saturate(by_poles) + self.zeros_estimate);
    }

    /// [UPPOL2], [UPPOL1].
    fn next_poles(&self, partial: i32) -> [i32; 2] {
        let same = |past: i32| (past < 0) == (partial < 0);
        let [first, second] = self.poles;
        let four = saturate(first << 2);
        let towards = (if same(self.partial[0]) { -four } else { four }).min(32_767) >> 7;
        let leak = if same(self.partial[1]) { 128 } else { -128 };
        let second = (leak + towards + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);
        let step = if same(self.partial[0]) { 192 } else { -192 };
        let most = saturate(15_360 - second);
        let first = saturate(step + ((first * 32_640) >> 15)).clamp(-most, most);
        [first, second]
    }
}

/// Takes two samples into the filter; returns the sums of its halves.
fn split(filter: &mut [i32; 24], pair: [i16; 2]) -> [i32; 2] {
    filter.copy_within(2.., 0);
    [filter[22], filter[23]] = pair.map(i32::from);
    let (mut even, mut odd) = (0, 0);
    for (n, two) in filter.chunks_exact(2).enumerate() {
        even += two[0] * QMF[n];
        odd += two[1] * QMF[11 - n];
    }
    [even, odd]
}

/// The same on the way back.
fn join(filter: &mut [i32; 24], sum: i32, difference: i32) -> [i16; 2] {
    filter.copy_within(2.., 0);
    [filter[22], filter[23]] = [sum, difference];
    let (mut first, mut second) = (0, 0);
    for (n, two) in filter.chunks_exact(2).enumerate() {
        first += two[1] * QMF[11 - n];
        second += two[0] * QMF[n];
    }
    [saturate(first >> 11) as i16, saturate(second >> 11) as i16]
}

fn saturate(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

/// [LIMIT]: 15 bits.
fn limit(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

/// The size of a difference; the negative half is mirrored about -1/2.
fn magnitude(difference: i32) -> i32 {
    if difference < 0 { -difference - 1 } else { difference }
}
