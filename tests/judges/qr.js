// qr.js FILE: what the QR code in a .png or .svg file says; an SVG is drawn by Chromium.
const fs = require('fs');
const jsQR = require('jsqr');
const { PNG } = require('pngjs');
const { chromium } = require('playwright-core');

async function drawn(svg) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  const page = await browser.newPage({ viewport: { width: 400, height: 400 } });
  await page.setContent(`<body style="margin:0">${svg.toString()}</body>`);
  const picture = await page.screenshot();
  await browser.close();
  return picture;
}

(async () => {
  const file = process.argv[2];
  const bytes = fs.readFileSync(file);
  const { data, width, height } = PNG.sync.read(file.endsWith('.svg') ? await drawn(bytes) : bytes);
  const code = jsQR(new Uint8ClampedArray(data), width, height);
  if (!code) throw new Error('no code is seen');
  console.log(code.data);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
