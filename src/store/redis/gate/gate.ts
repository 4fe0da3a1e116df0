import type { CustomRoles } from '../../../core/custom-role.ts';
import type { Workspace } from '../../../core/policy.ts';
import type { FoundKey, Owner } from '../../../core/ports.ts';
import type { LookUps as LookUpPorts } from '../../assemble.ts';
import { userName } from '../../gate-records.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { createFollower, type Follower, type FollowerOptions } from './follower.ts';
import { createGateReader } from './gate-read.ts';
import { createLookUps, type LookUpsOptions } from './look-up-cache.ts';
import type { Change } from './news.ts';

/** How well this process knows what others change. */
export type Contact = {
  /** When the last poll was sent after which nothing was left to follow, by the gate's clock; undefined before the first. */
  readonly confirmedAtMs: number | undefined;
  /** Whether that is too long ago for a change elsewhere to hold here within a second. */
  readonly isCut: boolean;
};

/**
 * What the gate looks up, through a cache. An answer is at hand where it is remembered, else on its way from Redis,
 * and rejects within 50 ms where Redis does not answer, or where a record is broken.
 *
 * A change by another process holds here within a second, also where no message of it comes: by the next poll, after
 * 250 ms and as long as its answer takes. Without contact, what is remembered holds until `maxStaleMs` after the last
 * poll that was confirmed was sent; from then on each look-up asks Redis.
 */
export type RedisGate = LookUpPorts & {
  /** Forgets records that this process changed: no look-up that begins from now on answers what stood before. */
  readonly drop: (changes: readonly Change[]) => void;
  readonly contact: () => Contact;
  /** Processes seen alive lately on these records, this one too; the last figure holds without contact. */
  readonly instances: () => number;
  readonly close: () => Promise<void>;
};

export type RedisGateOptions = Partial<Pick<FollowerOptions, 'now'>> &
  Pick<FollowerOptions, 'onFailure'> & { readonly maxStaleMs: number };

/** Compiled keys held in memory: some 40 MB, more where their lists are long. */
const CACHED_KEYS = 32_768;
const CACHED_OTHERS = 32_768;
const CUT_AFTER_MS = 1000;

/** Makes the look-ups of records in Redis; without contact they are there too, with nothing remembered. */
export async function createRedisGate(
  link: RedisLink,
  keyspace: Keyspace,
  { maxStaleMs, now = () => performance.now(), onFailure }: RedisGateOptions,
): Promise<RedisGate> {
  let follower: Follower | undefined;
  const sinceConfirmedMs = (): number => {
    const confirmedAtMs = follower?.confirmedAtMs();
    return confirmedAtMs === undefined ? Number.POSITIVE_INFINITY : now() - confirmedAtMs;
  };
  const caches = createCaches(link, keyspace, {
    isCurrent: () => sinceConfirmedMs() <= maxStaleMs,
    isNews: (stamp) => follower?.isNews(stamp) ?? false,
  });
  const followed = {
    drop: ({ kind, name }: Change, number?: number): void => {
      if (Object.hasOwn(caches, kind)) caches[kind as keyof typeof caches].drop(name, number);
    },
    clear: () => {
      for (const cache of Object.values(caches)) cache.clear();
    },
  };
  follower = await createFollower(link, keyspace, { now, onFailure, followed });
  const { nudge, confirmedAtMs, instances, close } = follower;
  link.subscribe(keyspace.channel, nudge).catch((cause) => onFailure?.(cause));
  const { key, workspace, user, role } = caches;
  return {
    findKey: key.find,
    findWorkspace: workspace.find,
    findOwner: (name) => user.find(userName(name)),
    findRoles: (id = '') => role.find(id),
    drop(changes) {
      for (const change of changes) followed.drop(change);
    },
    contact: () => ({ confirmedAtMs: confirmedAtMs(), isCut: sinceConfirmedMs() > CUT_AFTER_MS }),
    instances,
    close,
  };
}

function createCaches(
  link: RedisLink,
  keyspace: Keyspace,
  trust: Pick<LookUpsOptions<unknown>, 'isCurrent' | 'isNews'>,
) {
  const reader = createGateReader(link, keyspace);
  const others = { max: CACHED_OTHERS, ...trust };
  return {
    key: createLookUps<FoundKey>({
      ...trust,
      max: CACHED_KEYS,
      keepsFirst: false,
      read: reader.key,
    }),
    workspace: createLookUps<Workspace>({ ...others, keepsFirst: true, read: reader.workspace }),
    user: createLookUps<Owner>({ ...others, keepsFirst: false, read: reader.user }),
    role: createLookUps<CustomRoles>({ ...others, keepsFirst: true, read: reader.role }),
  };
}
