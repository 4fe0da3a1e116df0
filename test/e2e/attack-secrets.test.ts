import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  keysDocument,
  makeReporter,
  openDocumentServer,
  type Reporter,
} from '../api/leaked-reporter.ts';
import { runCli } from '../envoy-harness/cli.ts';
import { ADMIN, type Castle, castlePolicy, openCastle } from './attack-castle.ts';
import { keyOf, settle, type Town, tokenOf } from './attack-town.ts';
import { openCheckClient } from './check-client.ts';
import { hashOf, mint } from './policy.ts';

const KEYS = '/v1/api-keys';
const live = { name: 'x', prefix: 'pst_live_', workspace_id: 'acme', scopes: ['reports:read'] };

let castle: Castle;
let town: Town;
let documents: Awaited<ReturnType<typeof openDocumentServer>>;
let reporter: Reporter;
/** Every credential of the run, each with the answers that may hold it. */
const secrets = new Map<string, number>();
const printed: string[] = [];

beforeAll(async () => {
  reporter = makeReporter('one');
  documents = await openDocumentServer((_, response) => response.end(keysDocument(reporter)));
  const leaked = { public_keys: documents.url };
  castle = await openCastle(castlePolicy({ api_keys: { leaked } }), ['--log-level', 'debug']);
  town = await settle(castle);
  for (const { key } of Object.values(town)) secrets.set(key, 1);
  secrets.set(ADMIN, 0);
  await exercise();
  await refuseInEveryPlace();
  await askTheGate();
  await report();
  await runCommands();
  await castle.ask('GET', '/v1/audit-events?limit=200');
}, 60_000);
afterAll(async () => {
  await castle?.stop();
  await documents?.[Symbol.asyncDispose]();
});

/** The whole life of keys; every raw text is told once, or again for who asks with the same Idempotency-Key. */
async function exercise() {
  const headers = { 'idempotency-key': randomBytes(9).toString('hex') };
  const { body } = await castle.ask('POST', KEYS, live, { headers });
  await castle.ask('POST', KEYS, live, { headers });
  secrets.set(String(body['key']), 2);
  const path = `${KEYS}/${body['id']}`;
  for (const grace_seconds of [0, 60]) {
    const more = { headers: { 'idempotency-key': randomBytes(9).toString('hex') } };
    const rotated = await castle.ask('POST', `${path}/rotate`, { grace_seconds }, more);
    await castle.ask('POST', `${path}/rotate`, { grace_seconds }, more);
    secrets.set(String(rotated.body['key']), 2);
  }
  await castle.ask('PATCH', path, { description: 'changed', metadata: { a: 1 } });
  await castle.ask('POST', `${path}/disable`);
  await castle.ask('POST', `${path}/enable`);
  await castle.ask('GET', `${path}/usage`);
  await castle.ask('GET', '/v1/auth/verify', undefined, { token: town.weak.key });
  await castle.ask('DELETE', path);
  const old = `old_${randomBytes(20).toString('hex')}`;
  secrets.set(old, 0);
  const taken = { name: 'old', prefix: 'old_', hash: hashOf(old), workspace_id: 'acme' };
  await castle.ask('POST', `${KEYS}/import`, taken);
  await castle.ask('POST', `${KEYS}/import`, taken);
  const jwt = await tokenOf({ sub: 'boss', org: 'acme', scope: '*' });
  secrets.set(jwt, 0);
  await castle.ask('GET', KEYS, undefined, { token: jwt });
}

/** Requests that are refused, with a credential in every place where somebody may have put one. */
async function refuseInEveryPlace() {
  for (const raw of [mint('pst_live_').raw, town.strong.key, await tokenOf({ sub: 'x', exp: 1 })]) {
    if (!secrets.has(raw)) secrets.set(raw, 0);
    const wrong = { ...live, expires_at: raw };
    const places: readonly (readonly [
      string,
      string,
      unknown,
      { readonly [name: string]: string },
    ])[] = [
      ['GET', KEYS, undefined, { authorization: `Bearer ${raw}x` }],
      [
        'GET',
        KEYS,
        undefined,
        { authorization: `Basic ${Buffer.from(`u:${raw}`).toString('base64')}` },
      ],
      ['GET', KEYS, undefined, { 'x-api-key': raw }],
      ['GET', KEYS, undefined, { cookie: `session=${raw}` }],
      ['GET', `${KEYS}?api_key=${raw}&limit=0`, undefined, {}],
      ['GET', `${KEYS}?owner=${raw}&limit=0`, undefined, {}],
      ['GET', `${KEYS}?cursor=${raw}`, undefined, {}],
      ['GET', `${KEYS}/${raw}`, undefined, {}],
      ['GET', `/v1/users/${raw}`, undefined, {}],
      ['GET', `/v1/nothing/${raw}`, undefined, {}],
      ['POST', KEYS, wrong, {}],
      ['POST', KEYS, { ...wrong, scopes: [raw], roles: [raw] }, {}],
      ['POST', KEYS, { ...live, prefix: raw }, {}],
      ['POST', KEYS, { ...live, allowed_ips: [raw], allowed_origins: [`https://${raw}/`] }, {}],
      ['POST', KEYS, { ...live, kind: raw, plan: raw, owner: raw }, {}],
      ['POST', `${KEYS}/import`, { name: 'x', prefix: 'old_', hash: raw, key_prefix: raw }, {}],
      ['POST', '/v1/users', { id: raw, email: raw, scopes: [7] }, {}],
      ['POST', KEYS, wrong, { 'idempotency-key': raw }],
      ['PATCH', `${KEYS}/${town.weak.id}`, { name: 'y' }, { 'if-match': `"${raw}"` }],
      ['POST', KEYS, wrong, { 'content-type': raw }],
      [
        'GET',
        KEYS,
        undefined,
        { 'x-api-key': raw, referer: `https://a.example.com/?k=${raw}`, origin: raw },
      ],
      [
        'GET',
        `${KEYS}?limit=0`,
        undefined,
        { 'user-agent': raw, 'x-forwarded-for': raw, 'x-auth-username': raw },
      ],
    ];
    for (const [method, path, body, headers] of places) {
      await castle.ask(method, path, body, { headers });
    }
  }
}

