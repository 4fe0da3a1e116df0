import type { KeyRules } from './api-key.ts';
import { endOfStored } from './key-life.ts';
import type { KeySpan, ListedKey, RecordStore } from './record-store.ts';
import type { AuditEvent, StoredKey } from './records.ts';

/** What telling of keys works with; `makeId` makes ids that sort by time, `tell` hears of each event after it is kept. */
export type KeyTelling = {
  readonly store: Pick<RecordStore, 'keysDue' | 'commit'>;
  readonly rules: KeyRules;
  readonly nowMs: number;
  readonly makeId: () => string;
  readonly tell: (event: AuditEvent) => void;
};

/** One kind of telling: which keys, under which name, and since or until when. */
type Occasion = {
  readonly event: 'key.expiring' | 'key.expired' | 'key.stale';
  readonly span: KeySpan;
};

/** Keys told of in one turn, for each occasion: many that end together must not hold up everything else. */
const TOLD_AT_ONCE = 200;

/**
 * Tells once of each key whose end is near (`key.expiring`), that has ended (`key.expired`) or that nobody has
 * used for long (`key.stale`). The answer is how many were told of. Rejects when the store fails.
 */
export async function tellOfKeys(telling: KeyTelling): Promise<number> {
  let told = 0;
  for (const occasion of occasionsOf(telling.rules, telling.nowMs)) {
    const notice = `${occasion.event}:${occasion.span.by}`;
    const due = await telling.store.keysDue(occasion.span, notice, TOLD_AT_ONCE);
    for (const listed of due) told += (await tellOne(telling, occasion, listed)) ? 1 : 0;
  }
  return told;
}

/** What tells one notice of a key from the next: see `RecordStore.keysDue`. */
export function noticeMark(
  span: KeySpan,
  { record, lastUsedAtMs }: Pick<ListedKey, 'record' | 'lastUsedAtMs'>,
): string {
  return span.by === 'unused' ? String(lastUsedAtMs ?? '') : (record[span.by] ?? '');
}

function occasionsOf(rules: KeyRules, nowMs: number): readonly Occasion[] {
  const { warnMs, staleMs } = rules;
  const ends = [
    { by: 'expires_at', lifeMs: 0 },
    { by: 'created_at', lifeMs: rules.maxAgeMs },
    { by: 'rotated_at', lifeMs: rules.rotateEveryMs },
  ] as const;
  const occasions = ends.flatMap(({ by, lifeMs }): Occasion[] => {
    if (lifeMs === undefined) return [];
    const overMs = nowMs - lifeMs + 1;
    return [
      { event: 'key.expiring', span: { by, fromMs: overMs, toMs: overMs + warnMs } },
      { event: 'key.expired', span: { by, fromMs: 0, toMs: overMs } },
    ];
  });
  if (staleMs === undefined) return occasions;
  return [
    ...occasions,
    { event: 'key.stale', span: { by: 'unused', beforeMs: nowMs - staleMs + 1 } },
  ];
}

async function tellOne(
  { store, rules, nowMs, makeId, tell }: KeyTelling,
  { event, span }: Occasion,
  { record, lastUsedAtMs }: ListedKey,
): Promise<boolean> {
  const notice = `${event}:${span.by}`;
  const mark = noticeMark(span, { record, lastUsedAtMs });
  const endMs = endOfStored(record, rules);
  // A key that another rule ended before is marked, and nobody is told twice.
  const isOver = event !== 'key.expired' && endMs <= nowMs;
  const made: AuditEvent = {
    id: makeId(),
    time: new Date(nowMs).toISOString(),
    event,
    workspace_id: record.workspace_id,
    object: { kind: 'key', id: record.id },
    reason: span.by,
    facts: factsOf(record, endMs, lastUsedAtMs),
  };
  const events = isOver ? [] : [made];
  const conflict = await store.commit({
    writes: [],
    events,
    notice: { keyId: record.id, notice, mark },
  });
  const isTold = !conflict && !isOver;
  if (isTold) tell(made);
  return isTold;
}

function factsOf(record: StoredKey, endMs: number, lastUsedAtMs: number | undefined) {
  const facts: Record<string, string> = { name: record.name, key_prefix: record.key_prefix };
  if (endMs !== Infinity) facts['ends_at'] = new Date(endMs).toISOString();
  if (lastUsedAtMs !== undefined) facts['last_used_at'] = new Date(lastUsedAtMs).toISOString();
  return facts;
}
