import { subjectOfCounter } from '../../../core/charge.ts';
import type { CounterItem } from '../../../core/store-copy.ts';
import { windowAt } from '../../../core/take.ts';
import { readState } from '../limits/limit-codec.ts';
import { createCounterKeys } from '../limits/limit-trips.ts';
import { slotOf } from '../link/slots.ts';
import { readScript } from '../script.ts';
import type { CopyPlace } from './copy-place.ts';
import { walkTexts } from './copy-walk.ts';

/** As long as a script that takes keeps a counter after it says nothing more. */
const MARGIN_MS = 60_000;
const WITHIN_MS = 3000;
const RESTORE = readScript('restore-counter');
const NAME = /\{([\w-]+)\}:([\w-]+)$/;

/** The counters that are not over, in parts. */
export async function* walkCounters(
  place: CopyPlace,
  nowMs: number,
): AsyncGenerator<readonly CounterItem[]> {
  const { link, keyspace } = place;
  for (const nodeKey of link.keysOfNodes()) {
    for await (const found of walkTexts(place, nodeKey, keyspace.counter('*', '*'))) {
      yield found.flatMap(([name, text]) => {
        const [, subject, counter] = NAME.exec(name) ?? [];
        if (subject === undefined || counter === undefined || endOf(text) <= nowMs) return [];
        return [{ kind: 'counter', digests: { subject, counter }, text }] as const;
      });
    }
  }
}

/** Keeps counters that are not there yet. */
export async function restoreCounters(
  { link, keyspace }: CopyPlace,
  items: readonly CounterItem[],
  nowMs: number,
): Promise<void> {
  const keyOf = createCounterKeys(keyspace);
  const kept = items.map((item) => {
    if ('digests' in item) {
      const { subject, counter } = item.digests;
      return { key: keyspace.counter(subject, counter), text: item.text };
    }
    const subject = subjectOfCounter(item.counter);
    if (subject === undefined) throw new Error('a counter in the store names no subject');
    return { key: keyOf({ counter: item.counter, subject }), text: writeWindows(item.windows) };
  });
  const running = kept.filter(({ text }) => endOf(text) > nowMs);
  const slots = Map.groupBy(running, ({ key }) => (link.isCluster ? slotOf(key) : 0));
  const calls = [...slots.values()].map((group) =>
    link.runAside({
      script: RESTORE,
      keys: group.map(({ key }) => key),
      args: group.flatMap(({ text }) => [text, Math.ceil(endOf(text) - nowMs) + MARGIN_MS]),
      withinMs: WITHIN_MS,
    }),
  );
  await Promise.all(calls);
}

function writeWindows(
  windows: readonly { readonly slot: number; readonly startMs: number; readonly count: number }[],
): string {
  return windows.flatMap(({ slot, startMs, count }) => [slot, startMs, count]).join(',');
}

/** When a counter says nothing more, epoch ms: the end of its last window, or that of its bucket, which stands last. */
function endOf(text: string): number {
  const state = readState(text);
  const ends = (state?.windows ?? []).map(({ slot, startMs }) => windowAt(slot, startMs).endMs);
  const bucketEnd = state?.bucket ? Number(text.slice(text.lastIndexOf(',') + 1)) : 0;
  return Math.max(0, bucketEnd, ...ends);
}
