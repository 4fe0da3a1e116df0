import type { Bucket, Figures, Window, WindowName } from './limit.ts';
import { WINDOWS } from './limit.ts';
import type { CredentialKind, Plan, SubjectKind, WrittenFigures } from './policy.ts';

/** The rate windows from the smallest, with the key a policy writes and the length a bucket refills by. */
const RATES = [
  { window: 'second', key: 'per_second', lengthMs: 1000 },
  { window: 'minute', key: 'per_minute', lengthMs: 60_000 },
  { window: 'hour', key: 'per_hour', lengthMs: 3_600_000 },
  { window: 'day', key: 'per_day', lengthMs: 86_400_000 },
  { window: 'month', key: 'per_month', lengthMs: 2_592_000_000 },
] as const satisfies readonly { window: WindowName; key: keyof WrittenFigures; lengthMs: number }[];

/** The keys of figures that a bucket can refill by. */
export const RATE_KEYS = RATES.map((rate) => rate.key);

/** A plan as a policy writes it: its figures, and figures that replace some for one kind of credential. */
export type WrittenPlan = WrittenFigures & {
  readonly by?: SubjectKind | undefined;
} & { readonly [kind in CredentialKind]?: WrittenFigures | undefined };

/** Compiles figures; labels are `minute`, `quota`, `burst`, behind `prefix-` where one is given. */
export function compileFigures(written: WrittenFigures, prefix?: string): Figures {
  const label = (name: string) => (prefix === undefined ? name : `${prefix}-${name}`);
  const windows: Window[] = RATES.flatMap((rate) => {
    const limit = written[rate.key];
    if (limit === undefined) return [];
    const slot = WINDOWS.indexOf(rate.window);
    const policy = `${limit}/${rate.window}`;
    return [{ slot, limit, policy, label: label(rate.window), quota: false }];
  });
  const bucket = compileBucket(written, label('burst'));
  if (written.quota) windows.push(quotaWindow(written.quota, label('quota')));
  return bucket ? { windows, bucket } : { windows };
}

/** Compiles a plan: for each kind of credential the base figures with that kind's laid over. */
export function compilePlan(name: string, written: WrittenPlan): Plan {
  const { by, api_key, jwt, anonymous, ...base } = written;
  const layers = {
    api_key: { ...base, ...present(api_key) },
    jwt: { ...base, ...present(jwt) },
    anonymous: { ...base, ...present(anonymous) },
  };
  return planOf({ name, by }, layers);
}

const overridden = new WeakMap<Plan, WeakMap<WrittenFigures, Plan>>();

/** A plan with a workspace's figures laid over, for every kind of credential; the same two give the same plan. */
export function overridePlan(plan: Plan, overrides: WrittenFigures): Plan {
  const known = overridden.get(plan) ?? new WeakMap<WrittenFigures, Plan>();
  overridden.set(plan, known);
  const kept = known.get(overrides);
  if (kept) return kept;
  const over = present(overrides);
  const made = planOf(plan, {
    api_key: { ...plan.written.api_key, ...over },
    jwt: { ...plan.written.jwt, ...over },
    anonymous: { ...plan.written.anonymous, ...over },
  });
  known.set(overrides, made);
  return made;
}

function planOf(named: Pick<Plan, 'name' | 'by'>, written: Plan['written']): Plan {
  return {
    name: named.name,
    by: named.by,
    written,
    figures: {
      api_key: compileFigures(written.api_key),
      jwt: compileFigures(written.jwt),
      anonymous: compileFigures(written.anonymous),
    },
  };
}

function compileBucket(written: WrittenFigures, label: string): Bucket | undefined {
  const smallest = RATES.find((rate) => written[rate.key] !== undefined);
  const limit = smallest && written[smallest.key];
  if (written.burst === undefined || limit === undefined) return undefined;
  const policy = `${limit}/${smallest?.window}`;
  return { size: written.burst, limit, lengthMs: smallest?.lengthMs ?? 0, policy, label };
}

function quotaWindow(
  quota: { readonly requests: number; readonly per: 'day' | 'month' },
  label: string,
): Window {
  const slot = WINDOWS.indexOf(`quota_${quota.per}`);
  return {
    slot,
    limit: quota.requests,
    policy: `${quota.requests}/${quota.per}`,
    label,
    quota: true,
  };
}

/** Figures without the keys whose value is undefined, so that laying them over hides nothing. */
function present(figures: WrittenFigures | undefined): WrittenFigures {
  return Object.fromEntries(
    Object.entries(figures ?? {}).filter(([, value]) => value !== undefined),
  );
}
