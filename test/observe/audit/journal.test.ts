import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openJournal } from '../../../src/observe/audit/journal.ts';

const BATCH_MS = 20;

/** A journal on a target whose writes end when the test says so. */
function openHeld() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const writes: { readonly text: string; readonly end: () => void }[] = [];
  const journal = openJournal({
    target: {
      append: (bytes) =>
        new Promise((resolve) => {
          writes.push({ text: Buffer.from(bytes).toString(), end: resolve });
        }),
      close: async () => {},
    },
    batchMs: BATCH_MS,
    isSynced: false,
    isTriedAgain: false,
    onFailure: () => {},
  });
  const endLast = async () => {
    writes.at(-1)?.end();
    await turn();
  };
  return { journal, endLast, written: () => writes.map(({ text }) => text) };
}

test('what comes while a batch is written is collected too, so that a busy gate makes few writes', async () => {
  const { journal, endLast, written } = openHeld();
  journal.write('a');
  vi.advanceTimersByTime(BATCH_MS);
  expect(written()).toEqual(['a\n']);
  journal.write('b');
  await endLast();
  expect(written()).toHaveLength(1);
  vi.advanceTimersByTime(BATCH_MS / 2);
  journal.write('c');
  vi.advanceTimersByTime(BATCH_MS / 2);
  expect(written()).toEqual(['a\n', 'b\nc\n']);
});

test('what somebody waits for goes as soon as the batch before it is written', async () => {
  const { journal, endLast, written } = openHeld();
  journal.write('a');
  vi.advanceTimersByTime(BATCH_MS);
  const { isKept } = journal.keep('b');
  await endLast();
  expect(written()).toEqual(['a\n', 'b\n']);
  await endLast();
  expect(await isKept).toBe(true);
});

test('more than a batch goes in one run', async () => {
  const { journal, endLast, written } = openHeld();
  for (let at = 0; at < 6; at += 1) journal.write('x'.repeat(400_000));
  vi.advanceTimersByTime(BATCH_MS);
  await endLast();
  expect(written().map((text) => text.length)).toEqual([1_200_003, 1_200_003]);
});
