// page.js URL [press|given]: opens a page in Chromium, wide and narrow, light and dark, and lets
// axe-core judge it; with `press` its first button is pressed, by keyboard and without script; with
// `given` the pages are those of a JSON array of HTML that is read, as if they came from there. Prints
// one JSON object: violations, rules that applied, requests to elsewhere, errors, where the button led.
const fs = require('fs');
const { chromium } = require('playwright-core');
const axe = require('axe-core');

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const LOOKS = [
  { viewport: { width: 320, height: 640 }, colorScheme: 'light' },
  { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
];

async function judge(browser, url, told, given) {
  for (const look of LOOKS) {
    const context = await browser.newContext(look);
    const page = await context.newPage();
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== new URL(url).origin) told.elsewhere.push(request.url());
    });
    page.on('console', (line) => line.type() === 'error' && told.errors.push(line.text()));
    page.on('pageerror', (error) => told.errors.push(String(error)));
    if (given) {
      const answer = { contentType: 'text/html; charset=utf-8', body: given };
      await page.route(url, (route) => route.fulfill(answer));
    }
    await page.goto(url);
    await page.evaluate(axe.source);
    const result = await page.evaluate(
      (tags) => axe.run(document, { runOnly: tags, rules: { 'target-size': { enabled: true } } }),
      TAGS,
    );
    for (const found of result.violations) {
      const nodes = found.nodes.map((node) => `${node.html}: ${node.failureSummary}`);
      told.violations.push({ look, rule: found.id, nodes });
    }
    told.rules = Math.max(told.rules, result.passes.length);
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    if (wide > 0) told.violations.push({ look, rule: 'reflow', nodes: [`${wide} px too wide`] });
    await context.close();
  }
}

// The browser that pressed first is the only one led on: both ways are tried in one.
async function press(browser, url, told) {
  const context = await browser.newContext(LOOKS[0]);
  const page = await context.newPage();
  await page.goto(url);
  await page.keyboard.press('Tab');
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
  told.pressed.push(page.url());
  const cookies = await context.cookies(url);
  await context.close();
  const bare = await browser.newContext({ ...LOOKS[0], javaScriptEnabled: false });
  await bare.addCookies(cookies);
  const plain = await bare.newPage();
  await plain.goto(url);
  await Promise.all([plain.waitForNavigation(), plain.click('button')]);
  told.pressed.push(plain.url());
  await bare.close();
}

(async () => {
  const [url, pressing] = process.argv.slice(2);
  const told = { violations: [], rules: 0, elsewhere: [], errors: [], pressed: [] };
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  const given = pressing === 'given' ? JSON.parse(fs.readFileSync(0, 'utf8')) : [undefined];
  for (const html of given) await judge(browser, url, told, html);
  if (pressing === 'press') await press(browser, url, told);
  await browser.close();
  console.log(JSON.stringify(told));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
