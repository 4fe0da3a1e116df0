import { assembleStore, type KeptRecords } from '../assemble.ts';
import type { Counters } from '../counters.ts';
import { type Store, type StoreHealth, USE_TURNS } from '../store.ts';
import { createRedisGate, type RedisGate } from './gate/gate.ts';
import { createKeyspace, type Keyspace } from './keyspace.ts';
import { type DegradableLimits, type Limits, withFailureMode } from './limits/degraded.ts';
import { type LeasedLimits, withLeases } from './limits/leases.ts';
import { probeCall } from './limits/limit-trips.ts';
import { createRedisLimits } from './limits/limits.ts';
import type { RedisLink } from './link/link.ts';
import { openRedisLink } from './link/open-link.ts';
import type { RedisSettings, RedisStoreOptions } from './options.ts';
import { createRedisRecords } from './records/records.ts';
import { createRedisRest, type Rest } from './records/rest.ts';
import { BATCH_ITEMS } from './records/write-batch.ts';
import { readScript } from './script.ts';

const PUBLISH = readScript('publish');
const NEED_MS = 1000;
const USES = { least: 1000, turns: USE_TURNS };

/**
 * Opens a store that many processes share. Resolves also where Redis does not answer for some seconds: the store is
 * open then, its health tells, and it works as soon as Redis does. Throws where the settings cannot be used.
 */
export async function openRedisStore(
  settings: RedisSettings,
  options: RedisStoreOptions,
): Promise<Store> {
  const { onFailure, onTrip } = options;
  const keyspace = createKeyspace(settings.namespace);
  const link = await openRedisLink(settings, {
    probe: (number) => probeCall(keyspace, number),
    recordsKey: keyspace.stamp,
    onTrip,
    onFailure,
  });
  try {
    const { maxStaleMs } = options;
    const gate = await createRedisGate(link, keyspace, { maxStaleMs, onFailure });
    const rest = createRedisRest(link, keyspace, { onFailure });
    const limits = createLimits({ link, keyspace, gate }, options);
    return assembleStore(
      {
        records: recordsOf({ link, keyspace, gate }, rest, options),
        write: rest.write,
        lookUps: gate,
        counters: limits,
        health: () => healthOf(link, gate, limits),
        closeParts: async () => {
          await limits.close();
          await gate.close();
          await link.close();
        },
      },
      { ...options, partSize: BATCH_ITEMS, uses: USES },
    );
  } catch (cause) {
    await link.close();
    throw cause;
  }
}

type Parts = { readonly link: RedisLink; readonly keyspace: Keyspace; readonly gate: RedisGate };

function recordsOf(
  { link, keyspace, gate }: Parts,
  { write: _, ...rest }: Rest,
  { now = Date.now, onFailure }: RedisStoreOptions,
): KeptRecords {
  const records = createRedisRecords(link, keyspace, { now, onFailure, onChanges: gate.drop });
  return { ...records, ...rest };
}

type OpenLimits = Counters &
  Pick<DegradableLimits, 'isDegraded' | 'answered'> & { readonly close: () => Promise<void> };

function createLimits(parts: Parts, options: RedisStoreOptions): OpenLimits {
  const { link, keyspace, gate } = parts;
  const { onStoreFailure, maxSubjects, mode, clock, limitsWithinMs, onFailure } = options;
  const replicas = () => onStoreFailure.replicas ?? gate.instances();
  const now = () => performance.now();
  const exact = createRedisLimits(link, keyspace, { clock, withinMs: limitsWithinMs });
  const leased = mode === 'leased' ? leaseOf(exact, parts, onFailure) : undefined;
  const limits: Limits | LeasedLimits = leased ?? exact;
  const degradable = withFailureMode(limits, {
    mode: onStoreFailure.limits,
    replicas,
    maxSubjects,
    now,
    redisNowMs: clock === 'caller' ? undefined : link.redisNowMs,
    onFailure,
  });
  return { ...degradable, close: async () => await leased?.close() };
}

/** Limits of which shares are leased; whoever is refused asks the others for what they have left. */
function leaseOf(
  limits: Limits,
  { link, keyspace, gate }: Parts,
  onFailure: RedisStoreOptions['onFailure'],
): LeasedLimits {
  const told = (cause: unknown) => onFailure?.(cause);
  const leased = withLeases(limits, {
    steadyMs: () => performance.now(),
    now: Date.now,
    replicas: gate.instances,
    tellNeed(counter) {
      const call = { script: PUBLISH, keys: [keyspace.needs], args: [counter], withinMs: NEED_MS };
      link.runAside(call).catch(told);
    },
    onFailure,
  });
  const hear = (counter: string | undefined) => {
    if (counter !== undefined) leased.recall(counter);
  };
  link.subscribe(keyspace.needs, hear).catch(told);
  return leased;
}

/** Up where the records answer; degraded also where a server of a Cluster does not. It is unready before the first contact only: later, what needs no store is judged without it. */
function healthOf(link: RedisLink, gate: RedisGate, limits: OpenLimits): StoreHealth {
  const nodes = link.nodes();
  const isClosed = nodes.length > 0 && nodes.every(({ breaker }) => breaker === 'closed');
  if (isClosed) limits.answered();
  const { isCut, confirmedAtMs } = gate.contact();
  const unready = confirmedAtMs === undefined ? 'Redis has not answered yet' : undefined;
  const isUp = !isCut && (isClosed || link.isCluster);
  return { isUp, isDegraded: isCut || !isClosed || limits.isDegraded(), unready, nodes };
}
