/**
 * Puts each fault on Redis while Posterns of every mode are under load, and prints what became of it as the tables of
 * docs/reliability.md. Takes some three minutes, and wants a quiet machine: node scripts/measure-faults.ts [TEXT]
 * With a text, only those faults whose names hold it.
 */
import { type Figures, figuresOf } from '../test/e2e/fault-figures.ts';
import {
  clusterFaults,
  cutOff,
  faultsOf,
  sentinelFaults,
  slowDown,
  wrongType,
} from '../test/e2e/fault-list.ts';
import { type Fault, runFault } from '../test/e2e/fault-run.ts';
import type { Family, World } from '../test/e2e/fault-world.ts';
import { startNodes, startSentinels, startSingle } from '../test/e2e/fault-worlds.ts';

type Row = { readonly name: string; readonly mode: string; readonly figures: Figures };
type Started = { readonly world: World; readonly stop: () => Promise<void> };
type Plan<T extends Started> = {
  readonly start: () => Promise<T>;
  readonly faults: (there: T) => readonly Fault[];
  /** Which families are told of, and how their rows begin. */
  readonly tells?: ((family: Family) => boolean) | undefined;
  readonly prefix?: string | undefined;
};

const CUT_MS = 4000;
const SLOW_MS = 50;
const only = process.argv[2] ?? '';

function single(there: Awaited<ReturnType<typeof startSingle>>): readonly Fault[] {
  const { redis, road, world } = there;
  const { flush, pause, stop, kill, memory } = faultsOf(redis);
  const namespaces = world.families.map(({ namespace }) => namespace);
  const ways = [
    cutOff(road, 'cut', CUT_MS),
    cutOff(road, 'refuse', CUT_MS),
    slowDown(road, SLOW_MS),
  ];
  return [flush, pause, stop, kill, memory, wrongType(redis, namespaces), ...ways];
}

function leased(there: Awaited<ReturnType<typeof startSingle>>): readonly Fault[] {
  const { stop, kill } = faultsOf(there.redis);
  return [stop, kill, cutOff(there.road, 'cut', CUT_MS)];
}

async function measure<T extends Started>(plan: Plan<T>): Promise<readonly Row[]> {
  const there = await plan.start();
  const rows: Row[] = [];
  try {
    for (const fault of plan.faults(there)) {
      const name = `${plan.prefix ?? ''}${fault.name}`;
      if (!name.includes(only)) continue;
      process.stderr.write(`${name}\n`);
      const run = await runFault(there.world, fault);
      for (const one of run.families) {
        if (plan.tells?.(one.family) === false) continue;
        rows.push({ name, mode: one.family.mode, figures: figuresOf(run, one) });
      }
    }
  } finally {
    await there.stop();
  }
  return rows;
}

async function measureAll(): Promise<readonly Row[]> {
  return [
    ...(await measure({ start: () => startSingle(), faults: single })),
    ...(await measure({
      start: startSentinels,
      faults: (one) => Object.values(sentinelFaults(one.group)),
    })),
    ...(await measure({
      start: startNodes,
      faults: ({ cluster, world }) =>
        Object.values(
          clusterFaults(
            cluster,
            world.families.map(({ namespace }) => namespace),
          ),
        ),
    })),
    ...(await measure({
      start: () => startSingle({ mode: 'leased' }),
      faults: leased,
      tells: ({ mode }) => mode === 'local',
      prefix: 'leases: ',
    })),
  ];
}

function print(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const lines = [columns, columns.map(() => '---'), ...rows];
  console.log(`${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`);
}

function counted(counts: { readonly [name: string]: number }): string {
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${WORDS[name] ?? name}`);
  return parts.join(', ') || '0';
}

const WORDS: { readonly [name: string]: string } = {
  redis: 'Redis',
  nobody: 'let through',
  unavailable: '503',
  unknown_key: '401',
};

const seconds = (ms: number) => (ms / 1000).toFixed(1);

function printDecisions(rows: readonly Row[]): void {
  print(
    [
      'fault',
      'mode',
      'checks',
      'p99 ms',
      'slowest ms',
      'machine ms',
      'late',
      'limits decided by',
      'known keys',
      'unknown keys',
    ],
    rows.map(({ name, mode, figures: one }) => [
      name,
      mode,
      one.decisions,
      one.p99Ms.toFixed(0),
      one.slowestMs.toFixed(0),
      one.machineMs.toFixed(0),
      one.late + one.unanswered,
      counted(one.deciders),
      counted(one.stored),
      counted(one.unknown),
    ]),
  );
}

function printCharges(rows: readonly Row[]): void {
  print(
    [
      'fault',
      'mode',
      'admitted',
      'limit',
      'bound',
      'followed',
      'charged twice',
      'charged in vain',
      'forgotten',
      'without Redis s',
      'well again s',
    ],
    rows.map(({ name, mode, figures: one }) => [
      name,
      mode,
      one.admitted,
      one.limit,
      boundIn(mode, one),
      one.followed,
      one.twice,
      one.left,
      one.lost,
      seconds(one.withoutMs),
      seconds(one.recoveryMs),
    ]),
  );
}

/** What Redis forgets may be had again, the limit at most. */
function boundIn(mode: string, { bound, limit, lost }: Figures): string | number {
  if (mode === 'allow') return 'none';
  return (mode === 'deny' ? limit : bound) + (lost > 0 ? limit : 0);
}

const rows = await measureAll();
printDecisions(rows);
printCharges(rows);
