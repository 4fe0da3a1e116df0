import { type KeyTelling, tellOfKeys } from '../core/key-events.ts';
import type { Policy } from '../core/policy.ts';
import type { RecordStore } from '../core/record-store.ts';
import type { AuditEvent } from '../core/records.ts';

export type Upkeep = {
  readonly store: RecordStore;
  readonly policy: () => Policy;
  readonly makeId: (nowMs: number) => string;
  readonly tell: (event: AuditEvent) => void;
  /** The store failed; the next turn tries again. */
  readonly onFailure: (cause: unknown) => void;
};

/** Keys are told of within this time of their end. */
const TURN_MS = 10_000;
const PRUNE_EVERY_TURNS = 360;
/** Longer than the days that the API shows. */
const USAGE_KEPT_MS = 100 * 86_400_000;

/** Tells of keys that end or go stale, and forgets old events, until it is closed. */
export function openUpkeep(upkeep: Upkeep): { readonly close: () => Promise<void> } {
  let turns = 0;
  let running = Promise.resolve();
  const turn = async () => {
    const nowMs = Date.now();
    await tellOfKeys(tellingOf(upkeep, nowMs));
    if (turns % PRUNE_EVERY_TURNS === 0) await prune(upkeep, nowMs);
    turns += 1;
  };
  const start = () => {
    running = running.then(turn).catch(upkeep.onFailure);
  };
  const timer = setInterval(start, TURN_MS);
  timer.unref();
  start();
  return {
    close: () => {
      clearInterval(timer);
      return running;
    },
  };
}

function tellingOf({ store, policy, makeId, tell }: Upkeep, nowMs: number): KeyTelling {
  return { store, rules: policy().keyRules, nowMs, makeId: () => makeId(nowMs), tell };
}

function prune({ store, policy }: Upkeep, nowMs: number): Promise<void> {
  const eventsMs = nowMs - policy().auditKeepMs;
  return store.prune({ eventsMs, usageMs: nowMs - USAGE_KEPT_MS, nowMs });
}