async function askTheGate() {
  const client = openCheckClient(castle.postern.checkAddress);
  for (const key of secrets.keys()) {
    await client.check({ path: '/v1/reports/1', headers: [['x-api-key', key]] });
    await client.check({ path: `/v1/reports/1?api_key=${encodeURIComponent(key)}` });
    // A token of the operator's own making has no form by which a path could be known to hold it.
    if (key !== ADMIN) await client.check({ path: `/nowhere/${encodeURIComponent(key)}` });
  }
  client.close();
}

async function report() {
  const found = await keyOf(castle, live);
  secrets.set(found.key, 1);
  const url = `https://example.com/?k=${found.key}`;
  for (const token of [found.key, town.browser.key, mint('pst_live_').raw]) {
    if (!secrets.has(token)) secrets.set(token, 0);
    const body = JSON.stringify([{ token, type: 'pst', url, source: `in ${token}` }]);
    for (const signature of [reporter.signs(body), 'AAAA', reporter.signs(`${body} `)]) {
      const headers = {
        'content-type': 'application/json',
        'github-public-key-identifier': reporter.identifier,
        'github-public-key-signature': signature,
      };
      await castle.shoot({ method: 'POST', path: '/v1/leaked-keys', token: null, headers, body });
    }
  }
}

async function runCommands() {
  const env = { POSTERN_URL: castle.apiUrl, POSTERN_TOKEN: ADMIN };
  const lines: readonly (readonly string[])[] = [
    ['keys', 'list'],
    ['keys', 'show', town.weak.key],
    ['keys', 'rotate', town.strong.key],
    ['keys', 'update', town.weak.id, '--expires-at', town.strong.key],
    ['audit', '--verbose'],
    ['nonsense', town.strong.key],
  ];
  const answers = await Promise.all(lines.map((line) => runCli(line, { env })));
  printed.push(...answers.map(({ stdout, stderr }) => stdout + stderr));
  const denied = await runCli(['keys', 'list'], {
    env: { ...env, POSTERN_TOKEN: town.browser.key },
  });
  printed.push(denied.stdout + denied.stderr);
}

/** The ways in which a text may be written somewhere. */
function formsOf(raw: string): readonly string[] {
  const bytes = Buffer.from(raw);
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(4, -4)
      .replaceAll('=', ''),
  );
  const escaped = [...raw].map((one) => `%${one.charCodeAt(0).toString(16)}`).join('');
  const forms = [raw, encodeURIComponent(raw), bytes.toString('hex'), escaped, ...base64];
  return [...forms, ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))];
}

function findIn(text: string): readonly string[] {
  const low = text.toLowerCase();
  return [...secrets.keys()].filter((raw) =>
    formsOf(raw).some((form) => text.includes(form) || low.includes(form.toLowerCase())),
  );
}

describe('after all of this no credential stands', () => {
  test('in the store, whichever of its files', () => {
    const files = readdirSync(castle.folder).filter((name) => name.startsWith('postern.db'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const text = readFileSync(join(castle.folder, file)).toString('latin1');
      expect([file, findIn(text)]).toEqual([file, []]);
    }
  });

  test('in what is written to standard output and standard error', () => {
    expect(findIn(JSON.stringify(castle.postern.lines()))).toEqual([]);
    expect(findIn(castle.postern.stderr())).toEqual([]);
  });

  test('in the metrics', async () => {
    const page = await (await fetch(`${castle.postern.opsUrl}/metrics`)).text();
    expect(page.length).toBeGreaterThan(1000);
    expect(findIn(page)).toEqual([]);
  });

  test('in an answer but those that made it, and those that repeat one of these', () => {
    const counts = [...secrets].map(([raw, expected]) => {
      const holding = castle.told.filter((text) =>
        formsOf(raw).some((form) => text.includes(form)),
      );
      return [
        raw.slice(0, 12),
        holding.length,
        expected,
        holding.find((text) => !text.includes('"key":'))?.slice(0, 900),
      ] as const;
    });
    expect(counts.filter(([, count, expected]) => count !== expected)).toEqual([]);
  });

  test('in what the command line prints', () => {
    expect(printed.every((text) => text.length > 0)).toBe(true);
    expect(printed.flatMap(findIn)).toEqual([]);
  });

  test('in the arguments or the environment that others may read of the process', () => {
    const { pid } = castle.postern;
    const line = spawnSync('ps', ['-o', 'args=', '-p', String(pid)]).stdout.toString();
    expect(findIn(line)).toEqual([]);
  });
});

test('a credential sent as the id of a request is not kept', async () => {
  const [managed, checked] = [mint('pst_live_').raw, mint('pst_live_').raw];
  const headers = { 'x-request-id': managed };
  await castle.ask('PATCH', `${KEYS}/${town.weak.id}`, { name: 'z' }, { headers });
  const client = openCheckClient(castle.postern.checkAddress);
  await client.check({ path: '/v1/reports/1', headers: [['x-request-id', checked]] });
  client.close();
  const { text } = await castle.ask('GET', '/v1/audit-events?limit=50');
  const lines = JSON.stringify(castle.postern.lines());
  const where = [managed, checked].map((raw) => text.includes(raw) || lines.includes(raw));
  expect(where).toEqual([false, false]);
});
