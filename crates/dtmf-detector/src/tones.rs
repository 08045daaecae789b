//! The tones of ITU-T Q.23 in the audio: hops of 5 ms, and two sinusoids fitted to six of them.

use std::f32::consts::PI;

/// Samples of a hop: 5 ms at 8 kHz.
pub const HOP: usize = 40;

/// Hops of the window to which the tones are fitted: 30 ms.
pub const WINDOW: usize = 6;

/// Frequencies of the rows, then of the columns, in Hz.
pub const HZ: [f32; TONES] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];

const TONES: usize = 8;
const RATE_HZ: f32 = 8000.0;
/// Samples of half a window.
const HALF: f32 = (HOP * WINDOW / 2) as f32;

/// Correlation of each sample of a hop with the tones: eight cosines, eight negative sines.
static WAVES: [[f32; 2 * TONES]; HOP] = waves();
/// The turn of each tone over the hops of a window, to join them in phase.
static TURNS: [[f32; 2 * TONES]; WINDOW] = turns();

/// A high-pass filter that keeps hum, dial tones (up to 445 Hz) and DC off the tones: elliptic,
/// fourth order, 0.3 dB ripple above 660 Hz, 33 dB down below 450 Hz.
#[derive(Debug, Clone, Default)]
pub struct HighPass {
    first: [f32; 2],
    second: [f32; 2],
}

impl HighPass {
    /// Filters one hop; silence leaves the filter at rest.
    pub fn filter(&mut self, hop: &[i16; HOP], filtered: &mut [f32; HOP]) {
        for (y, &x) in filtered.iter_mut().zip(hop) {
            let x = biquad(&mut self.first, f32::from(x), FIRST);
            *y = biquad(&mut self.second, x, SECOND);
        }
    }
}

/// Coefficients b0, b1, b2, a1, a2.
const FIRST: [f32; 5] = [0.550_187_5, -1.086_990_3, 0.550_187_5, -1.093_153_4, 0.393_718_1];
const SECOND: [f32; 5] = [1.0, -1.887_679_8, 1.0, -1.658_105_9, 0.881_528_8];

/// Transposed direct form II.
fn biquad([s1, s2]: &mut [f32; 2], x: f32, [b0, b1, b2, a1, a2]: [f32; 5]) -> f32 {
    let y = b0 * x + *s1;
    *s1 = b1 * x - a1 * y + *s2;
    *s2 = b2 * x - a2 * y;
    y
}

/// What is kept of 5 ms of filtered audio.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hop {
    /// Correlation with each tone: real parts, then imaginary parts.
    waves: [f32; 2 * TONES],
    /// Sum of the squares of the samples.
    pub energy: f32,
}

impl Hop {
    /// Measures a hop. One multiplication per sample and tone part; no branch on the signal.
    pub fn measure(filtered: &[f32; HOP]) -> Self {
        let mut hop = Self::default();
        for (&x, row) in filtered.iter().zip(&WAVES) {
            hop.energy += x * x;
            for (sum, wave) in hop.waves.iter_mut().zip(row) {
                *sum += x * wave;
            }
        }
        hop
    }

    /// The energy of a row and a column tone in this hop, as if each stood alone.
    pub fn energy_of(&self, (row, column): (usize, usize)) -> f32 {
        let power = |t: usize| self.waves[t].powi(2) + self.waves[t + TONES].powi(2);
        (power(row) + power(column + 4)) * 2.0 / HOP as f32
    }
}

/// A complex number, as little of one as is needed.
#[derive(Debug, Clone, Copy, Default)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    fn turn(angle: f32) -> Self {
        let (im, re) = angle.sin_cos();
        Self { re, im }
    }
    fn times(self, o: Self) -> Self {
        Self { re: self.re * o.re - self.im * o.im, im: self.re * o.im + self.im * o.re }
    }
    fn conj(self) -> Self {
        Self { re: self.re, im: -self.im }
    }
    fn scaled(self, by: f32) -> Self {
        Self { re: self.re * by, im: self.im * by }
    }
    fn plus(self, o: Self) -> Self {
        Self { re: self.re + o.re, im: self.im + o.im }
    }
    fn minus(self, o: Self) -> Self {
        self.plus(o.scaled(-1.0))
    }
    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }
}

