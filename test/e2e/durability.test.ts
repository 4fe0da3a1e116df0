import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { endProcess } from '../../scripts/lib/run-envoy.ts';
import { type RunningPostern, runPostern } from '../../scripts/lib/run-postern.ts';
import { compareEntries, listAll, resolvePending } from './durability-audit.ts';
import { type Entry, openRandom, openServer, openSteps, type Server } from './durability-ledger.ts';
import { checkKey, type Load, startLoad } from './durability-load.ts';
import { mint, policyText } from './policy.ts';

/** `TEST_ROUNDS=50` takes a minute and a half. */
const ROUNDS = Number(process.env['TEST_ROUNDS'] ?? 10);
const CLIENTS = 4;
const LOAD_MS_MAX = 600;
/** Every tenth load goes on for so much longer, that what was taken early in it is owed. */
const LONG_EVERY = 10;
const LONG_MS = 1500;
/** Keys of earlier rounds that are looked at after each restart; after the last one all are. */
const OLD_ASKED = 20;
/** What a crash may cost of the counters. */
const LOST_MS_MAX = 1000;
const LIMIT = 1_000_000;
const CHANGES = '/v1/audit-events?event=key.*';

const token = randomBytes(32).toString('base64url');
const counted = mint();
const folder = mkdtempSync(join(tmpdir(), 'postern-durability-'));
const configPath = join(folder, 'policy.yaml');
const storePath = join(folder, 'keys.db');
const running: RunningPostern[] = [];

const POLICY = policyText({
  listen: { check: '127.0.0.1:0', api: '127.0.0.1:0', ops: '127.0.0.1:0' },
  store: `sqlite:${storePath}`,
  plans: {
    large: { per_day: LIMIT, per_month: LIMIT, quota: { requests: LIMIT, per: 'month' } },
  },
  scopes: { 'docs:read': 'Read.', 'docs:write': 'Write.' },
  api_keys: { declared: [{ id: 'counted', hash: counted.hash, scopes: ['docs:read'] }] },
  defaults: { access: ['api_key'] },
  routes: [
    { name: 'counted', path: '/counted', plan: 'large' },
    { name: 'read', path: '/read', scopes: ['docs:read'] },
    { name: 'write', path: '/write', scopes: ['docs:write'] },
  ],
});

