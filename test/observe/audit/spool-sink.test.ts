import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { createChainDigest } from '../../../src/core/audit-chain.ts';
import { createChainCheck } from '../../../src/core/audit-verify.ts';
import type { Carrier } from '../../../src/observe/audit/deliver/delivery.ts';
import { createWebhookCarrier } from '../../../src/observe/audit/deliver/webhook-carrier.ts';
import type { SinkOptions } from '../../../src/observe/audit/local-sinks.ts';
import { openSpoolSink } from '../../../src/observe/audit/spool-sink.ts';
import { createWebhookSender } from '../../../src/observe/webhook/sender.ts';
import { sinkOptions, testFolder, until } from './folder.ts';
import { openReceiver } from './receiver.ts';

const GRACE_MS = 2000;
const MEBIBYTE = 1024 * 1024;
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

const event = (name: string | number, pad = '') => JSON.stringify({ id: String(name), pad });
const numbers = (count: number) => Array.from({ length: count }, (_, at) => String(at));

/** Carries to a list, as long as it is told to. */
function listCarrier() {
  const carried: string[] = [];
  const state = { isUp: true, tries: 0 };
  const carrier: Carrier = {
    carry: async (events) => {
      state.tries += 1;
      if (state.isUp) carried.push(...events);
      return state.isUp;
    },
    close: async () => {},
  };
  return { carrier, state, ids: () => carried.map((line) => JSON.parse(line).id), carried };
}

async function open(
  folder: string,
  carrier: Carrier,
  options: Partial<SinkOptions> & { readonly maxBytes?: number } = {},
) {
  const { maxBytes = MEBIBYTE, ...rest } = options;
  const { options: given, failures } = sinkOptions({ mode: 'blocking', ...rest });
  const sink = await openSpoolSink({ folder, carrier, maxBytes, retryMs: 10 }, given);
  return { ...sink, failures };
}

function bytesIn(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

test('events are delivered in order, and what was delivered is removed from the disk', async () => {
  const folder = testFolder();
  const { carrier, ids } = listCarrier();
  const sink = await open(folder, carrier);
  const pad = 'x'.repeat(2000);
  for (const id of numbers(400)) await sink.keep(event(id, pad)).isKept;
  await until(() => ids().length === 400);
  await until(() => sink.counts().waitingEvents === 0);
  await sink.close(GRACE_MS);
  expect(ids()).toEqual(numbers(400));
  expect(sink.counts()).toMatchObject({ written: 400, dropped: 0, failed: 0, waitingBytes: 0 });
  expect(bytesIn(folder)).toBeLessThan(200_000);
});

test('while nobody takes them they wait, and the next process delivers them', async () => {
  const folder = testFolder();
  const dead = listCarrier();
  dead.state.isUp = false;
  const first = await open(folder, dead.carrier);
  for (const id of numbers(30)) expect(await first.keep(event(id)).isKept).toBe(true);
  await until(() => dead.state.tries > 0);
  expect(first.counts()).toMatchObject({ written: 0, waitingEvents: 30 });
  await first.close(GRACE_MS);
  const { carrier, ids } = listCarrier();
  const second = await open(folder, carrier);
  second.write(event('new'));
  await second.close(GRACE_MS);
  expect(ids()).toEqual([...numbers(30), 'new']);
});

test('a cursor that cannot be read costs nothing but a second delivery', async () => {
  const folder = testFolder();
  const one = listCarrier();
  const first = await open(folder, one.carrier);
  for (const id of numbers(5)) await first.keep(event(id)).isKept;
  await first.close(GRACE_MS);
  expect(one.ids()).toEqual(numbers(5));
  for (const cursor of ['', 'x', '7 99\n', '1 999999\n']) {
    writeFileSync(join(folder, 'cursor'), cursor);
    const again = listCarrier();
    await (await open(folder, again.carrier)).close(GRACE_MS);
    expect(again.ids()).toEqual(numbers(5));
  }
});

test('what a crash left of an event is cut off; what the loss of power left is counted', async () => {
  const folder = testFolder();
  const dead = listCarrier();
  dead.state.isUp = false;
  const first = await open(folder, dead.carrier);
  await first.keep(event('a')).isKept;
  await first.close(GRACE_MS);
  const [segment = ''] = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  appendFileSync(join(folder, segment), `\0\0\0\0\n${event('b')}\n{"id":"ha`);
  const { carrier, ids } = listCarrier();
  const second = await open(folder, carrier);
  await second.keep(event('c')).isKept;
  await second.close(GRACE_MS);
  expect(ids()).toEqual(['a', 'b', 'c']);
  expect(second.counts()).toMatchObject({ written: 3, failed: 1 });
});

test('a full spool takes nothing more, says so, and the chain tells how many it was', async () => {
  const folder = testFolder();
  const { carrier, state, carried } = listCarrier();
  state.isUp = false;
  const sink = await open(folder, carrier, { chain: true, maxBytes: 100_000 });
  const pad = 'x'.repeat(5000);
  const answers: boolean[] = [];
  for (const id of numbers(40)) answers.push(await sink.keep(event(id, pad)).isKept);
  const taken = answers.filter((isKept) => isKept).length;
  expect(sink.counts()).toMatchObject({ dropped: 40 - taken, waitingEvents: taken });
  expect(bytesIn(folder)).toBeLessThanOrEqual(105_000);
  state.isUp = true;
  await until(() => sink.counts().waitingEvents === 0);
  await sink.keep(event('last')).isKept;
  await sink.close(GRACE_MS);
  const check = createChainCheck(createChainDigest());
  for (const line of carried) check.take(Buffer.from(line), 'carried');
  expect(check.end().faults).toMatchObject([{ kind: 'dropped', from: taken + 1, to: 40 }]);
});

test('two do not share a spool', async () => {
  const folder = testFolder();
  const { carrier } = listCarrier();
  const first = await open(folder, carrier);
  await expect(open(folder, carrier)).rejects.toThrow(/another Postern writes there/);
  await first.close(GRACE_MS);
});

describe('a webhook', () => {
  const carrierTo = (url: string, format: 'postern' | 'ocsf' = 'ocsf', timeoutMs = 200) =>
    createWebhookCarrier(createWebhookSender({ url, secret: SECRET, timeoutMs }), format, () =>
      Date.now(),
    );

  test('is sent batches that are signed, as CloudEvents or as plain JSON', async () => {
    for (const [format, type] of [
      ['ocsf', 'application/cloudevents-batch+json; charset=utf-8'],
      ['postern', 'application/json; charset=utf-8'],
    ] as const) {
      const { url, received, events } = await openReceiver(() => 204);
      const sink = await open(testFolder(), carrierTo(url, format), { format });
      for (const id of numbers(20)) sink.write(event(id));
      await until(() => events().length === 20);
      await sink.close(GRACE_MS);
      expect(events().map(({ id }) => id)).toEqual(numbers(20));
      for (const { headers, body } of received) {
        expect(headers['content-type']).toBe(type);
        expect(() => new Webhook(SECRET).verify(body, headers)).not.toThrow();
      }
    }
  });

  test('that fails, refuses or does not answer has each event in the end, under the same id', async () => {
    const answers: (number | undefined)[] = [500, 401, undefined, 429];
    const ids = new Set<string>();
    const { url, events } = await openReceiver(({ headers }) => {
      ids.add(headers['webhook-id'] ?? '');
      return answers.length > 0 ? answers.shift() : 200;
    });
    const sink = await open(testFolder(), carrierTo(url));
    await sink.keep(event('a')).isKept;
    await until(() => events().length === 1);
    await sink.close(GRACE_MS);
    expect({ events: events().length, ids: ids.size }).toEqual({ events: 1, ids: 1 });
  });

  test('that is not there keeps nobody waiting', async () => {
    const sink = await open(testFolder(), carrierTo('http://127.0.0.1:1/'));
    for (const id of numbers(10)) expect(await sink.keep(event(id)).isKept).toBe(true);
    expect(sink.counts()).toMatchObject({ written: 0, dropped: 0, waitingEvents: 10 });
    const startMs = performance.now();
    await sink.close(GRACE_MS);
    expect(performance.now() - startMs).toBeLessThan(GRACE_MS);
  });
});

test('files of a spool are for their owner alone', async () => {
  const folder = join(testFolder(), 'spool');
  const { carrier } = listCarrier();
  const sink = await open(folder, carrier);
  await sink.keep(event('a')).isKept;
  await sink.close(GRACE_MS);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(folder)) {
    expect([name, statSync(join(folder, name)).mode & 0o077]).toEqual([name, 0]);
  }
  expect(readFileSync(join(folder, 'cursor'), 'utf8')).toMatch(/^1 \d+\n$/);
});