/// The two halves of a window, correlated with every tone.
#[derive(Debug, Clone, Copy)]
pub struct Spectrum {
    halves: [[Complex; 2]; TONES],
    /// Sum of the squares of the window's samples.
    pub energy: f32,
    /// The strongest row, 0–3.
    pub row: usize,
    /// The strongest column, 0–3.
    pub column: usize,
    /// Share of the energy on that row and column; a tone 2 % off shows half of it only.
    pub share: f32,
}

impl Spectrum {
    /// Joins the hops of a window, the oldest first.
    pub fn of<'a>(hops: impl Iterator<Item = &'a Hop>) -> Self {
        let mut sums = [[0.0f32; 2 * TONES]; 2];
        let mut energy = 0.0;
        for (i, (hop, turn)) in hops.zip(&TURNS).enumerate() {
            energy += hop.energy;
            let sum = &mut sums[i / (WINDOW / 2)];
            for t in 0..TONES {
                let (re, im) = (hop.waves[t], hop.waves[t + TONES]);
                let (c, s) = (turn[t], turn[t + TONES]);
                sum[t] += re * c - im * s;
                sum[t + TONES] += re * s + im * c;
            }
        }
        let halves: [[Complex; 2]; TONES] = std::array::from_fn(|t| {
            std::array::from_fn(|h| Complex { re: sums[h][t], im: sums[h][t + TONES] })
        });
        let power = halves.map(|[a, b]| a.power() + b.power());
        let row = strongest(&power[..4]);
        let column = strongest(&power[4..]);
        let share = (power[row] + power[column + 4]) * 2.0 / (HALF * energy.max(1.0));
        Self { halves, energy, row, column, share }
    }

    /// Nominal frequency of the row.
    pub fn row_hz(&self) -> f32 {
        HZ[self.row]
    }

    /// Nominal frequency of the column.
    pub fn column_hz(&self) -> f32 {
        HZ[self.column + 4]
    }

    /// Fits a sinusoid near the strongest row and one near the strongest column, each free in
    /// amplitude, phase and frequency. A dozen sines and cosines; only worth it on a high `share`.
    pub fn fit(&self) -> Fit {
        let (r, c) = (self.row, self.column + 4);
        let (hz_r, hz_c) = (HZ[r], HZ[c]);
        let mut row = Tone::estimate(hz_r, self.halves[r]);
        let mut column = Tone::estimate(hz_c, self.halves[c]);
        // Over 15 ms a tone shows on the other's frequency too; take that away, stronger one first.
        for _ in 0..2 {
            if row.power() > column.power() {
                column = Tone::estimate(hz_c, row.without(hz_c, self.halves[c]));
                row = Tone::estimate(hz_r, column.without(hz_r, self.halves[r]));
            } else {
                row = Tone::estimate(hz_r, column.without(hz_r, self.halves[r]));
                column = Tone::estimate(hz_c, row.without(hz_c, self.halves[c]));
            }
        }
        let of_energy = 4.0 * HALF / self.energy.max(1.0);
        Fit {
            purity: (row.power() + column.power()) * of_energy,
            row_amplitude: 2.0 * row.power().sqrt(),
            column_amplitude: 2.0 * column.power().sqrt(),
            row_offset_hz: row.offset_hz,
            column_offset_hz: column.offset_hz,
        }
    }
}

/// Two sinusoids that explain a window.
#[derive(Debug, Clone, Copy)]
pub struct Fit {
    /// Share of the window's energy that they explain, about 1 for a clean key.
    pub purity: f32,
    /// Peak amplitude of the row tone.
    pub row_amplitude: f32,
    /// Peak amplitude of the column tone.
    pub column_amplitude: f32,
    /// How far the row tone is off, in Hz.
    pub row_offset_hz: f32,
    /// How far the column tone is off, in Hz.
    pub column_offset_hz: f32,
}

