import { describe, expect, test, vi } from 'vitest';
import { openLink } from '../../../src/store/sql/worker-link.ts';

const SCRIPT = new URL('./mortal-worker.ts', import.meta.url);
const failure = (promise: Promise<unknown>) => promise.catch((error: Error) => error);

describe('a worker', () => {
  test('answers, and its failures reject with their cause', async () => {
    const link = await openLink(SCRIPT, 'well');
    const answers = [link.ask('answer', []), failure(link.ask('fail', [])), link.ask('answer', [])];
    expect(await Promise.all(answers)).toEqual(['an answer', expect.any(Error), 'an answer']);
    expect(await answers[1]).toMatchObject({
      message: 'the store failed: fail',
      cause: { message: 'a failure' },
    });
    await link.close();
  });

  test('that cannot start rejects with what kept it from that', async () => {
    await expect(openLink(SCRIPT, 'unable')).rejects.toThrow('unable to start');
  });

  test.each([
    ['die', 'a death'],
    ['exit', 'the thread of the store ended'],
  ])('that ends (%s) rejects all that waits, and another takes its place', async (op, cause) => {
    const link = await openLink(SCRIPT, 'well');
    const waiting = [failure(link.ask('wait', [])), failure(link.ask(op, []))];
    expect(await Promise.all(waiting)).toEqual([
      expect.objectContaining({ message: 'the store failed: wait' }),
      expect.objectContaining({ message: `the store failed: ${op}` }),
    ]);
    expect(await waiting[0]).toMatchObject({ cause: { message: cause } });
    await vi.waitFor(async () => expect(await link.ask('answer', [])).toBe('an answer'), 5000);
    await link.close();
  });

  test('answers what it was asked before it is closed, and is asked nothing after', async () => {
    const link = await openLink(SCRIPT, 'well');
    const asked = link.ask('answer', []);
    await link.close();
    expect(await asked).toBe('an answer');
    await expect(link.ask('answer', [])).rejects.toThrow('closed');
  });

  test('that does not hear its end is ended all the same', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      const link = await openLink(SCRIPT, 'deaf');
      const closed = link.close();
      await vi.advanceTimersByTimeAsync(5000);
      await closed;
    } finally {
      vi.useRealTimers();
    }
  });
});
