// What a person does with the console, in a real browser. See browser.sh.
//   node browser.mjs ADDRESS TOKEN [pictures]
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { mkdir } from "node:fs/promises";

const require = createRequire(`${process.env.MODULES}/`);
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");
const [address, token, pictures] = process.argv.slice(2);
const pages = ["", "articles", "articles?q=NATO", "feeds", "dead-letters", "dead-letters/cleaner/0/0", "trace", "topics", "settings", "login"];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
let failed = 0;

async function check(what, options, act) {
  const context = await browser.newContext({ baseURL: address, ...options });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`script: ${error.message}`));
  page.on("console", (message) => {
    // An answer that says no, as the test wants it to, is logged as an error too.
    if (message.type() === "error" && !/status of (4|503)/.test(message.text())) wrong.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(address)) wrong.push(`elsewhere: ${request.url()}`);
  });
  try {
    await act(page, context);
    assert.deepEqual(wrong, []);
    console.log(`ok    ${what}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${what}\n${error.stack}`);
  }
  await context.close();
}

async function signIn(page) {
  await page.goto("login");
  await page.fill("#token", token);
  await page.click("main button");
  await page.waitForSelector("text=Sign out");
}

/** The first article that a search finds, opened. */
async function readOne(page) {
  await page.goto("articles");
  await page.fill("input[name=q]", "NATO");
  await page.selectOption("select[name=tag]", "nato");
  await page.click("text=Show");
  await page.waitForSelector(".articles mark.found");
  await page.click(".articles h2 a >> nth=0");
  await page.waitForSelector(".reading .text p");
}

await check("reading: found words and evidence are marked", {}, async (page) => {
  await readOne(page);
  assert.ok((await page.locator(".reading mark").count()) > 0);
  assert.match(await page.locator("mark.for >> nth=0").getAttribute("title"), /: .+ \+/);
});

await check("filtering by tag, language and source", {}, async (page) => {
  await page.goto("articles");
  const all = await page.locator(".articles li").count();
  await page.selectOption("select[name=tag]", "nato");
  await page.fill("input[name=language]", "en");
  await page.click("text=Show");
  const some = await page.locator(".articles li").count();
  assert.ok(some > 0 && some < all, `${some} of ${all}`);
  for (const language of await page.locator(".articles .language").allTextContents()) assert.equal(language, "en");
  await page.click(".articles .meta a >> nth=0");
  assert.match(page.url(), /source=/);
  assert.ok((await page.locator(".articles li").count()) > 0);
});

await check("without JavaScript everything is there", { javaScriptEnabled: false }, async (page) => {
  await readOne(page);
  for (const path of pages) {
    assert.equal((await page.goto(path)).status(), 200, path);
    assert.ok(await page.locator("h1").innerText(), path);
  }
  await signIn(page);
  await page.goto("feeds");
  await page.click("button:has-text('Poll now') >> nth=0");
  await page.waitForSelector("text=It is polled at once");
});

await check("a feed is added, paused and removed", {}, async (page) => {
  await signIn(page);
  await page.goto("feeds");
  await page.click("summary");
  await page.fill("#urls", "http://127.0.0.1:9/added-by-hand.xml");
  await page.fill("#labels", "by hand");
  await page.click(".add button");
  await page.waitForSelector("text=On the list");
  await page.fill("input[name=q]", "added-by-hand");
  await page.click("text=Show");
  assert.equal(await page.locator(".rows li").count(), 1);
  await page.click("button:has-text('Pause')");
  await page.goto("feeds?q=added-by-hand");
  assert.equal(await page.locator(".health").innerText(), "paused");
  page.on("dialog", (dialog) => dialog.accept());
  await page.click("button:has-text('Remove')");
  await page.waitForSelector("text=Off the list");
  await page.goto("feeds?q=added-by-hand");
  assert.equal(await page.locator(".rows li").count(), 0);
});

await check("a dead letter is looked at and replayed", {}, async (page) => {
  await signIn(page);
  await page.goto("dead-letters");
  await page.click(".rows a >> nth=0");
  assert.match(await page.locator("pre").innerText(), /<b>no JSON<\/b>/);
  await page.click("text=Dry run");
  await page.waitForSelector("text=would be put back");
  await page.click("text=Replay now");
  await page.waitForSelector("h1:has-text('Replayed')");
  // Loading the result again asks for nothing: no form is sent twice.
  const sent = [];
  page.on("request", (request) => sent.push(request.method()));
  await page.reload();
  await page.waitForSelector("h1:has-text('Replayed')");
  assert.ok(!sent.includes("POST"), sent.join(" "));
});

await check("the overview renews itself", {}, async (page) => {
  await page.goto("");
  await page.evaluate(() => document.getElementById("live").firstElementChild.setAttribute("data-old", ""));
  await page.waitForFunction(() => !document.querySelector("#live [data-old]"));
  assert.ok(await page.locator("h1").innerText());
});

await check("a stream that cannot be had is said and tried again", {}, async (page) => {
  await page.route("**/events", (route) => route.fulfill({ status: 503, body: "" }));
  await page.goto("");
  await page.waitForSelector("text=/Not live since [0-9]{2}:[0-9]{2} UTC/");
  await page.unroute("**/events");
  // By itself, and then it is live again.
  await page.waitForSelector("#live-bar >> text=/^Live$/");
  await page.evaluate(() => document.getElementById("live").firstElementChild.setAttribute("data-old", ""));
  await page.waitForFunction(() => !document.querySelector("#live [data-old]"));
});