/// One sinusoid: `amplitude` is half its peak, with its phase at the first sample.
#[derive(Debug, Clone, Copy)]
struct Tone {
    hz: f32,
    offset_hz: f32,
    amplitude: Complex,
}

impl Tone {
    /// The frequency comes from the turn between the halves, unambiguous to 33 Hz either way; a
    /// tone further off cancels in the sum of the turned halves, so that purity tells.
    fn estimate(hz: f32, [a, b]: [Complex; 2]) -> Self {
        let cross = b.times(a.conj());
        let turn = cross.im.atan2(cross.re);
        let offset = turn / HALF;
        let sum = a.plus(b.times(Complex::turn(-turn)));
        // Dirichlet's kernel over half a window; at least 0.63 of its peak in this range.
        let centre = Complex::turn(-offset * (HALF - 1.0) / 2.0);
        let kernel = kernel(offset);
        Self {
            hz,
            offset_hz: offset * RATE_HZ / (2.0 * PI),
            amplitude: sum.times(centre).scaled(0.5 / kernel),
        }
    }

    fn power(&self) -> f32 {
        self.amplitude.power()
    }

    /// `halves` at `hz` less what this tone adds to them.
    fn without(&self, hz: f32, [a, b]: [Complex; 2]) -> [Complex; 2] {
        let apart = 2.0 * PI * (self.hz + self.offset_hz - hz) / RATE_HZ;
        let leak =
            self.amplitude.times(Complex::turn(apart * (HALF - 1.0) / 2.0)).scaled(kernel(apart));
        [a.minus(leak), b.minus(leak.times(Complex::turn(apart * HALF)))]
    }
}

/// |Σ e^{jωn}| over half a window, signed.
fn kernel(angle: f32) -> f32 {
    let below = (angle / 2.0).sin();
    if below.abs() < 1e-6 { HALF } else { (angle * HALF / 2.0).sin() / below }
}

fn strongest(power: &[f32]) -> usize {
    let mut best = 0;
    for (i, p) in power.iter().enumerate() {
        if *p > power[best] {
            best = i;
        }
    }
    best
}

const fn waves() -> [[f32; 2 * TONES]; HOP] {
    let mut table = [[0.0; 2 * TONES]; HOP];
    let mut n = 0;
    while n < HOP {
        table[n] = phasors(n);
        n += 1;
    }
    table
}

const fn turns() -> [[f32; 2 * TONES]; WINDOW] {
    let mut table = [[0.0; 2 * TONES]; WINDOW];
    let mut h = 0;
    while h < WINDOW {
        table[h] = phasors(h * HOP);
        h += 1;
    }
    table
}

/// e^{-jωn} of every tone at sample `n`: real parts, then imaginary parts.
const fn phasors(n: usize) -> [f32; 2 * TONES] {
    let mut row = [0.0; 2 * TONES];
    let mut t = 0;
    while t < TONES {
        let turns = HZ[t] as f64 * n as f64 / RATE_HZ as f64;
        let (cos, sin) = cos_sin((turns - (turns as i64) as f64) * 2.0 * std::f64::consts::PI);
        row[t] = cos as f32;
        row[t + TONES] = -sin as f32;
        t += 1;
    }
    row
}

/// Cosine and sine of 0..2π by their series; the standard library's are not `const`.
const fn cos_sin(angle: f64) -> (f64, f64) {
    let (mut cos, mut sin, mut term) = (0.0, 0.0, 1.0);
    let mut n = 0;
    while n < 40 {
        match n % 4 {
            0 => cos += term,
            1 => sin += term,
            2 => cos -= term,
            _ => sin -= term,
        }
        n += 1;
        term *= angle / n as f64;
    }
    (cos, sin)
}
