import { noticeMark } from '../../../core/key-events.ts';
import type { KeySpan, ListedKey, Notice } from '../../../core/record-store.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { readScript } from '../script.ts';
import type { PlanPart } from './plan-part.ts';
import { type Read, type Reply, readAll, textsOf } from './read.ts';
import { KEY_FIELDS, readKeptKey } from './records-layout.ts';
import { inTuples } from './tuples.ts';

/** Where keys are looked for. */
type Records = { readonly link: RedisLink; readonly keyspace: Keyspace };
/** A key at its place in the index of a span. */
type Spanned = { readonly id: string; readonly score: string };
/** A key that may be due: the mark that it was seen not to be told with. */
type Candidate = { readonly id: string; readonly mark: string };

/** Keys looked at in one slice, after which other work may come between: about a millisecond of Redis. */
const SLICE_KEYS = 250;
const WITHIN_MS = 3000;
const RANGE_OF = readScript('range-of', 'place');

/** Marks a key as told of; a condition fails when it was before, and when there is no such key: a `notice` conflict. */
export function noticeOps(keyspace: Keyspace, { keyId, notice, mark }: Notice): PlanPart {
  const told = keyspace.told(keyId);
  const member = toldAs(notice, mark);
  return {
    conditions: [
      { read: 'EXISTS', key: keyspace.key(keyId), args: [], is: '1' },
      { read: 'SISMEMBER', key: told, args: [member], is: '0' },
    ],
    ops: [{ write: 'SADD', key: told, args: [member] }],
  };
}

/** Active keys of a span that have not had a notice yet, with the mark they have now; read in slices. */
export async function keysDue(
  records: Records,
  span: KeySpan,
  notice: string,
  limit: number,
): Promise<readonly ListedKey[]> {
  const due: ListedKey[] = [];
  let last: Spanned = { id: '', score: span.by === 'unused' ? '-inf' : String(span.fromMs) };
  for (;;) {
    const slice = await readSlice(records, span, last);
    const candidates =
      span.by === 'unused'
        ? await unusedUntold(records, slice, notice)
        : await timesUntold(records, slice, notice);
    due.push(...(await untoldKeys(records, candidates, { span, notice })));
    const end = slice.at(-1);
    if (!end || slice.length < SLICE_KEYS || due.length >= limit) return due.slice(0, limit);
    last = end;
  }
}

async function readSlice(
  { link, keyspace }: Records,
  span: KeySpan,
  after: Spanned,
): Promise<readonly Spanned[]> {
  const [key, below] =
    span.by === 'unused'
      ? [keyspace.keysSeen, span.beforeMs]
      : [keyspace.keysBy(span.by), span.toMs];
  const args = [after.score, after.id, below, SLICE_KEYS];
  const reply = await link.runAside({ script: RANGE_OF, keys: [key], args, withinMs: WITHIN_MS });
  return inTuples(textsOf(reply as Reply), 2).map(([id = '', score = '']) => ({ id, score }));
}

/** The mark of a time is its text, which all but tells it by its score: only what was not told so is read in full. */
async function timesUntold(
  { link, keyspace }: Records,
  slice: readonly Spanned[],
  notice: string,
): Promise<readonly Candidate[]> {
  const marked = slice.map(({ id, score }) => ({
    id,
    mark: new Date(Number(score)).toISOString(),
  }));
  const told = await readAll(
    link,
    marked.map(({ id, mark }) => isTold(keyspace, id, toldAs(notice, mark))),
  );
  return marked.filter((_, at) => told[at] !== 1);
}

/** The index of last uses holds keys of every status, that of creations only active ones. */
async function unusedUntold(
  { link, keyspace }: Records,
  slice: readonly Spanned[],
  notice: string,
): Promise<readonly Candidate[]> {
  const replies = await readAll(
    link,
    slice.flatMap(({ id, score }) => [
      { read: 'ZSCORE', key: keyspace.keysBy('created_at'), args: [id] },
      { read: 'HEXISTS', key: keyspace.key(id), args: ['u'] },
      isTold(keyspace, id, toldAs(notice, '')),
      isTold(keyspace, id, toldAs(notice, score)),
    ]),
  );
  return slice.flatMap(({ id, score }, at) => {
    const [active, used, toldOfNone, toldOfUse] = replies.slice(at * 4, at * 4 + 4);
    if (active === null || (used === 1 ? toldOfUse : toldOfNone) === 1) return [];
    return [{ id, mark: used === 1 ? score : '' }];
  });
}

/** The keys of candidates, without those that were told of with the mark that their record has. */
async function untoldKeys(
  { link, keyspace }: Records,
  candidates: readonly Candidate[],
  { span, notice }: { readonly span: KeySpan; readonly notice: string },
): Promise<readonly ListedKey[]> {
  const replies = await readAll(
    link,
    candidates.map(({ id }) => ({ read: 'HMGET', key: keyspace.key(id), args: KEY_FIELDS })),
  );
  const keys = candidates.flatMap(({ id, mark: seen }, at) => {
    const key = readKeptKey(id, replies[at]);
    if (key?.record.status !== 'active') return [];
    const { record, version, lastUsedAtMs } = key;
    const listed = { record, version, ...(lastUsedAtMs === undefined ? {} : { lastUsedAtMs }) };
    return [{ listed, seen, mark: noticeMark(span, listed) }];
  });
  const others = keys.filter(({ mark, seen }) => mark !== seen);
  const told = await readAll(
    link,
    others.map(({ listed, mark }) => isTold(keyspace, listed.record.id, toldAs(notice, mark))),
  );
  const isUntold = new Map(others.map((other, at) => [other, told[at] !== 1]));
  return keys.filter((key) => isUntold.get(key) ?? true).map(({ listed }) => listed);
}

function isTold(keyspace: Keyspace, keyId: string, member: string): Read {
  return { read: 'SISMEMBER', key: keyspace.told(keyId), args: [member] };
}

function toldAs(notice: string, mark: string): string {
  return `${notice}\0${mark}`;
}
