import { expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/records.ts';
import { createEventBuffer } from '../../src/store/buffers.ts';
import { NOW } from '../core/build.ts';

const TIME = new Date(NOW).toISOString();
const FLOOD = 20_000;

/** A buffer before a store that is away until the test says otherwise. */
function openBuffer() {
  const written: AuditEvent[] = [];
  const store = { isAway: true };
  const write = async ({ events }: { readonly events: readonly AuditEvent[] }) => {
    if (store.isAway) throw new Error('the store is away');
    written.push(...events);
  };
  const buffer = createEventBuffer(write, { partSize: FLOOD });
  const record = (event: string, id: string) => buffer.recordEvent({ id, event, time: TIME });
  const flood = () => {
    for (let at = 0; at < FLOOD; at += 1) record('decision.refused', `refusal-${at}`);
  };
  return { buffer, store, written, record, flood };
}

test('a flood of refusals while the store is away pushes no alert out', async () => {
  const { buffer, store, written, record, flood } = openBuffer();
  flood();
  record('alert.new_country', 'early');
  const failed = buffer.flush();
  flood();
  record('alert.new_country', 'late');
  await expect(failed).rejects.toThrow('the store is away');
  store.isAway = false;
  await buffer.flush();
  buffer.stop();
  const alerts = written.filter(({ event }) => event === 'alert.new_country');
  expect(alerts.map(({ id }) => id)).toEqual(['early', 'late']);
  expect(written.length + buffer.dropped()).toBe(2 * FLOOD + 2);
});
