import { sourceOf } from './address.ts';
import {
  type Circumstances,
  DENIALS,
  type Deny,
  deny,
  type Reached,
  type Step,
} from './decision.ts';
import { blockEnd, type FailureSubject, noteFailure } from './failures-book.ts';
import { failureGroups, heldBack, holdBack, limitsFailures, usedUp } from './failures-limit.ts';
import { type Inquiry, identify } from './identify.ts';
import type { Usage } from './limit.ts';
import type { Principal } from './principal.ts';
import type { Request } from './request.ts';

/** A refusal, with what its source has used up or its failure has come to. */
export type Failed = Deny & Pick<Circumstances, 'taken' | 'reached'>;

/** Finds out who calls, unless its source failed too often; and counts a failure. */
export async function identifyCaller(
  inquiry: Inquiry,
  request: Request,
): Promise<Principal | Failed> {
  const refused = judgeSource(inquiry, request);
  if (refused) return refused;
  const principal = await identify(inquiry, request);
  return principal.kind === 'deny' ? settleFailure(inquiry, request, principal) : principal;
}

/**
 * Refuses a source that failed too often, before its credential is looked at: one that a rule blocks, or that has
 * used up the route's limits on failures as far as this process knows. Costs no trip and no hash.
 */
function judgeSource(inquiry: Inquiry, request: Request): Failed | undefined {
  const { ports, policy, route, nowMs } = inquiry;
  const book = ports.failures;
  if (!book || route.access.kind === 'public') return undefined;
  const isLimited = limitsFailures(route);
  const rules = policy.alerts.failures;
  if (!isLimited && !rules.some((rule) => rule.blockMs !== undefined)) return undefined;
  const address = sourceOf(request.address);
  const usages = isLimited ? heldBack(book, { policy, route, address }, nowMs) : [];
  const untilMs = blockEnd(book, rules, { by: 'ip', id: address }, nowMs);
  if (untilMs === undefined && usages.length === 0) return undefined;
  return tooMany('admit', { usages, untilMs });
}

/**
 * Counts a failed authentication, which is every 401, and tells what its answer is: the refusal itself, with the
 * limits of rules that it came to, or `too_many_failures` in its place. Other refusals are answered as they are.
 * Rejects when the store does, so that no failure is told apart that was not counted.
 */
async function settleFailure(inquiry: Inquiry, request: Request, refusal: Deny): Promise<Failed> {
  if (DENIALS[refusal.reason].status !== 401) return refusal;
  const spent: Reached[] = [];
  if (limitsFailures(inquiry.route)) {
    const refused =
      judgeFailed(inquiry, request, refusal) ??
      (await takeFailure(inquiry, { request, refusal, spent }));
    if (refused) return refused;
  }
  // Judged and noted in one turn: others of the same source may have been noted meanwhile.
  return judgeFailed(inquiry, request, refusal) ?? note(inquiry, { request, refusal, spent });
}

/** A failure, and the limits on failures that it has just used up. */
type Failure = { readonly request: Request; readonly refusal: Deny; readonly spent: Reached[] };

/** Takes one failure from the route's limits on them; refuses where none was left, and tells which were the last. */
async function takeFailure(
  inquiry: Inquiry,
  { request, refusal, spent }: Failure,
): Promise<Failed | undefined> {
  const { ports, policy, route, nowMs } = inquiry;
  const address = sourceOf(request.address);
  const taken = await ports.takeLimits(failureGroups(policy, route, address), nowMs);
  const usages = usedUp(taken);
  if (ports.failures) holdBack(ports.failures, { policy, route, address }, usages);
  if (taken.refused) return tooMany('limit', { usages, refusal });
  for (const { limit, lengthMs } of usages) spent.push({ by: 'ip', limit, windowMs: lengthMs });
  return undefined;
}

/** Refuses a failure of a source or key that is refused by now, though it was not when its request came. */
function judgeFailed(inquiry: Inquiry, request: Request, refusal: Deny): Failed | undefined {
  const { ports, policy, nowMs } = inquiry;
  if (!ports.failures) return undefined;
  for (const subject of subjectsOf(request, refusal)) {
    const untilMs = blockEnd(ports.failures, policy.alerts.failures, subject, nowMs);
    if (untilMs !== undefined) return tooMany('identify', { untilMs, refusal });
  }
  return undefined;
}

function note(inquiry: Inquiry, { request, refusal, spent }: Failure): Failed {
  const { ports, policy, nowMs } = inquiry;
  const book = ports.failures;
  const noted = subjectsOf(request, refusal).flatMap((subject) =>
    book ? noteFailure(book, policy.alerts.failures, subject, nowMs) : [],
  );
  const reached = [...spent, ...noted];
  return reached.length === 0 ? refusal : { ...refusal, reached };
}

/** Whom a failure is counted for: its source, and the key that was refused for its own state. */
function subjectsOf(request: Request, { key }: Deny): readonly FailureSubject[] {
  const source: FailureSubject = { by: 'ip', id: sourceOf(request.address) };
  return key ? [source, { by: 'key', id: key.id }] : [source];
}

function tooMany(
  step: Step,
  why: {
    readonly usages?: readonly Usage[];
    readonly untilMs?: number | undefined;
    readonly refusal?: Deny;
  },
): Failed {
  const { usages = [], untilMs = 0, refusal } = why;
  const retryAtMs = Math.max(untilMs, ...usages.map((usage) => usage.retryAtMs ?? 0));
  const { key, detail } = refusal ?? {};
  const answer = deny(step, 'too_many_failures', { key, detail, retryAtMs });
  return usages.length === 0 ? answer : { ...answer, taken: { usages, refused: true } };
}
