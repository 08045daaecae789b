//! `carom entries`: the tracked places before a call, and their QR codes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use qrcodegen::{QrCode, QrCodeEcc};

use super::{ConfigArg, load};

/// Light modules around a code (ISO/IEC 18004 §6.3.8).
const QUIET: i32 = 4;
/// Pixels of a module in a PNG.
const SCALE: u32 = 8;

/// Arguments of `carom entries`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct EntriesArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Name and address of each.
    List {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// The QR code of one, as SVG or PNG by the file's name.
    Qr {
        /// Its name.
        name: String,
        /// File to write, `.svg` or `.png`.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
}

impl EntriesArgs {
    /// `carom entries [list|qr]`.
    ///
    /// # Errors
    /// The configuration has errors or no public address, there is no such entry, or the file
    /// cannot be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => list(self.config.config.as_deref()),
            Some(Command::List { config }) => list(config.config.as_deref()),
            Some(Command::Qr { name, out, config }) => qr(&name, &out, config.config.as_deref()),
        }
    }
}

fn list(config: Option<&Path>) -> anyhow::Result<ExitCode> {
    for (name, address) in addresses(config)? {
        println!("{name}  {address}");
    }
    Ok(ExitCode::SUCCESS)
}

fn qr(name: &str, out: &Path, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let all = addresses(config)?;
    let Some((_, address)) = all.iter().find(|(other, _)| other == name) else {
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        bail!("no entry is called `{name}`; there are: {}", names.join(", "));
    };
    // A quarter of the code may be dirty: it hangs in the street.
    let code = QrCode::encode_text(address, QrCodeEcc::Quartile)
        .with_context(|| format!("{address} is too long for a QR code"))?;
    let bytes = match out.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => svg(&code).into_bytes(),
        Some("png") => png(&code)?,
        _ => bail!("{}: a code is written to a .svg or .png file", out.display()),
    };
    fs::write(out, bytes).with_context(|| out.display().to_string())?;
    println!("{address}");
    Ok(ExitCode::SUCCESS)
}

/// Names and addresses, in the file's order.
fn addresses(config: Option<&Path>) -> anyhow::Result<Vec<(String, String)>> {
    let snapshot = load(config)?;
    let config = &snapshot.config;
    let Some(public_url) = &config.http.public_url else {
        bail!("`[http] public_url` is not set: nobody outside can come by an entry");
    };
    Ok(config.entries.iter().map(|entry| (entry.name.clone(), entry.address(public_url))).collect())
}

fn svg(code: &QrCode) -> String {
    let size = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|&x| code.get_module(x, y)) {
            path.push_str(&format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET));
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/>\
         <path d=\"{path}\"/></svg>\n"
    )
}

/// Grey, a byte a pixel.
fn png(code: &QrCode) -> anyhow::Result<Vec<u8>> {
    let side = (code.size() + 2 * QUIET) as u32 * SCALE;
    let module = |pixel: u32| (pixel / SCALE) as i32 - QUIET;
    // Outside of the code all is light.
    let dark = |x, y| code.get_module(module(x), module(y));
    let pixels = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
    let data: Vec<u8> = pixels.map(|(x, y)| if dark(x, y) { 0 } else { 255 }).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(&data)?;
    Ok(bytes)
}
