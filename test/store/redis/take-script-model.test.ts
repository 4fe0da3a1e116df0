import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CounterState, type LimitGroup, WINDOWS } from '../../../src/core/limit.ts';
import { compileFigures } from '../../../src/core/plan.ts';
import type { WrittenFigures } from '../../../src/core/policy.ts';
import { settle, take, windowAt } from '../../../src/core/take.ts';
import { readCounted, writeGroup } from '../../../src/store/redis/limits/limit-codec.ts';
import { NOW } from '../../core/build.ts';
import { describeRedis, newNamespace, redisUrl } from '../../redis-harness/shared.ts';
import { DAY_MS, HOUR_MS } from '../build.ts';

/** A quarter of a million; `TEST_STEPS=1000000` takes half a minute. */
const STEPS = Number(process.env['TEST_STEPS'] ?? 250_000);
const STREAMS = 200;
const COUNTERS = 2;
/** Steps in one trip: a million trips would take minutes. */
const STEPS_AT_ONCE = 50;

const HUGE = Number.MAX_SAFE_INTEGER;
const WRITTEN: readonly WrittenFigures[] = [
  { per_minute: 5 },
  { per_second: 2, per_day: 9 },
  { per_second: 3, per_minute: 7, per_hour: 20, per_day: 40, per_month: 60 },
  { per_minute: 3, burst: 2 },
  { per_second: 7, burst: 3 },
  { per_hour: 11, burst: 4 },
  { per_day: 1000, burst: 5 },
  { per_month: 7, burst: 9 },
  { per_month: 12 },
  { quota: { requests: 6, per: 'day' } },
  { per_hour: 4, quota: { requests: 30, per: 'month' } },
  { per_minute: 0, burst: 1 },
  { per_month: HUGE, burst: HUGE },
  { per_minute: 1_000_000_007, burst: 999_999_937, quota: { requests: HUGE, per: 'month' } },
];
const FIGURES = WRITTEN.map((written) => compileFigures(written));

/** Mostly on by a little; now and then far, and at times back. */
const JUMPS_MS = [
  ...[0, 0, 0, 1, 7, 130, 400, 999, 2500, 61_000, 20 * 60_000],
  ...[HOUR_MS, DAY_MS / 2, 9 * DAY_MS, 31 * DAY_MS, 366 * DAY_MS],
  ...[-1, -800, -70_000, -3 * HOUR_MS, -2 * DAY_MS, -40 * DAY_MS],
];
const COSTS = [1, 1, 1, 1, 2, 3, 8, HUGE];

/** Random numbers that begin anew from the same seed: `below(n)` is a whole one from 0 to n - 1. */
function createDice(seed: number) {
  let state = seed;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  const pick = <T>(values: readonly T[]): T => values[below(values.length)] as T;
  return { below, pick };
}

/** Runs the scripts as they are, step after step, each in a function that is given what a trip would give it. */
const MANY = `${textOf('window')}
local function take(KEYS, ARGV)
${textOf('take')}
end
local function settle(KEYS, ARGV)
${textOf('settle')}
end
local replies = {}
for at, step in ipairs(cjson.decode(ARGV[1])) do
  replies[at] = (step[1] == 'take' and take or settle)(step[2], step[3])
end
return replies`;
const MANY_SHA = createHash('sha1').update(MANY).digest('hex');

/** The month of each of many days. */
const CALENDAR = `${textOf('window')}
local months = {}
for at = 1, tonumber(ARGV[2]) do
  local start, stop = window_at(${WINDOWS.indexOf('month')}, (ARGV[1] + at - 1) * DAY_MS + 1)
  months[at] = exact(start) .. ' ' .. exact(stop)
end
return months`;

function textOf(script: string): string {
  return readFileSync(
    new URL(`../../../src/store/redis/lua/${script}.lua`, import.meta.url),
    'utf8',
  );
}

type Step = readonly [script: 'take' | 'settle', keys: readonly string[], args: readonly string[]];
type States = readonly (CounterState | undefined)[];
type Wanted = { readonly outcome: 'taken' | 'refused'; readonly states: States };

