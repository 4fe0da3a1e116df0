import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPostern } from '../envoy-harness/postern.ts';
import { smallDisk } from '../observe/audit/folder.ts';
import { openReceiver } from '../observe/audit/receiver.ts';
import { type CheckClient, openCheckClient } from './check-client.ts';
import { mint, policyText, sample } from './policy.ts';

const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
const CLIENTS = 8;
const LOAD_MS = 300;
/** What a crash may cost in buffered mode, and a busy machine beside it. */
const LOST_MS_MAX = 100 + 400;

const key = mint();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-kill-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function policyOf(audit: object) {
  return policyText({
    audit,
    api_keys: { declared: [{ id: 'k', hash: key.hash }] },
    plans: { small: { per_day: 1000 } },
    routes: [{ name: 'a', path: '/a/**', access: ['api_key'], plan: 'small' }],
  });
}

/** Asks until it is told to stop; what was answered when, by request id. */
function load(client: CheckClient) {
  const answered = new Map<string, number>();
  const state = { isOver: false, asked: 0 };
  const one = async () => {
    while (!state.isOver) {
      state.asked += 1;
      const id = `r${state.asked}`;
      const headers = [
        ['x-request-id', id],
        ['authorization', `Bearer ${mintedOrNone(state.asked)}`],
      ] as const;
      const answer = await client.check({ path: '/a/x', headers }).catch(() => undefined);
      if (answer) answered.set(id, performance.now());
    }
  };
  const running = Array.from({ length: CLIENTS }, one);
  const end = async () => {
    state.isOver = true;
    await Promise.all(running);
  };
  return { answered, end };
}

function mintedOrNone(at: number): string {
  return at % 2 === 0 ? key.raw : 'pst_unknown';
}

/** Puts a Postern under load and kills it in the middle. */
async function killUnderLoad(audit: object, home: string) {
  const postern = await startPostern({ policy: policyOf(audit), folder: home });
  const client = openCheckClient(postern.checkAddress);
  const running = load(client);
  await delay(LOAD_MS);
  const killedMs = performance.now();
  await postern.kill();
  await running.end();
  client.close();
  return { answered: running.answered, killedMs, lines: postern.lines };
}

const idsIn = (path: string) =>
  new Set(
    [...readFileSync(path, 'utf8').matchAll(/"request_id":"([^"]+)"/g)].map(([, id]) => id ?? ''),
  );

describe('kill -9 under load', () => {
  test('in blocking mode costs no answered check its event: in the file, on standard output, at the webhook', async () => {
    const home = mkdtempSync(join(folder, 'blocking-'));
    const dead = { url: 'http://127.0.0.1:1/', secret: SECRET, format: 'postern' };
    const sinks = [
      'stdout',
      { file: { path: 'audit.jsonl', format: 'postern' } },
      { webhook: dead },
    ];
    const audit = { mode: 'blocking', sinks, spool: 'spool' };
    const { answered, lines } = await killUnderLoad(audit, home);
    expect(answered.size).toBeGreaterThan(CLIENTS);
    const file = idsIn(join(home, 'audit.jsonl'));
    expect([...answered.keys()].filter((id) => !file.has(id))).toEqual([]);
    const told = new Set(lines().map((line) => line['request_id']));
    expect([...answered.keys()].filter((id) => !told.has(id))).toEqual([]);
  });

  test('and the next process delivers what the spool holds, to the last', async () => {
    const home = mkdtempSync(join(folder, 'spool-'));
    let isUp = false;
    const { url, events } = await openReceiver(() => (isUp ? 200 : 503));
    const sinks = [{ webhook: { url, secret: SECRET, format: 'postern' } }];
    const audit = { mode: 'blocking', sinks, spool: 'spool' };
    const { answered } = await killUnderLoad(audit, home);
    isUp = true;
    const again = await startPostern({ policy: policyOf(audit), folder: home });
    const missing = () => {
      const arrived = new Set(events().map((event) => Object(event).request_id));
      return [...answered.keys()].filter((id) => !arrived.has(id));
    };
    await expect.poll(missing, { timeout: 5000 }).toEqual([]);
    const page = await (await fetch(`${again.opsUrl}/metrics`)).text();
    expect(sample(page, 'postern_audit_dropped')).toBe(0);
    await again.kill();
  });

  test('in buffered mode costs what was answered in the last tenth of a second, at most', async () => {
    const home = mkdtempSync(join(folder, 'buffered-'));
    const sinks = [{ file: { path: 'audit.jsonl', format: 'postern' } }];
    const { answered, killedMs } = await killUnderLoad({ sinks }, home);
    const file = idsIn(join(home, 'audit.jsonl'));
    const lost = [...answered].filter(([id]) => !file.has(id)).map(([, atMs]) => killedMs - atMs);
    expect(Math.max(0, ...lost)).toBeLessThan(LOST_MS_MAX);
  });
});

