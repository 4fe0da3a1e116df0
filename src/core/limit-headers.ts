import { bindingUsage, type Taken, type Usage } from './limit.ts';

type Header = readonly [string, string];

/** Which families of rate-limit headers are sent. */
export type HeaderFamilies = { readonly legacy: boolean; readonly ietf: boolean };

/**
 * What the client is told of its limits: `X-RateLimit-*` for the tightest window, and
 * `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers) for all of them.
 */
export function limitHeaders(
  families: HeaderFamilies,
  taken: Taken | undefined,
  nowMs: number,
): readonly Header[] {
  const binding = taken && bindingUsage(taken);
  if (!taken || !binding) return [];
  const headers: Header[] = [];
  if (families.legacy) {
    const resetMs = binding.burst === undefined ? binding.resetAtMs : (binding.retryAtMs ?? 0);
    headers.push(
      ['x-ratelimit-limit', String(binding.limit)],
      ['x-ratelimit-remaining', String(binding.burst === undefined ? binding.remaining : 0)],
      ['x-ratelimit-reset', String(Math.ceil(resetMs / 1000))],
      ['x-ratelimit-policy', binding.policy],
    );
  }
  if (families.ietf) {
    headers.push(
      ['ratelimit-policy', taken.usages.map(policyItem).join(', ')],
      ['ratelimit', taken.usages.map((usage) => usageItem(usage, nowMs)).join(', ')],
    );
  }
  return headers;
}

/** Whole seconds until a refused request fits, rounded up, at least 1 (RFC 9110 section 10.2.3). */
export function retryAfterSeconds(taken: Taken | undefined, nowMs: number): number | undefined {
  const retryAtMs = taken?.refused ? bindingUsage(taken)?.retryAtMs : undefined;
  return retryAtMs === undefined ? undefined : secondsUntil(retryAtMs, nowMs);
}

/** Whole seconds until a moment, rounded up, at least 1. */
export function secondsUntil(atMs: number, nowMs: number): number {
  return Math.max(1, Math.ceil((atMs - nowMs) / 1000));
}

function policyItem(usage: Usage): string {
  return `${quoted(usage.label)};q=${usage.burst ?? usage.limit};w=${Math.ceil(usage.lengthMs / 1000)}`;
}

function usageItem(usage: Usage, nowMs: number): string {
  const seconds = Math.ceil(((usage.retryAtMs ?? usage.resetAtMs) - nowMs) / 1000);
  return `${quoted(usage.label)};r=${usage.remaining};t=${Math.max(0, seconds)}`;
}

/** A structured-field string (RFC 9651 section 3.3.3); names hold printable ASCII only. */
function quoted(text: string): string {
  const isPlain = !text.includes('"') && !text.includes('\\');
  return isPlain ? `"${text}"` : `"${text.replace(/["\\]/g, '\\$&')}"`;
}
