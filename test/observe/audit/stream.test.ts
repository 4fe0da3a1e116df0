import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Entry } from '../../../src/observe/audit/format.ts';
import { openAuditStream, type StreamSettings } from '../../../src/observe/audit/open-stream.ts';
import { testFolder, until } from './folder.ts';

const GRACE_MS = 2000;
const PIPE_BYTES = 1024 * 1024;
const ORIGIN = { product: 'Shop', instance: 'pod-1', version: '1' };
const SETTINGS: StreamSettings = {
  mode: 'blocking',
  chain: false,
  sinks: [{ kind: 'stdout', format: 'postern' }],
  spoolMaxBytes: PIPE_BYTES,
};

const entryOf = (id: string, pad = ''): Entry => ({
  kind: 'event',
  event: { id, time: '2026-08-15T12:30:30.250Z', event: 'key.created', facts: { pad } },
});

function open(settings: Partial<StreamSettings>, stdout: number) {
  return openAuditStream(
    { ...SETTINGS, ...settings },
    {
      ...{ origin: ORIGIN, stdout },
      makeSender: () => {
        throw new Error('no webhook is named');
      },
      onFailure: () => {},
    },
  );
}

/** A pipe that nobody reads until the test does. */
function openPipe() {
  const path = join(testFolder(), 'pipe');
  spawnSync('mkfifo', [path]);
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(() => closeSync(descriptor));
  let text = '';
  const read = () => {
    const piece = Buffer.alloc(PIPE_BYTES);
    try {
      text += piece.toString('utf8', 0, readSync(descriptor, piece));
    } catch {}
    return text;
  };
  return { descriptor, read };
}

test('where the reader of standard output stalls, what is to be kept is not, and is not written later', async () => {
  const { descriptor, read } = openPipe();
  const stream = await open({}, descriptor);
  expect(await stream.keep(entryOf('first'), GRACE_MS)).toBe(true);
  expect(await stream.keep(entryOf('large', 'x'.repeat(PIPE_BYTES)), 20)).toBe(false);
  const late = ['a', 'b', 'c'].map((id) => stream.keep(entryOf(id), 20));
  expect(await Promise.all(late)).toEqual([false, false, false]);
  await until(() => read().includes('x"}}\n'));
  expect(await stream.keep(entryOf('last'), GRACE_MS)).toBe(true);
  await stream.close(GRACE_MS);
  const ids = read()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).id);
  expect(ids).toEqual(['first', 'large', 'last']);
});

test('each sink has its format and its own chain; standard output tells where listeners are', async () => {
  const folder = testFolder();
  const { descriptor, read } = openPipe();
  const file = (name: string, format: 'postern' | 'ocsf') =>
    ({ kind: 'file', format, path: join(folder, name), maxBytes: 1e6, keepFiles: 1 }) as const;
  const sinks = [file('a', 'postern'), file('b', 'ocsf')];
  const stream = await open({ mode: 'buffered', chain: true, sinks }, descriptor);
  stream.announce('{"msg":"listening"}');
  for (const id of ['e1', 'e2']) stream.tell(entryOf(id));
  await stream.close(GRACE_MS);
  const linesOf = (name: string) =>
    readFileSync(join(folder, name), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  expect(linesOf('a')).toMatchObject([
    { id: 'e1', seq: 1 },
    { id: 'e2', seq: 2 },
  ]);
  expect(linesOf('b')).toMatchObject([
    { id: 'e1', type: 'dev.postern.key.created', sequence: '0000000000000001' },
    { id: 'e2', sequence: '0000000000000002' },
  ]);
  expect(read()).toBe('{"msg":"listening"}\n');
  expect(stream.counts()).toMatchObject([
    { sink: 'file', written: 2 },
    { sink: 'file-2', written: 2 },
  ]);
});

test('what is told of listeners on standard output is no event, and is not counted as one', async () => {
  const { descriptor, read } = openPipe();
  const stream = await open({}, descriptor);
  for (const listener of ['check', 'ops']) stream.announce(JSON.stringify({ listener }));
  expect(await stream.keep(entryOf('e1'), GRACE_MS)).toBe(true);
  expect(stream.counts()).toMatchObject([{ sink: 'stdout', written: 1, dropped: 0 }]);
  await stream.close(GRACE_MS);
  expect(read().split('\n')).toHaveLength(4);
});

test('where one sink cannot be opened none stays open', async () => {
  const path = join(testFolder(), 'audit.jsonl');
  const file = { kind: 'file', format: 'ocsf', path, maxBytes: 1e6, keepFiles: 1 } as const;
  const twice = open({ sinks: [file, file] }, 1);
  await expect(twice).rejects.toThrow(/another Postern writes there/);
  const stream = await open({ sinks: [file] }, 1);
  await stream.close(GRACE_MS);
});
