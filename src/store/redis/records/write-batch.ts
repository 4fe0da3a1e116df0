import { randomBytes } from 'node:crypto';
import type { AuditEvent } from '../../../core/records.ts';
import type { Batch, SummedUse } from '../../batch.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { readScript } from '../script.ts';
import { eventIndexes, scoreOf } from './events.ts';
import { createNamedKeys, type NamedKeys } from './named-keys.ts';
import { trimTold } from './prune.ts';
import { type Reply, textsOf } from './read.ts';
import { usageCounts } from './usage.ts';

/** Uses or events of one batch: more would hold up Redis for longer than a few milliseconds. */
export const BATCH_ITEMS = 100;

export type BatchOptions = {
  /** At most so many of the events that no change caused are kept. */
  readonly toldMax: number;
  /** Hears why a use or an event could not be written; it is lost, and the others of its batch are not. */
  readonly onFailure?: ((cause: unknown) => void) | undefined;
};

/** A batch whose answer has not come: it may have been written. */
type Unsure = { readonly number: number; readonly uses: readonly SummedUse[] };
type Writing = {
  readonly link: RedisLink;
  readonly keyspace: Keyspace;
  /** Where the number of this process' last batch stands. */
  readonly writer: string;
};

/** A process that was cut off for longer may count the uses of one batch twice. */
const REMEMBERED_MS = 86_400_000;
const WITHIN_MS = 3000;
const WRITE_BATCH = readScript('write-batch', 'arguments', 'usage', 'block');
const UNDO_BATCH = readScript('undo-batch', 'usage');

/**
 * Makes the write of uses and of events that no change caused: one atomic step for each batch. It rejects where Redis
 * did not answer, and the caller writes the uses again with others; so the batch is given up first, whether it was
 * written, is on its way or never came, and nothing counts twice.
 */
export function createBatchWriter(
  link: RedisLink,
  keyspace: Keyspace,
  options: BatchOptions,
): (batch: Batch) => Promise<void> {
  const writing = { link, keyspace, writer: keyspace.writer(randomBytes(12).toString('hex')) };
  let number = 0;
  let unsure: Unsure | undefined;
  let before: Promise<unknown> = Promise.resolve();
  const writeNext = async (batch: Batch): Promise<void> => {
    if (unsure) await undo(writing, unsure);
    number += 1;
    unsure = { number, uses: batch.uses };
    const { told, problems } = await send(writing, batch, number);
    unsure = undefined;
    for (const problem of problems) options.onFailure?.(new Error(`not written: ${problem}`));
    if (told <= options.toldMax) return;
    try {
      await trimTold(link, keyspace, told - options.toldMax);
    } catch (cause) {
      options.onFailure?.(cause);
    }
  };
  return (batch) => {
    const written = before.then(() => writeNext(batch));
    before = written.catch(() => undefined);
    return written;
  };
}

async function send({ link, keyspace, writer }: Writing, batch: Batch, number: number) {
  const named = createNamedKeys([
    writer,
    keyspace.usageOldest,
    keyspace.keysSeen,
    keyspace.events,
    keyspace.eventsByTime,
    keyspace.eventsTold,
    keyspace.eventNames,
    keyspace.blocksBy('seen'),
  ]);
  const args = [
    ...[number, REMEMBERED_MS, batch.uses.length, batch.events.length],
    ...batch.uses.flatMap((use) => useArgs(keyspace, use, named.placeOf)),
    ...batch.events.flatMap((event, at) => eventArgs(keyspace, event, { at, ...named })),
  ];
  const call = { script: WRITE_BATCH, keys: named.keys(), args, withinMs: WITHIN_MS };
  const reply = await link.runAside(call);
  const [outcome, told, ...problems] = textsOf(reply as Reply);
  if (outcome !== 'written') throw new Error('a batch with the number of another was written');
  return { told: Number(told), problems };
}

async function undo({ link, keyspace, writer }: Writing, { number, uses }: Unsure): Promise<void> {
  const counted = uses.map(usageCounts);
  const args = counted.flatMap((counts) => [
    counts.length,
    ...counts.flatMap(({ field, hour, count }) => [field, hour, count]),
  ]);
  await link.runAside({
    script: UNDO_BATCH,
    keys: [writer, ...uses.map(({ keyId }) => keyspace.usage(keyId))],
    args: [number, REMEMBERED_MS, ...args],
    withinMs: WITHIN_MS,
  });
}

type PlaceOf = NamedKeys['placeOf'];

function useArgs(keyspace: Keyspace, use: SummedUse, placeOf: PlaceOf): (string | number)[] {
  const { keyId, lastMs } = use;
  const counts = usageCounts(use);
  const oldest = use.counts.reduce((least, { hour }) => Math.min(least, hour), Infinity);
  return [
    keyId,
    placeOf(keyspace.usage(keyId)),
    placeOf(keyspace.key(keyId)),
    lastMs,
    counts.length === 0 ? 0 : oldest,
    counts.length,
    ...counts.flatMap(({ field, hour, count }) => [field, hour, count]),
  ];
}

function eventArgs(
  keyspace: Keyspace,
  event: AuditEvent,
  { at, placeOf }: { readonly at: number; readonly placeOf: PlaceOf },
): (string | number)[] {
  const indexes = eventIndexes(keyspace, event).map(placeOf);
  const { id, event: name } = event;
  return [id, scoreOf(event, at), name, JSON.stringify(event), indexes.length, ...indexes];
}
