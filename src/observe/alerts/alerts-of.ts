import { sourceOf } from '../../core/address.ts';
import type { Alert } from '../../core/alert.ts';
import type { Answered } from '../../core/answered.ts';
import { shownMethod } from '../../core/audit.ts';

const NONE: readonly Alert[] = [];

/** The alerts that an answered check is by itself: failures that reached a rule, and the use of a sensitive route. */
export function alertsOf(answered: Answered): readonly Alert[] {
  const { decision } = answered;
  const isSensitiveUse = decision.kind === 'allow' && decision.route?.isSensitive === true;
  if (decision.reached === undefined && !isSensitiveUse) return NONE;
  const alerts = (decision.reached ?? []).flatMap((reached) => failures(answered, reached));
  return isSensitiveUse ? [...alerts, sensitiveUse(answered)] : alerts;
}

/** What every alert says of the request that raised it. */
export function circumstancesOf({
  request,
  decision,
  facts,
  timeMs,
}: Answered): Omit<Alert, 'name' | 'subject'> & { readonly facts: { [name: string]: string } } {
  const shown: { [name: string]: string } = {};
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== '') shown[name] = value;
  };
  add('route', decision.route?.name);
  add('method', facts['method']);
  add('username', facts['username']);
  add('reason', facts['reason']);
  return {
    timeMs,
    workspace: facts['workspace'],
    keyId: facts['key_id'],
    address: request.address?.text,
    requestId: request.id,
    facts: shown,
  };
}

type Reached = NonNullable<Answered['decision']['reached']>[number];

function failures(answered: Answered, { by, limit, windowMs }: Reached): readonly Alert[] {
  const { keyId, workspace, ...seen } = circumstancesOf(answered);
  const facts = { ...seen.facts, failures: String(limit), seconds: String(windowMs / 1000) };
  if (by === 'key') {
    if (keyId === undefined) return NONE;
    return [{ ...seen, name: 'failures_of_key', subject: keyId, keyId, workspace, facts }];
  }
  const subject = sourceOf(answered.request.address);
  // The address is to blame, and not the key that its last failure named.
  return [{ ...seen, name: 'failures_from_source', subject, facts }];
}

/** A use is what was allowed; what was refused did not reach the route. */
function sensitiveUse(answered: Answered): Alert {
  const seen = circumstancesOf(answered);
  const { request, facts } = answered;
  const { principal } = answered.decision;
  const who = seen.keyId ?? principal?.subject ?? principal?.username ?? sourceOf(request.address);
  const subject = [seen.facts['route'], facts['method'], facts['issuer'], who].join('\n');
  return {
    ...seen,
    name: 'sensitive_route',
    subject,
    facts: { ...seen.facts, http_method: shownMethod(answered.policy, request.method) },
  };
}
