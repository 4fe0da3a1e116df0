import type { Commit, Conflict } from '../../../core/record-store.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { answerOps, readStanding as readStandingAnswer } from './answers.ts';
import { apply } from './apply.ts';
import { type Plan, planWrites } from './commit-plan.ts';
import { eventOps } from './events.ts';
import { noticeOps } from './notices.ts';
import type { PlanPart } from './plan-part.ts';
import { readStanding } from './standing.ts';

/** What a commit of records is told by and tells. */
export type CommitOptions = {
  readonly now: () => number;
  /** Hears what changed as soon as it may hold, also where it is not known whether it does. */
  readonly onChanges?: ((changes: Plan['changes']) => void) | undefined;
  readonly onFailure?: ((cause: unknown) => void) | undefined;
};

/** Each time another commit came first, which is seldom one that is no conflict. */
const ATTEMPTS_MAX = 20;
const REPLICATED_WITHIN_MS = 1000;

/** A store of records in Redis, as a commit sees it. */
type Place = {
  readonly link: RedisLink;
  readonly keyspace: Keyspace;
  readonly options: CommitOptions;
};

/**
 * Makes the commit of records: it reads what stands, plans, and applies the plan unless something else stands then; in
 * that case it begins anew. Rejects when Redis does not answer in time, and then nobody knows what was written.
 */
export function createCommit(
  link: RedisLink,
  keyspace: Keyspace,
  options: CommitOptions,
): (commit: Commit) => Promise<Conflict | undefined> {
  const place = { link, keyspace, options };
  const awaitReplica = createReplicaWait(link, options);
  return async (commit) => {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const outcome = await tryCommit(place, commit);
      if (outcome === 'done') {
        await awaitReplica();
        return undefined;
      }
      if (outcome !== 'raced') return outcome;
    }
    throw new Error('the records changed each time that they were about to be written');
  };
}

type Attempt = 'done' | 'raced' | Conflict;

async function tryCommit(place: Place, commit: Commit): Promise<Attempt> {
  const { link, keyspace } = place;
  const { writes, answer, notice } = commit;
  const standing = await readStanding(link, keyspace, writes);
  const plan = planWrites(keyspace, writes, standing);
  // Read after what stands: then a commit that was made before shows as its answer, not as what it wrote.
  const nowMs = place.options.now();
  const kept = answer && (await readStandingAnswer(link, keyspace, answer.id, nowMs));
  if (kept && !kept.hasEnded) return { conflict: 'answer', at: 0 };
  const ofAnswer = answer ? answerOps(keyspace, answer, { standing: kept?.text, nowMs }) : NOTHING;
  const ofNotice = notice ? noticeOps(keyspace, notice) : NOTHING;
  if ('conflict' in plan) return await noticeFirst(place, ofNotice, plan);
  const ofEvents = eventOps(keyspace, commit.events);
  return await applyParts(place, { ofNotice, ofEvents, others: [ofAnswer, plan] }, plan.changes);
}

const NOTHING: PlanPart = { conditions: [], ops: [] };

/** A notice that was given is told before whatever else stands in the way. */
async function noticeFirst(
  { link, keyspace }: Place,
  { conditions }: PlanPart,
  conflict: Conflict,
): Promise<Conflict> {
  if (conditions.length === 0) return conflict;
  const asked = await apply(link, keyspace, { conditions, ops: [] });
  return 'failed' in asked ? { conflict: 'notice', at: 0 } : conflict;
}

type Parts = {
  readonly ofNotice: PlanPart;
  readonly ofEvents: PlanPart;
  readonly others: readonly PlanPart[];
};

async function applyParts(
  { link, keyspace, options }: Place,
  { ofNotice, ofEvents, others }: Parts,
  changes: Plan['changes'],
): Promise<Attempt> {
  // What may merely be a race comes first: then it is looked at again.
  const parts = [...others, ofNotice, ofEvents];
  const conditions = parts.flatMap((part) => part.conditions);
  const ops = parts.flatMap((part) => part.ops);
  try {
    const outcome = await apply(link, keyspace, { conditions, ops, changes });
    if (!('failed' in outcome)) return 'done';
    const fromLast = conditions.length - outcome.failed;
    const ofLast = ofEvents.conditions.length;
    if (fromLast <= ofLast) throw new Error('an event of the same id is kept already');
    return fromLast <= ofLast + ofNotice.conditions.length
      ? { conflict: 'notice', at: 0 }
      : 'raced';
  } finally {
    if (changes.length > 0) options.onChanges?.(changes);
  }
}

/**
 * Waits for a replica, so that a failover keeps what was acknowledged. Where none confirms, that is told once, and
 * commits do not wait any more until one does again.
 */
function createReplicaWait(link: RedisLink, { onFailure }: CommitOptions): () => Promise<void> {
  let isConfirmed = true;
  const ask = async (): Promise<void> => {
    const is = await link.isReplicated(REPLICATED_WITHIN_MS).catch(() => false);
    const isNews = isConfirmed && !is;
    isConfirmed = is;
    if (isNews) {
      onFailure?.(new Error('no replica of Redis confirmed a commit: a failover now may lose it'));
    }
  };
  return async () => {
    const asked = ask();
    if (isConfirmed) await asked;
  };
}