afterAll(async () => {
  for (const one of running) await endProcess(one.process, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** What all rounds add to. */
type Books = {
  readonly random: () => number;
  readonly clients: readonly Entry[][];
  /** Every acknowledged change. */
  readonly told: string[];
  /** Of each long window: what the file is known to hold, and what is known to be taken since. */
  readonly taken: { day: string; inFile: number; sinceMs: number[]; sent: number };
};

type Started = { readonly program: RunningPostern; readonly server: Server };

async function start(): Promise<Started> {
  const program = await runPostern({ configPath, env: { POSTERN_ADMIN_TOKEN: token } });
  running.push(program);
  return { program, server: openServer(program.addresses, token) };
}

/** Loads a server, kills it at a random moment and starts it again; `faults` is what it does not know as it should. */
async function playRound(books: Books, round: number, started: Started) {
  const { random, clients } = books;
  const { program, server } = started;
  let killedMs = Number.POSITIVE_INFINITY;
  const load = startLoad({
    ...{ server, random, clients },
    steps: openSteps(`${round}`, random),
    countedKey: counted.raw,
    isKilled: () => killedMs < Number.POSITIVE_INFINITY,
  });
  await delay(random() * LOAD_MS_MAX + (round % LONG_EVERY === 0 ? LONG_MS : 0));
  killedMs = performance.now();
  await endProcess(program.process, 'SIGKILL');
  await load.gone;
  server.checks.close();
  const again = await start();
  const faults = [...load.faults, ...(await judge(books, again.server, { load, killedMs }))];
  return { faults, again };
}

type Played = { readonly load: Load; readonly killedMs: number };

async function judge(books: Books, server: Server, played: Played): Promise<readonly string[]> {
  const faults = [...(await judgeCounters(books, server, played))];
  const entries = books.clients.flat();
  const unsure = entries.filter(({ pending }) => pending !== undefined);
  const asked = unsure.flatMap(({ pending }) => pending ?? []);
  for (const entry of unsure) faults.push(...(await resolvePending(server, entry)));
  const touched = new Set([...unsure, ...played.load.told.map(({ entry }) => entry)]);
  for (let at = 0; at < OLD_ASKED; at += 1) {
    const old = entries[Math.floor(books.random() * entries.length)];
    if (old) touched.add(old);
  }
  faults.push(...(await compareEntries(server, [...touched])));
  const names = [
    ...played.load.told.map(({ name }) => name),
    ...asked.filter(({ isRepeatable }) => isRepeatable).map(({ name }) => name),
  ];
  books.told.push(...names);
  const events = await listAll(server, CHANGES, names.length + 200);
  const known = new Set(events.map((event) => event['request_id']));
  faults.push(...names.filter((name) => !known.has(name)).map((name) => `${name} has no event`));
  const integrity = checkFile();
  if (integrity !== 'ok') faults.push(`the file: ${integrity}`);
  return faults;
}

function checkFile(): string {
  const file = new DatabaseSync(storePath, { readOnly: true });
  try {
    const rows = file.prepare('PRAGMA integrity_check').all();
    return rows.map((row) => String(row['integrity_check'])).join('\n');
  } finally {
    file.close();
  }
}

/** Of what was taken a second before the end, nothing is lost; and nothing is counted that was not asked. */
async function judgeCounters(
  { taken }: Books,
  server: Server,
  { load, killedMs }: Played,
): Promise<readonly string[]> {
  const day = new Date().toISOString().slice(0, 10);
  const { atMs, sent } = load.counted;
  const owed = [...taken.sinceMs, ...atMs].filter((timeMs) => timeMs < killedMs - LOST_MS_MAX);
  const least = taken.inFile + owed.length;
  const most = taken.inFile + taken.sent + sent();
  const answer = await checkKey(server, '/counted', counted.raw);
  const uses = [...(answer?.responseHeaders['ratelimit'] ?? '').matchAll(/"(\w+)";r=(\d+)/g)].map(
    ([, label, left]) => ({ label, used: LIMIT - Number(left) - 1 }),
  );
  const isNewDay = taken.day !== day;
  const lowest = Math.min(...uses.map(({ used }) => used));
  Object.assign(taken, { day, inFile: lowest, sinceMs: [performance.now()], sent: 1 });
  if (uses.length !== 3) return [`the counted key: ${answer?.reason}`];
  if (isNewDay) return [];
  return uses
    .filter(({ used }) => used < least || used > most)
    .map(({ label, used }) => `${label}: ${used} taken, not ${least} to ${most}`);
}

test(`killed ${ROUNDS} times under load, it loses nothing that it acknowledged`, async () => {
  const seed = Number(process.env['DURABILITY_SEED'] ?? Date.now() % 1_000_000_000);
  const day = new Date().toISOString().slice(0, 10);
  const books: Books = {
    random: openRandom(seed),
    clients: Array.from({ length: CLIENTS }, () => []),
    told: [],
    taken: { day, inFile: 0, sinceMs: [], sent: 0 },
  };
  writeFileSync(configPath, POLICY);
  let started = await start();
  for (let round = 1; round <= ROUNDS; round += 1) {
    const { faults, again } = await playRound(books, round, started);
    started = again;
    expect({ seed, round, faults }).toEqual({ seed, round, faults: [] });
  }
  const { server } = started;
  const entries = books.clients.flat();
  const faults = await compareEntries(server, entries);
  const events = await listAll(server, CHANGES);
  const names = events.map((event) => event['request_id']);
  const known = new Set(names);
  server.checks.close();
  expect({ seed, faults }).toEqual({ seed, faults: [] });
  expect(books.told.filter((name) => !known.has(name))).toEqual([]);
  expect(names).toHaveLength(known.size);
  expect(entries.length).toBeGreaterThan(ROUNDS);
}, 180_000);