await check("paused and hidden pages hold no stream", {}, async (page) => {
  await page.addInitScript(() => {
    const Stream = window.EventSource;
    window.streams = [];
    window.EventSource = class extends Stream {
      constructor(address) {
        super(address);
        window.streams.push(this);
      }
    };
    let hidden = false;
    Object.defineProperty(document, "hidden", { get: () => hidden });
    window.hide = (now) => {
      hidden = now;
      document.dispatchEvent(new Event("visibilitychange"));
    };
  });
  for (const path of ["", "articles"]) {
    await page.goto(path);
    await page.waitForSelector("#live-bar >> text=/^Live$/");
    const open = () => page.evaluate(() => window.streams.filter((s) => s.readyState !== EventSource.CLOSED).length);
    assert.equal(await open(), 1);
    await page.evaluate(() => window.hide(true));
    assert.equal(await open(), 0, "hidden");
    await page.evaluate(() => window.hide(false));
    assert.equal(await open(), 1, "seen again");
    await page.click("#live-bar button");
    assert.equal(await open(), 0, "paused");
    await page.waitForSelector("#live-bar >> text=/Paused at/");
    await page.evaluate(() => window.hide(false));
    assert.equal(await open(), 0, "still paused");
    await page.click("#live-bar button");
    await page.waitForSelector("#live-bar >> text=/^Live$/");
  }
});

await check("new articles are counted, revisions and known ones are not", {}, async (page) => {
  const known = (await (await page.request.get("api/v1/articles?limit=1")).json()).articles[0].id;
  const event = (id, revision) => `event: article\nid: 9\ndata: ${JSON.stringify({ id, revision })}\n\n`;
  const body = event(known, 1) + event("0".repeat(32), 1) + event("0".repeat(32), 1) + event("1".repeat(32), 2) + event("2".repeat(32), 1);
  await page.route("**/api/v1/events?**", (route) => route.fulfill({ contentType: "text/event-stream", body }));
  await page.goto("articles");
  await page.waitForSelector("#fresh >> text=2 new articles");
});

await check("by keyboard alone", {}, async (page) => {
  await page.goto("articles");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  // From the content on: the search, then down to the first article.
  for (let n = 0; n < 60; n += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.matches(".articles h2 a"))) break;
  }
  const outlined = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outlined, "solid");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".reading .text p");
});

await check("a form of another site changes nothing", {}, async (page, context) => {
  await signIn(page);
  const other = address.replace("127.0.0.1", "localhost");
  const evil = await context.newPage();
  await evil.route(`${other}evil`, (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<form method="post" action="${address}feeds"><input name="urls" value="https://evil.example/f"></form>`,
    }),
  );
  await evil.goto(`${other}evil`);
  const [answer] = await Promise.all([
    evil.waitForResponse((response) => response.url().endsWith("/feeds")),
    evil.evaluate(() => document.forms[0].submit()),
  ]);
  assert.ok([401, 403].includes(answer.status()), `${answer.status()}`);
});

for (const scheme of ["light", "dark"]) {
  await check(`accessible, ${scheme}`, { colorScheme: scheme }, async (page) => {
    await signIn(page);
    const article = (await (await page.request.get("api/v1/articles?tag=nato&limit=1")).json()).articles[0].id;
    for (const path of [...pages, `articles/${article}`, `trace?article=${article}`]) {
      await page.goto(path);
      // By the debugger's door: the policy of the page lets no script in.
      const source = await (await import("node:fs/promises")).readFile(axe, "utf8");
      await page.evaluate(source);
      const { violations } = await page.evaluate(() => axe.run());
      const told = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`);
      assert.deepEqual(told, [], path);
    }
  });
}

await check("at 360 px nothing is cut off", { viewport: { width: 360, height: 740 } }, async (page) => {
  await signIn(page);
  const article = (await (await page.request.get("api/v1/articles?tag=nato&limit=1")).json()).articles[0].id;
  for (const path of [...pages, `articles/${article}`, `trace?article=${article}`]) {
    await page.goto(path);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
  }
});

if (pictures === "pictures") {
  await mkdir("docs/pictures", { recursive: true });
  for (const [name, path, options] of [
    ["overview", "", {}],
    ["articles", "articles?q=NATO+OR+Ukraine", {}],
    ["article", null, {}],
    ["article-dark", null, { colorScheme: "dark" }],
    ["feeds", "feeds", {}],
    ["dead-letters", "dead-letters", {}],
    ["narrow", "articles", { viewport: { width: 360, height: 740 } }],
  ]) {
    await check(`picture of ${name}`, { viewport: { width: 1200, height: 800 }, ...options }, async (page) => {
      await signIn(page);
      const article = (await (await page.request.get("api/v1/articles?tag=nato&language=en&limit=1")).json()).articles[0].id;
      await page.goto(path ?? `articles/${article}`);
      await page.screenshot({ path: `docs/pictures/console-${name}.png` });
    });
  }
}

await browser.close();
if (failed) process.exit(1);
