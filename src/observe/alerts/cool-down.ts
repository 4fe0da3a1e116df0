import type { Alert } from '../../core/alert.ts';
import { createRecent } from './recent.ts';

/** What a cool-down says of an alert: how many like it were not told since the last, or that it is not told. */
export type Judged = { readonly suppressed: number } | 'cooling';

/** Subjects remembered; beyond them the one longest silent may be told of early. */
const SUBJECTS_MAX = 10_000;

/** Checks are answered in another order than they began: an alert that is older than the last by less is no news. */
const DISORDER_MS = 10_000;

/** Lets one alert of a name about a subject through in a time. */
export function createCoolDown(): (alert: Alert, coolDownMs: number) => Judged {
  const told = createRecent<{ readonly atMs: number; suppressed: number }>(SUBJECTS_MAX);
  return ({ name, subject, timeMs }, coolDownMs) => {
    const key = `${name}\n${subject}`;
    const last = told.get(key);
    const ageMs = last ? timeMs - last.atMs : Number.POSITIVE_INFINITY;
    // A clock that was set back must not silence anything.
    if (last && ageMs > -DISORDER_MS && ageMs < coolDownMs) {
      last.suppressed += 1;
      return 'cooling';
    }
    told.put(key, { atMs: timeMs, suppressed: 0 });
    return { suppressed: last?.suppressed ?? 0 };
  };
}