test('a cursor beyond the end is put right at once: later events do not grow up to it', async () => {
  const folder = testFolder();
  const dead = listCarrier();
  dead.state.isUp = false;
  writeFileSync(join(folder, 'cursor'), '1 400\n');
  for (const id of ['a', 'b']) {
    const sink = await open(folder, dead.carrier);
    await sink.keep(event(id, 'x'.repeat(300))).isKept;
    await sink.close(GRACE_MS);
  }
  const { carrier, ids } = listCarrier();
  await (await open(folder, carrier)).close(GRACE_MS);
  expect(ids()).toEqual(['a', 'b']);
});

test('where the cursor cannot be written, what was delivered is removed all the same', async () => {
  const folder = testFolder();
  const { carrier, ids } = listCarrier();
  mkdirSync(join(folder, 'cursor.next'));
  const sink = await open(folder, carrier);
  for (const id of numbers(40)) await sink.keep(event(id, 'x'.repeat(20_000))).isKept;
  await until(() => sink.counts().waitingEvents === 0);
  await until(() => bytesIn(folder) < 100_000 + 4096);
  await sink.close(GRACE_MS);
  expect(ids()).toEqual(numbers(40));
});

test('a segment whose last line has no end holds up none behind it', async () => {
  const folder = testFolder();
  writeFileSync(join(folder, '000000000001.jsonl'), `${event('a')}\n{"id":"half`);
  writeFileSync(join(folder, '000000000002.jsonl'), `${event('b')}\n`);
  const { carrier, ids } = listCarrier();
  await (await open(folder, carrier)).close(GRACE_MS);
  expect(ids()).toEqual(['a', 'b']);
});

test('the chain goes on after a crash that left a new segment without a line', async () => {
  const folder = testFolder();
  const dead = listCarrier();
  dead.state.isUp = false;
  const first = await open(folder, dead.carrier, { chain: true });
  for (const id of numbers(3)) await first.keep(event(id)).isKept;
  await first.close(GRACE_MS);
  writeFileSync(join(folder, '000000000002.jsonl'), '');
  const { carrier, carried } = listCarrier();
  const second = await open(folder, carrier, { chain: true });
  await second.keep(event('3')).isKept;
  await second.close(GRACE_MS);
  const check = createChainCheck(createChainDigest());
  for (const line of carried) check.take(Buffer.from(line), 'carried');
  expect(check.end()).toMatchObject({ events: 4, first: 1, faults: [] });
});