describe('a full disk', () => {
  const small = (mode: string) => ({ mode, sinks: [{ file: { path: 'audit.jsonl' } }] });
  const ask = { path: '/a/x', headers: [['authorization', `Bearer ${key.raw}`]] } as const;

  function fullHome(): string {
    const home = mkdtempSync(join(folder, 'full-'));
    symlinkSync('/dev/full', join(home, 'audit.jsonl'));
    return home;
  }

  test('in blocking mode is 503, takes nothing from limits, and is counted', async () => {
    const home = fullHome();
    const postern = await startPostern({ policy: policyOf(small('blocking')), folder: home });
    const client = openCheckClient(postern.checkAddress);
    for (let at = 0; at < 3; at += 1) {
      const answer = await client.check(ask);
      expect([answer.status, answer.reason]).toEqual([503, 'unavailable']);
      expect(answer.responseHeaders['ratelimit']).toBeUndefined();
    }
    const page = await (await fetch(`${postern.opsUrl}/metrics`)).text();
    expect(sample(page, 'postern_audit_events_total{sink="file",outcome="failed"}')).toBe(3);
    expect(sample(page, 'postern_limit_takes_total{outcome="admitted"}')).toBe(0);
    client.close();
    await postern.kill();
    rmSync(join(home, 'audit.jsonl'));
  });

  test('in buffered mode changes no answer, and what it costs is counted', async () => {
    const home = fullHome();
    const postern = await startPostern({ policy: policyOf(small('buffered')), folder: home });
    const client = openCheckClient(postern.checkAddress);
    expect(await client.check(ask)).toMatchObject({ allowed: true });
    await expect.poll(postern.stderr, { timeout: 5000 }).toContain('ENOSPC');
    const page = await (await fetch(`${postern.opsUrl}/metrics`)).text();
    expect(sample(page, 'postern_audit_waiting_events{sink="file"}')).toBe(1);
    client.close();
    await postern.kill();
  });

  test('that passes over is forgotten: limits stand as if the refused had never asked', async (context) => {
    const disk = smallDisk(256);
    if (disk === undefined) return context.skip('needs the right to mount');
    const postern = await startPostern({ policy: policyOf(small('blocking')), folder: disk });
    const client = openCheckClient(postern.checkAddress);
    fill(join(disk, 'ballast'));
    for (let at = 0; at < 3; at += 1) expect((await client.check(ask)).status).toBe(503);
    rmSync(join(disk, 'ballast'));
    const { status, headers, responseHeaders } = await client.check(ask);
    expect({ status, headers }).toMatchObject({ status: 200 });
    expect(responseHeaders['x-ratelimit-remaining']).toBe('999');
    client.close();
    await postern.kill();
    const lines = readFileSync(join(disk, 'audit.jsonl'), 'utf8').split('\n').slice(0, -1);
    const types = lines.map((line) => JSON.parse(line).type);
    expect(types.filter((type) => type === 'dev.postern.check.allowed')).toHaveLength(1);
  });
});

/** Takes all the room that a disk has left. */
function fill(path: string): void {
  try {
    for (;;) appendFileSync(path, Buffer.alloc(1024));
  } catch {}
}

test('two Posterns do not share an audit file: the second does not start, and says why', async () => {
  const home = mkdtempSync(join(folder, 'shared-'));
  const audit = { sinks: [{ file: { path: join(home, 'audit.jsonl') } }] };
  const first = await startPostern({ policy: policyOf(audit), folder: home });
  const other = mkdtempSync(join(folder, 'other-'));
  const second = startPostern({ policy: policyOf(audit), folder: other });
  await expect(second).rejects.toThrow(
    /audit\.jsonl\.lock is locked: another Postern writes there/,
  );
  await first.kill();
});
