import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Browser, chromium } from 'playwright-core';
import { CHROMIUM_REMEDY, findChromium } from './lib/chromium.ts';
import { drawPage, PAGE_WIDTH, type Shown } from './lib/dashboards/draw/page.ts';
import type { DrawnPanel } from './lib/dashboards/draw/panel.ts';
import { shrinkPng } from './lib/dashboards/draw/png.ts';
import { DASHBOARD_FOLDER, dashboards } from './lib/dashboards/files.ts';
import { actorsOf } from './lib/dashboards/stage/script.ts';
import { openStage, type Stage } from './lib/dashboards/stage/stage.ts';
import { findEnvoy } from './lib/envoy.ts';

/**
 * Draws the pictures of docs/pictures from a real run: Envoy, Postern, Redis and Prometheus under load for some two minutes, the
 * policy reloaded and the store paused meanwhile. What is drawn are the answers of Prometheus to the dashboards' own queries.
 */

const ROOT = join(import.meta.dirname, '..');
const PICTURES = join(ROOT, 'docs', 'pictures');
const SHOWN_SECONDS = 100;
const HEIGHT = 900;
const MINUTE_MS = 60_000;
const WINDOWS_FULL_MS = 54_000;
const BYTES_MAX = 150_000;

/** What a panel's file holds beside what is drawn. */
type FilePanel = Omit<DrawnPanel, 'targets'> & {
  readonly targets?: readonly { readonly expr: string; readonly legendFormat?: string }[];
};
type File = { readonly title: string; readonly panels: readonly FilePanel[] };

await main();

async function main(): Promise<void> {
  const envoy = findEnvoy();
  if (!envoy) throw new Error('There is no Envoy: run `npm test`, which installs it.');
  const executablePath = findChromium();
  if (!executablePath) throw new Error(`There is no Chromium: ${CHROMIUM_REMEDY}.`);
  mkdirSync(PICTURES, { recursive: true });
  const stage = await openStage(envoy);
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-lcd-text'],
  });
  try {
    const play = stage.play(await actorsOf(stage, 1));
    await perform(stage);
    const to = Math.floor(Date.now() / 1000);
    await takeStatus(stage, browser);
    await play.stop();
    for (const name of dashboards().keys()) await takeDashboard(stage, browser, name, to);
  } finally {
    await browser.close();
    await stage.stop();
  }
}

/** What happens while the load goes on. */
async function perform(stage: Stage): Promise<void> {
  await pause(40_000);
  stage.reload();
  await pause(20_000);
  await stage.redis.pause();
  await pause(4000);
  stage.redis.resume();
  await pause(20_000);
  // Windows of a minute are full near its end.
  await pause((WINDOWS_FULL_MS - (Date.now() % MINUTE_MS) + MINUTE_MS) % MINUTE_MS);
}

async function takeDashboard(
  stage: Stage,
  browser: Browser,
  name: string,
  to: number,
): Promise<void> {
  const text = readFileSync(join(ROOT, DASHBOARD_FOLDER, name), 'utf8');
  const { title, panels } = JSON.parse(text) as File;
  const span = { from: to - SHOWN_SECONDS, to };
  const shown: Shown[] = [];
  for (const panel of panels) {
    const asked = (panel.targets ?? []).map(({ expr }) =>
      stage.prometheus.query(fillIn(expr), { ...span, step: 1 }),
    );
    shown.push({ panel, answers: await Promise.all(asked) });
  }
  const page = await browser.newPage({ viewport: { width: PAGE_WIDTH, height: HEIGHT } });
  await page.setContent(drawPage(title, shown, span));
  keep(name.replace('.json', '.png'), await page.screenshot({ fullPage: true }));
  await page.close();
}

/** The status page as Postern itself serves it. */
async function takeStatus(stage: Stage, browser: Browser): Promise<void> {
  const page = await browser.newPage({ viewport: { width: PAGE_WIDTH, height: HEIGHT } });
  const response = await page.goto(`${stage.opsUrl}/monitoring/status`);
  if (response?.ok()) keep('status.png', await page.screenshot({ fullPage: true }));
  else process.stderr.write('there is no status page: its picture is left out\n');
  await page.close();
}

/** A query with what Grafana would put in for a dashboard that shows the whole run. */
function fillIn(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '5s')
    .replaceAll('$__range', `${SHOWN_SECONDS}s`)
    .replaceAll('"$route"', '".*"')
    .replaceAll(/"\$\w+"/g, '".+"');
}

function keep(name: string, picture: Buffer): void {
  const path = join(PICTURES, name);
  writeFileSync(path, shrinkPng(picture));
  const { size } = statSync(path);
  process.stdout.write(`${name}: ${Math.round(size / 1000)} kB\n`);
  if (size > BYTES_MAX) {
    process.stderr.write(`${name} is larger than ${BYTES_MAX} bytes\n`);
    process.exitCode = 1;
  }
}
