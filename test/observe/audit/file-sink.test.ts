import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createChainDigest } from '../../../src/core/audit-chain.ts';
import { createChainCheck } from '../../../src/core/audit-verify.ts';
import { openFileSink, type SinkOptions } from '../../../src/observe/audit/local-sinks.ts';
import { sinkOptions, smallDisk, testFolder, until } from './folder.ts';

const GRACE_MS = 2000;
const LARGE = { maxBytes: 1024 * 1024, keepFiles: 3 };
const PAD = 'x'.repeat(900);

const event = (name: string | number, pad = '') => JSON.stringify({ id: String(name), pad });
const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n').slice(0, -1);
const idsOf = (path: string) => linesOf(path).map((line) => JSON.parse(line).id);
const numbers = (count: number) => Array.from({ length: count }, (_, at) => String(at));

async function open(path: string, options: Partial<SinkOptions> = {}, size = LARGE) {
  const { options: given, failures } = sinkOptions(options);
  const sink = await openFileSink({ path, ...size }, given);
  return { ...sink, failures, end: () => sink.close(GRACE_MS) };
}

/** The files of a log, the oldest first. */
function filesOf(path: string): readonly string[] {
  const folder = join(path, '..');
  const old = readdirSync(folder).filter((name) => /^audit\.\w+\.\d/.test(name));
  return [...old.sort().map((name) => join(folder, name)), path];
}

function faultsOf(files: readonly string[], key?: string) {
  const check = createChainCheck(createChainDigest(key));
  for (const file of files) {
    for (const line of linesOf(file)) check.take(Buffer.from(line), file);
  }
  return check.end();
}

test('events are lines, in order, in a file for its owner alone', async () => {
  const path = join(testFolder(), 'deep', 'audit.jsonl');
  const sink = await open(path);
  for (const id of numbers(500)) expect(sink.write(event(id))).toBe(true);
  expect(sink.counts().waitingEvents).toBe(500);
  await sink.end();
  expect(idsOf(path)).toEqual(numbers(500));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(sink.counts()).toMatchObject({ written: 500, dropped: 0, failed: 0, waitingBytes: 0 });
});

test('what was kept is in the file when the answer comes', async () => {
  const path = join(testFolder(), 'audit.jsonl');
  const sink = await open(path, { mode: 'blocking' });
  const kept = numbers(50).map((id) => ({ id, ...sink.keep(event(id)) }));
  for (const { id, isKept } of kept) {
    expect(await isKept).toBe(true);
    expect(idsOf(path)).toContain(id);
  }
  await sink.end();
});

test('the end that a crash cut off is cut off, and events go on behind the last whole one', async () => {
  const path = join(testFolder(), 'audit.jsonl');
  writeFileSync(path, `${event('a')}\n${event('b')}\n{"id":"half`);
  const sink = await open(path);
  sink.write(event('c'));
  await sink.end();
  expect(idsOf(path)).toEqual(['a', 'b', 'c']);
});

test('a file of nothing but a cut line begins anew', async () => {
  const path = join(testFolder(), 'audit.jsonl');
  writeFileSync(path, '{"id":"half');
  const sink = await open(path);
  sink.write(event('a'));
  await sink.end();
  expect(idsOf(path)).toEqual(['a']);
});

test('zeros that the loss of power left, however many, cost no event before them', async () => {
  const path = join(testFolder(), 'audit.jsonl');
  writeFileSync(path, `${event('a')}\n${event('b')}\n`);
  truncateSync(path, 5 * 1024 * 1024);
  const sink = await open(path);
  sink.write(event('c'));
  await sink.end();
  expect(idsOf(path)).toEqual(['a', 'b', 'c']);
});

test('two do not write one file, and the next may once the first is done', async () => {
  const path = join(testFolder(), 'audit.jsonl');
  const first = await open(path);
  await expect(open(path)).rejects.toThrow(/another Postern writes there/);
  await first.end();
  const second = await open(path);
  await second.end();
});

describe('rotation', () => {
  const SMALL = { maxBytes: 4000, keepFiles: 2 };

  test('begins a new file at a size, and keeps so many old ones', async () => {
    const path = join(testFolder(), 'audit.jsonl');
    const sink = await open(path, { mode: 'blocking' }, SMALL);
    for (const id of numbers(20)) await sink.keep(event(id, PAD)).isKept;
    await sink.end();
    const files = filesOf(path);
    expect(files).toHaveLength(3);
    for (const file of files) expect(statSync(file).size).toBeLessThanOrEqual(SMALL.maxBytes);
    expect(files.flatMap(idsOf)).toEqual(numbers(20).slice(-files.flatMap(idsOf).length));
  });

  test('by somebody else is followed', async () => {
    const path = join(testFolder(), 'audit.jsonl');
    const sink = await open(path, { mode: 'blocking' });
    await sink.keep(event('a')).isKept;
    renameSync(path, `${path}.1`);
    let at = 0;
    await until(async () => {
      at += 1;
      await sink.keep(event(`b${at}`)).isKept;
      return existsSync(path);
    });
    await sink.end();
    const ids = [...idsOf(`${path}.1`), ...idsOf(path)];
    expect(ids).toEqual(['a', ...Array.from({ length: at }, (_, index) => `b${index + 1}`)]);
  });

  test('that cuts the file in place is followed', async () => {
    const path = join(testFolder(), 'audit.jsonl');
    const sink = await open(path, { mode: 'blocking' });
    await sink.keep(event('a')).isKept;
    writeFileSync(path, '');
    await sink.keep(event('b')).isKept;
    await sink.end();
    expect(idsOf(path)).toEqual(['b']);
  });
});

