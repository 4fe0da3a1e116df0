import type { Figures } from '../core/limit.ts';
import { CREDENTIAL_KINDS, type Plan } from '../core/policy.ts';

/** What figures allow that they did not, as in `300/minute instead of 60/minute`. */
export function looserFigures(
  before: Figures | undefined,
  after: Figures | undefined,
): readonly string[] {
  const found: string[] = [];
  for (const window of before?.windows ?? []) {
    const now = after?.windows.find((one) => one.slot === window.slot);
    if (!now) found.push(`${window.policy} is gone`);
    else if (now.limit > window.limit) found.push(`${now.policy} instead of ${window.policy}`);
  }
  const bucket = before?.bucket;
  const now = after?.bucket;
  if (bucket && !now) found.push(`the burst of ${bucket.size} is no longer a bound`);
  else if (bucket && now && now.size > bucket.size) {
    found.push(`burst ${now.size} instead of ${bucket.size}`);
  }
  return found;
}

/** What a plan allows that another did not, each change once for all kinds of credentials. */
export function looserPlan(before: Plan, after: Plan | undefined): readonly string[] {
  const found = CREDENTIAL_KINDS.flatMap((kind) =>
    looserFigures(before.figures[kind], after?.figures[kind]),
  );
  return [...new Set(found)];
}
