import type { LimitGroup } from '../../src/core/limit.ts';
import { compileFigures } from '../../src/core/plan.ts';

/** Limits of a request: one group for each counter. */
export type Shape = {
  readonly name: string;
  /** The counters of a request of this number. */
  readonly groups: (at: number) => readonly LimitGroup[];
};

const WIDE = 1_000_000_000;
const MINUTE = compileFigures({ per_minute: WIDE });
const DAY = compileFigures({ per_day: WIDE });
const MINUTE_DAY = compileFigures({ per_minute: WIDE, per_day: WIDE });
const BURST = compileFigures({ per_minute: WIDE, per_day: WIDE, burst: 1_000_000 });
const NONE = compileFigures({ per_minute: 0, per_day: WIDE, burst: 1_000_000 });

function group(figures: LimitGroup['figures'], name: string, subject: string): LimitGroup {
  return { counter: `measured\n${name}\n${subject}`, subject, figures, cost: 1 };
}

const plan = (figures: LimitGroup['figures'], at: number) =>
  group(figures, 'plan:pro', `workspace\nlive\nworkspace-${at}`);

/** What stands in memory for a subject; none of these ends while they are measured. */
export const COUNTERS: readonly Shape[] = [
  { name: 'one window (a day)', groups: (at) => [plan(DAY, at)] },
  { name: 'a minute and a day', groups: (at) => [plan(MINUTE_DAY, at)] },
  { name: 'a minute, a day and a burst', groups: (at) => [plan(BURST, at)] },
];

/** What a check asks for. */
export const CHECKS: readonly Shape[] = [
  { name: 'one window', groups: (at) => [plan(MINUTE, at)] },
  { name: 'a plan of minute, day and burst', groups: (at) => [plan(BURST, at)] },
  {
    name: "the same, a key's own limit and one by address",
    groups: (at) => [
      plan(BURST, at),
      group(MINUTE, 'key', `key\nlive\nkey-${at}`),
      group(MINUTE, 'route:reports\naddress', `ip\nlive\n198.51.${at >> 8}.${at & 255}`),
    ],
  },
  { name: 'a plan that refuses', groups: (at) => [plan(NONE, at)] },
];