/** The counters of one subject as the core has them, and what it wants of each step. */
function createStream(namespace: string, seed: number) {
  const { below, pick } = createDice(seed);
  const model: (CounterState | undefined)[] = Array(COUNTERS).fill(undefined);
  const home = pick(FIGURES);
  let nowMs = NOW;
  let steps: Step[] = [];
  let wanted: (Wanted | undefined)[] = [];

  /** One or two different counters, each with figures that change now and then. */
  const choose = () => {
    const first = below(COUNTERS);
    const places = Array.from({ length: 1 + below(COUNTERS) }, (_, at) => (first + at) % COUNTERS);
    const groups = places.map((place): LimitGroup => {
      const figures = below(4) === 0 ? pick(FIGURES) : home;
      return { counter: `${place}`, subject: `${seed}`, figures, cost: pick(COSTS) };
    });
    const keys = places.map((place) => `${namespace}:{${seed}}:${place}`);
    return { places, groups, keys };
  };

  const addStep = () => {
    nowMs = Math.max(0, nowMs + pick(JUMPS_MS));
    const { places, groups, keys } = choose();
    const states = places.map((place) => model[place]);
    const { taken, next } = take(states, groups, nowMs);
    steps.push(['take', keys, ['', `${nowMs}`, ...groups.map(writeGroup)]]);
    wanted.push({ outcome: taken.refused ? 'refused' : 'taken', states });
    for (const [at, place] of places.entries()) model[place] = next[at];
    if (taken.refused || below(8) > 0) return;

    const to = below(6);
    const takenAtMs = nowMs;
    steps.push([
      'settle',
      keys,
      [takenAtMs, to, '', ...groups.flatMap((g) => [g.cost, 0])].map(String),
    ]);
    wanted.push(undefined);
    for (const [at, place] of places.entries()) {
      const state = model[place];
      const from = groups[at]?.cost ?? 0;
      model[place] = state && settle(state, { from, to, takenAtMs });
    }
  };

  return {
    /** Some steps and what they are to come to; undefined for one that tells nothing. */
    steps() {
      steps = [];
      wanted = [];
      while (steps.length < STEPS_AT_ONCE) addStep();
      return { steps, wanted };
    },
  };
}

describeRedis('the scripts of limits', () => {
  let client: Redis;
  beforeAll(async () => {
    client = new Redis(redisUrl);
    await client.script('LOAD', MANY);
  });
  afterAll(() => client.disconnect());

  test('have the calendar of the core on every day until 2400', async () => {
    const daysAtOnce = 2000;
    for (let first = 0; first < 157_100; first += daysAtOnce) {
      const found = await client.eval(CALENDAR, 0, first, daysAtOnce);
      const wanted = Array.from({ length: daysAtOnce }, (_, at) => {
        const { startMs, endMs } = windowAt(WINDOWS.indexOf('month'), (first + at) * DAY_MS);
        return `${startMs} ${endMs}`;
      });
      expect(found).toEqual(wanted);
    }
  });

  test(`agree with the core on ${STEPS} random steps`, { timeout: 180_000 }, async () => {
    const namespace = newNamespace();
    const first = Date.now() % 1_000_000_000;
    const seen = { taken: 0, refused: 0, settled: 0 };
    let done = 0;
    const judge = (step: Step | undefined, want: Wanted | undefined, reply: unknown) => {
      done += 1;
      seen[want?.outcome ?? 'settled'] += 1;
      if (!want) return;
      const { clockMs: _, ...found } = readCounted(reply);
      if (JSON.stringify(found) !== JSON.stringify(want))
        expect(found, JSON.stringify(step)).toEqual(want);
    };
    const run = async (seed: number): Promise<void> => {
      const stream = createStream(namespace, seed);
      for (let left = STEPS / STREAMS; left > 0; left -= STEPS_AT_ONCE) {
        const { steps, wanted } = stream.steps();
        const replies = await client.evalsha(MANY_SHA, 0, JSON.stringify(steps));
        if (!Array.isArray(replies)) throw new Error('Redis answered something else');
        for (const [at, reply] of replies.entries()) judge(steps[at], wanted[at], reply);
      }
    };
    await Promise.all(Array.from({ length: STREAMS }, (_, at) => run(first + at)));
    expect(done).toBeGreaterThanOrEqual(STEPS);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(STEPS / 50);
  });
});
