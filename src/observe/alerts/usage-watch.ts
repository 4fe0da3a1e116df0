import type { Alert, AlertName } from '../../core/alert.ts';
import type { Answered } from '../../core/answered.ts';
import type { Policy } from '../../core/policy.ts';
import type { RecordStore, UsageHour } from '../../core/record-store.ts';
import { hourOf, judgeUsage, refusalsOf, tellingHours } from '../../core/usage-history.ts';

/** Compares the hour of each busy key with its own history. */
export type UsageWatch = {
  /** Counts an answered check. */
  readonly note: (answered: Answered) => void;
  /** Judges the keys that are busy; resolves when all of them are. */
  readonly turn: () => Promise<void>;
};

export type UsageWatchOptions = {
  readonly policy: () => Policy;
  readonly usageOf: RecordStore['usageOf'];
  readonly raise: (alert: Alert) => void;
  /** Epoch ms. */
  readonly now: () => number;
  /** The store failed; the next turn tries again. */
  readonly onFailure: (cause: unknown) => void;
};

const DAY_MS = 86_400_000;
/** As far back as a key is known: whoever comes back after longer counts as new. */
const HISTORY_MS = 30 * DAY_MS;
const HISTORY_KEPT_MS = 600_000;
/** Keys counted in an hour; those that come after are not looked at before the next. */
const KEYS_MAX = 50_000;
/** A key is busy with this part of `at_least` in this process: others may have the rest. */
const SHARE = 0.1;
/** Histories that are read in one turn. */
const READS_MAX = 50;

type Unit = 'requests' | 'refusals';

/** What this process counted of a key in this hour. */
type Hour = {
  readonly workspace: string | undefined;
  requests: number;
  refusals: number;
  /** What was told of already: once an hour is enough. */
  readonly told: Set<Unit>;
  history?: History;
};

/** The telling hours of a key as the store had them, and what this process had counted then. */
type History = {
  readonly hours: readonly UsageHour[];
  readonly readAtMs: number;
  readonly counted: { readonly requests: number; readonly refusals: number };
};

const NAMES = {
  requests: 'unusual_requests',
  refusals: 'unusual_refusals',
} as const satisfies Record<Unit, AlertName>;
const UNITS = ['requests', 'refusals'] as const;

type Judgement = {
  readonly keyId: string;
  readonly hour: Hour;
  readonly rules: NonNullable<Policy['alerts']['unusual']>;
};

/** Makes the watch. */
export function createUsageWatch(options: UsageWatchOptions): UsageWatch {
  const keys = new Map<string, Hour>();
  let hourMs = 0;
  const enter = (timeMs: number) => {
    if (hourOf(timeMs) <= hourMs) return;
    hourMs = hourOf(timeMs);
    keys.clear();
  };
  return {
    note: ({ policy, decision, facts, timeMs }) => {
      const keyId = facts['key_id'];
      if (keyId === undefined || policy.alerts.unusual === undefined) return;
      enter(timeMs);
      const hour = keys.get(keyId) ?? newHour(facts['workspace']);
      if (hour.requests === 0 && keys.size >= KEYS_MAX) return;
      keys.set(keyId, hour);
      hour.requests += 1;
      if (decision.kind === 'deny') hour.refusals += 1;
    },
    turn: async () => {
      enter(options.now());
      await judgeAll(options, keys);
    },
  };
}

function newHour(workspace: string | undefined): Hour {
  return { workspace, requests: 0, refusals: 0, told: new Set() };
}

async function judgeAll(
  options: UsageWatchOptions,
  keys: ReadonlyMap<string, Hour>,
): Promise<void> {
  const rules = options.policy().alerts.unusual;
  if (!rules) return;
  const isOpen = ({ requests, told }: Hour) =>
    requests >= rules.atLeast * SHARE && told.size < UNITS.length;
  let reads = 0;
  // The longest unread first: where there are more than can be read, each has its turn.
  const open = [...keys].filter(([, hour]) => isOpen(hour)).sort(byLastRead);
  for (const [keyId, hour] of open) {
    if (isStale(hour.history, options.now())) {
      if (reads >= READS_MAX) continue;
      reads += 1;
      if (!(await readHistory(options, keyId, hour))) return;
    }
    judgeOne(options, { keyId, hour, rules });
  }
}

function judgeOne(options: UsageWatchOptions, { keyId, hour, rules }: Judgement): void {
  const nowMs = options.now();
  const judged = judgeUsage(hoursNow(hour, nowMs), nowMs, rules);
  for (const unit of UNITS) {
    const unusual = judged[unit];
    if (!unusual || hour.told.has(unit)) continue;
    hour.told.add(unit);
    const facts = { in_hour: String(unusual.inHour), busiest_hour: String(unusual.busiest) };
    const { workspace } = hour;
    const name = NAMES[unit];
    options.raise({ name, timeMs: nowMs, subject: keyId, workspace, keyId, facts });
  }
}

function byLastRead([, one]: readonly [string, Hour], [, other]: readonly [string, Hour]): number {
  return (one.history?.readAtMs ?? 0) - (other.history?.readAtMs ?? 0);
}

function isStale(history: History | undefined, nowMs: number): boolean {
  return !history || nowMs - history.readAtMs >= HISTORY_KEPT_MS;
}

/** False when the store failed. */
async function readHistory(
  { usageOf, now, onFailure }: UsageWatchOptions,
  keyId: string,
  hour: Hour,
): Promise<boolean> {
  const readAtMs = now();
  const counted = { requests: hour.requests, refusals: hour.refusals };
  try {
    const hours = tellingHours(await usageOf(keyId, readAtMs - HISTORY_MS), readAtMs);
    hour.history = { hours, readAtMs, counted };
    return true;
  } catch (cause) {
    onFailure(cause);
    return false;
  }
}

/** The hours of a key with what came since the store was read; never less than this process itself has seen. */
function hoursNow({ history, requests, refusals }: Hour, nowMs: number): readonly UsageHour[] {
  if (!history) return [];
  const startMs = hourOf(nowMs);
  const { hours, counted } = history;
  const stored = hours.find((one) => one.startMs === startMs);
  const storedRefusals = stored ? refusalsOf(stored) : 0;
  const current: UsageHour = {
    startMs,
    requests: Math.max(requests, (stored?.requests ?? 0) + requests - counted.requests),
    refusals: { all: Math.max(refusals, storedRefusals + refusals - counted.refusals) },
  };
  return [...hours.filter((one) => one.startMs < startMs), current];
}