describe.each([true, { key: 'a key that nobody else has, and long enough' }])(
  'the chain %j',
  (chain) => {
    const key = typeof chain === 'object' ? chain.key : undefined;

    test('goes on after a crash in the middle of a rotation', async () => {
      const path = join(testFolder(), 'audit.jsonl');
      for (const turn of numbers(2)) {
        const sink = await open(path, { chain, mode: 'blocking' });
        for (const id of numbers(3)) await sink.keep(event(id)).isKept;
        await sink.end();
        if (turn === '0') renameSync(path, `${path}.20261121T064028123Z`);
        if (turn === '0') writeFileSync(path, '');
      }
      expect(faultsOf(filesOf(path), key)).toMatchObject({ events: 6, first: 1, faults: [] });
    });

    test('goes on across restarts, a crash and rotation', async () => {
      const path = join(testFolder(), 'audit.jsonl');
      for (let turn = 0; turn < 3; turn += 1) {
        const size = { maxBytes: 6000, keepFiles: 100 };
        const sink = await open(path, { chain, mode: 'blocking' }, size);
        for (const id of numbers(10)) await sink.keep(event(id, PAD)).isKept;
        await sink.end();
        appendFileSync(path, '{"id":"half');
      }
      await (await open(path, { chain })).end();
      expect(faultsOf(filesOf(path), key)).toMatchObject({ events: 30, first: 1, faults: [] });
    });
  },
);

describe('a full disk', () => {
  /** It refuses every byte. */
  function fullPath(): string {
    const path = join(testFolder(), 'audit.jsonl');
    symlinkSync('/dev/full', path);
    return path;
  }

  test('holds up nobody: what does not fit into memory is dropped, and counted', async () => {
    const sink = await open(fullPath());
    const large = event('large', 'x'.repeat(1024 * 1024));
    const taken = numbers(20).map(() => sink.write(large));
    expect(taken.filter((isTaken) => isTaken)).toHaveLength(15);
    expect(sink.counts()).toMatchObject({ written: 0, dropped: 5, waitingEvents: 15 });
    await until(() => sink.failures.length > 0);
    expect(sink.failures.map(String).join()).toContain('ENOSPC');
    await sink.close(50);
  });

  test('refuses at once what somebody waits for, and does not write it later', async () => {
    const sink = await open(fullPath(), { mode: 'blocking' });
    const kept = [sink.keep(event('a')), sink.keep(event('b'))];
    expect(await Promise.all(kept.map(({ isKept }) => isKept))).toEqual([false, false]);
    expect(sink.counts()).toMatchObject({ written: 0, failed: 2, waitingEvents: 0 });
    await sink.close(50);
  });

  test('leaves no half event, and goes on when there is room; the chain tells what was lost', async (context) => {
    const disk = smallDisk(64);
    if (disk === undefined) return context.skip('needs the right to mount');
    const path = join(disk, 'audit.jsonl');
    writeFileSync(join(disk, 'ballast'), 'x'.repeat(40 * 1024));
    const sink = await open(path, { chain: true, mode: 'blocking' });
    const answers: boolean[] = [];
    for (const id of numbers(40)) answers.push(await sink.keep(event(id, PAD)).isKept);
    expect(answers).toContain(true);
    expect(answers.at(-1)).toBe(false);
    rmSync(join(disk, 'ballast'));
    expect(await sink.keep(event('last')).isKept).toBe(true);
    await sink.end();
    const recorded = numbers(40).filter((_, at) => answers[at]);
    expect(idsOf(path)).toEqual([...recorded, 'last']);
    expect(faultsOf([path]).faults).toEqual([]);
  });
});

test('an event that was given up before its turn is not written', async () => {
  const path = join(testFolder(), 'audit.jsonl');
  const sink = await open(path, { mode: 'blocking' });
  const [first, second] = [sink.keep(event('a')), sink.keep(event('b'))];
  second.withdraw();
  expect(await Promise.all([first.isKept, second.isKept])).toEqual([true, false]);
  await sink.end();
  expect(idsOf(path)).toEqual(['a']);
});
