import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM_REMEDY, findChromium } from '../../../scripts/lib/chromium.ts';
import { counted, type OpsStage, openOpsStage, TROUBLED } from './stage.ts';

const PRODUCT = 'A product whose name is rather long';
const binary = findChromium();

if (!binary && process.env['CI']) throw new Error(`There is no Chromium: ${CHROMIUM_REMEDY}.`);

let stage: OpsStage;
let browser: Browser;
const opened = new Map<string, Promise<Opened>>();

/** A page, and what the browser had to say of it. */
type Opened = { readonly page: Page; readonly complaints: readonly string[] };

/** The page under a path, opened once. */
function pageOf(path: string): Promise<Opened> {
  const page = opened.get(path) ?? openPage(path);
  opened.set(path, page);
  return page;
}

async function openPage(path: string): Promise<Opened> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(request.url()));
  await page.goto(`${stage.url}/monitoring${path}`);
  return { page, complaints };
}

/** The colours of text and ground, as the browser computes them. */
function coloursOf(page: Page): Promise<unknown> {
  const style = 'getComputedStyle(document.body)';
  return page.evaluate(`[${style}.color, ${style}.backgroundColor]`);
}

const LIGHT = ['rgb(26, 32, 40)', 'rgb(246, 247, 249)'];
const DARK = ['rgb(230, 234, 240)', 'rgb(17, 21, 26)'];

describe.skipIf(binary === undefined)('in a browser', () => {
  beforeAll(async () => {
    stage = await openOpsStage();
    stage.sources.status = { ...TROUBLED, product: PRODUCT };
    stage.sources.checks = counted(1_234_567, { a_reason_whose_name_is_rather_long_as_well: 12 });
    stage.sources.alerts = [
      { name: 'new_country', count: 3, suppressed: 2, firstMs: 0, lastMs: stage.sources.nowMs },
    ];
    const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
    browser = await chromium.launch({ executablePath: binary ?? '', args });
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.[Symbol.asyncDispose]();
  });

  test.each([
    { path: '', leadsTo: '/monitoring/status', heading: 'Components' },
    { path: '/alerts', leadsTo: '/monitoring/alerts', heading: 'Alerts since' },
  ])('$leadsTo shows, in its style, without a complaint', async ({ path, leadsTo, heading }) => {
    const { page, complaints } = await pageOf(path);
    expect(new URL(page.url()).pathname).toBe(leadsTo);
    expect(await page.locator('h1').innerText()).toBe(PRODUCT);
    expect((await page.locator('h2').allInnerTexts()).join()).toContain(heading);
    expect(await coloursOf(page)).toEqual(LIGHT);
    expect(complaints).toEqual([]);
  });

  test.each(['', '/alerts'])('/monitoring%s fits a phone', async (path) => {
    const { page } = await pageOf(path);
    await page.setViewportSize({ width: 360, height: 640 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(await page.evaluate(RIGHTMOST)).toBeLessThanOrEqual(360);
  });

  test.each([
    { colorScheme: 'dark', colours: DARK },
    { colorScheme: 'light', colours: LIGHT },
  ] as const)(
    'every text can be read where it is $colorScheme',
    async ({ colorScheme, colours }) => {
      const { page } = await pageOf('');
      await page.emulateMedia({ colorScheme });
      expect(await coloursOf(page)).toEqual(colours);
      const texts = (await page.evaluate(TEXT_COLOURS)) as readonly [string, string, string][];
      expect(texts.length).toBeGreaterThan(40);
      for (const [text, ink, ground] of texts) {
        expect(contrast(ink, ground), text).toBeGreaterThanOrEqual(4.5);
      }
    },
  );
});

/** How far to the right anything that is seen reaches. */
const RIGHTMOST =
  'Math.max(...[...document.querySelectorAll("main :not(thead, thead *)")].map((one) => one.getBoundingClientRect().right))';

/** Each text of a page, its colour, and the nearest colour behind it. */
const TEXT_COLOURS = `[...document.querySelectorAll('body *')]
  .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
  .map((one) => {
    let behind = one;
    while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
    return [one.innerText, getComputedStyle(one).color, getComputedStyle(behind).backgroundColor];
  })`;

/** The contrast ratio of two colours (WCAG 2.2, "contrast ratio"). */
function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map((part) => {
    const share = Number(part) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
