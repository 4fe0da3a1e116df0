import * as z from 'zod';
import type { UsageHour } from '../core/record-store.ts';
import { findKey } from './keys-find.ts';
import type { Call, Outcome } from './row.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HOURS = 48;
const DAYS = 90;

const span = z.strictObject({
  start: z.string().meta({ description: 'When it begins (UTC).' }),
  requests: z.int(),
  refusals: z.int().meta({ description: 'Those of the requests that were refused.' }),
  reasons: z.record(z.string(), z.int()).meta({ description: 'Refusals by reason.' }),
});
type Span = z.output<typeof span>;

export const usage = z
  .strictObject({
    data: z.strictObject({
      hours: z.array(span).meta({ description: 'The last 48 hours, oldest first.' }),
      days: z.array(span).meta({ description: 'The last 90 days, oldest first.' }),
    }),
  })
  .meta({ id: 'ApiKeyUsage' });

/** How a key was used: by hour and by day, refusals by reason. */
export async function showUsage(call: Call): Promise<Outcome> {
  const found = await findKey(call);
  if (found.kind === 'fault') return found;
  const { id } = found.kind === 'declared' ? found.record : found.listed.record;
  const firstDay = startOf(call.nowMs, DAY_MS) - (DAYS - 1) * DAY_MS;
  const firstHour = startOf(call.nowMs, HOUR_MS) - (HOURS - 1) * HOUR_MS;
  const used = await call.parts.store.usageOf(id, firstDay);
  const hours = spans(firstHour, { count: HOURS, lengthMs: HOUR_MS }, used);
  const days = spans(firstDay, { count: DAYS, lengthMs: DAY_MS }, used);
  return { status: 200, body: { data: { hours, days } } };
}

function startOf(timeMs: number, lengthMs: number): number {
  return timeMs - (timeMs % lengthMs);
}

/** Spans of one length without gaps, each with the sum of its hours. */
function spans(
  firstMs: number,
  { count, lengthMs }: { readonly count: number; readonly lengthMs: number },
  used: readonly UsageHour[],
): readonly Span[] {
  const all = Array.from({ length: count }, (_, at): Span => {
    const start = new Date(firstMs + at * lengthMs).toISOString();
    return { start, requests: 0, refusals: 0, reasons: {} };
  });
  for (const { startMs, requests, refusals } of used) {
    const one = all[Math.floor((startMs - firstMs) / lengthMs)];
    if (!one) continue;
    one.requests += requests;
    for (const [reason, times] of Object.entries(refusals)) {
      one.refusals += times;
      one.reasons[reason] = (one.reasons[reason] ?? 0) + times;
    }
  }
  return all;
}
