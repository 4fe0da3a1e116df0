/**
 * Measures the management API over HTTP with a million keys in the file: pages of lists, and what a storm of changes
 * does to checks. Prints milliseconds. Run it alone on a quiet machine: node scripts/measure-api.ts [KEYS]
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { benchKey, benchRecord } from './bench/keys.ts';
import { openMessages } from './bench/message.ts';
import { openSigner, writePolicy } from './bench/policy.ts';
import { runLoad, runScript, type Seen, type Sent } from './bench/run.ts';
import { runPostern } from './lib/run-postern.ts';

const KEYS = Number(process.argv[2] ?? 1_000_000);
const ASKED = 20;
const STORM_CLIENTS = 16;
const LOAD_SECONDS = 8;
const STORM_LEAD_MS = 1000;
const ROUNDS = 3;
const token = randomBytes(32).toString('base64url');
const agent = new Agent({ keepAlive: true, maxSockets: STORM_CLIENTS });

const FILTERS: readonly string[] = [
  '',
  'workspace_id=workspace-77',
  'kind=team',
  'kind=service',
  'owner=team-77',
  'environment=live',
  'status=active',
  'status=disabled',
  'status=revoked',
  'status=expired',
  'prefix=pst_',
  'prefix=pst_a',
  'prefix=pst_ab',
  'unused_since=2030-01-01T00:00:00Z',
  'unused_since=2026-10-10T00:00:00Z',
  'unused_since=2020-01-01T00:00:00Z',
];

type Answer = { readonly status: number; readonly body: { readonly [name: string]: unknown } };

function ask(base: string, method: string, path: string, body?: object): Promise<Answer> {
  const content = body && JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(content !== undefined && { 'content-type': 'application/json' }),
    };
    const sent = request(`http://${base}${path}`, { agent, method, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, body: text === '' ? {} : JSON.parse(text) });
      });
    });
    sent.on('error', reject);
    sent.end(content);
  });
}

/** A cursor that goes on after the key in the middle of the file, made of one that the list gave. */
function deepCursor(cursor: string): string {
  const place = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  const at = Math.floor(KEYS / 2);
  const { id } = benchRecord(at, benchKey(at), true);
  return Buffer.from(JSON.stringify({ ...place, after: id })).toString('base64url');
}

async function timePages(base: string, query: string): Promise<string> {
  const tookMs: number[] = [];
  let items = 0;
  for (let turn = 0; turn < ASKED; turn += 1) {
    const startedMs = performance.now();
    const { status, body } = await ask(base, 'GET', `/v1/api-keys?${query}`);
    tookMs.push(performance.now() - startedMs);
    if (status !== 200) throw new Error(`${query}: ${status} ${JSON.stringify(body)}`);
    items = Array.isArray(body['data']) ? body['data'].length : 0;
  }
  tookMs.sort((one, other) => one - other);
  const [middle = 0, longest = 0] = [tookMs[Math.floor(ASKED / 2)], tookMs.at(-1)];
  return `${middle.toFixed(1).padStart(7)} (${longest.toFixed(1).padStart(6)}) ${String(items).padStart(4)}`;
}

async function measureLists(base: string): Promise<void> {
  console.log(`${'filter'.padEnd(38)}first page: median (longest) items    page in the middle`);
  for (const filter of FILTERS) {
    const query = `limit=200${filter === '' ? '' : `&${filter}`}`;
    const first = await ask(base, 'GET', `/v1/api-keys?${query}`);
    const next = first.body['next_cursor'];
    const deep =
      typeof next === 'string' ? await timePages(base, `${query}&cursor=${deepCursor(next)}`) : '-';
    console.log(
      `${(filter || 'none').padEnd(38)}${await timePages(base, query)}            ${deep}`,
    );
  }
}

/** Creates, rotates, changes and revokes keys until it is stopped; the answer is changes per second. */
function startStorm(base: string): () => Promise<number> {
  const startedMs = performance.now();
  let changes = 0;
  let isOver = false;
  const change = async (method: string, path: string, body?: object): Promise<Answer> => {
    const answer = await ask(base, method, path, body);
    if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.status}`);
    changes += 1;
    return answer;
  };
  const live = async () => {
    while (!isOver) {
      const draft = { name: 'storm', scopes: ['reports:read'] };
      const { body } = await change('POST', '/v1/api-keys', draft);
      const path = `/v1/api-keys/${body['id']}`;
      await change('POST', `${path}/rotate`, {});
      await change('PATCH', path, { description: 'changed' });
      await change('DELETE', path);
    }
  };
  const running = Promise.all(Array.from({ length: STORM_CLIENTS }, live));
  return async () => {
    isOver = true;
    await running;
    return changes / ((performance.now() - startedMs) / 1000);
  };
}

async function measureStorm(base: string, address: string, sent: Sent): Promise<void> {
  const tell = (what: string, { rate, p50, p99, p999, longest }: Seen) => {
    const times = [p50, p99, p999, longest].map((ms) => ms.toFixed(1).padStart(7)).join(' ');
    console.log(`${what.padEnd(44)}${Math.round(rate)} checks/s; p50 p99 p99.9 longest: ${times}`);
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const streams of [1, 16]) {
      const load = { ...sent, streams };
      tell(`${streams * 4} streams, no changes`, await runLoad(address, load, LOAD_SECONDS));
      const stop = startStorm(base);
      await delay(STORM_LEAD_MS);
      const seen = await runLoad(address, load, LOAD_SECONDS);
      tell(`${streams * 4} streams, ${Math.round(await stop())} changes/s`, seen);
      await delay(STORM_LEAD_MS);
    }
  }
}

const folder = mkdtempSync(join(tmpdir(), 'postern-measure-'));
try {
  execFileSync(process.execPath, [join(import.meta.dirname, 'build.ts')]);
  const [store, raw, messages] = ['keys.db', 'keys.raw', 'message'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  runScript('fill.ts', [store, String(KEYS), raw, 'mixed']);
  const usual = Array.from({ length: 10_000 }, (_, at) => benchKey(at * 50));
  writeFileSync(raw, usual.join(''));
  const message = openMessages()(`Bearer ${benchKey(0)}`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  writeFileSync(messages, Buffer.concat([length, message]));
  openSigner(folder);
  const { path, apiAddress, checkAddress } = await writePolicy(folder, 'api', `sqlite:${store}`);
  const main = join(import.meta.dirname, '..', 'dist', 'main.js');
  const args = ['--log-level', 'error'];
  const env = { POSTERN_ADMIN_TOKEN: token };
  const running = await runPostern({ configPath: path, main, args, env });
  await measureLists(apiAddress);
  await measureStorm(apiAddress, checkAddress, { messages, credentials: raw });
  await running.stop();
} finally {
  agent.destroy();
  rmSync(folder, { recursive: true, force: true });
}
