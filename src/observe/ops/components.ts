import { WIRING_SIGNS } from '../../core/wiring.ts';
import { type Component, dateOf, type Item, type State, worst } from './component.ts';
import type { AuditReading, StatusReading, StoreReading } from './reading.ts';

/** A sink of the audit, and when it last lost something. */
export type WatchedSink = AuditReading & { readonly lastDropMs?: number | undefined };

/** A reading whose sinks were watched. */
export type WatchedReading = Omit<StatusReading, 'audit'> & {
  readonly audit: readonly WatchedSink[];
};

/** How long after a loss a sink counts as limited. */
const DROP_MS = 600_000;
/** The part of a certificate's life within which it should have been renewed. */
const LAST_PART = 0.1;

/** What a process reads of itself, as components. Those that it has not, as key sets without issuers, are left out. */
export function componentsOf(reading: WatchedReading, nowMs: number): readonly Component[] {
  return [
    gateOf(reading),
    apiOf(reading),
    storeOf(reading.store),
    policyOf(reading),
    keySetsOf(reading),
    certificateOf(reading, nowMs),
    auditOf(reading, nowMs),
    wiringOf(reading),
  ].filter((component) => component !== undefined);
}

function gateOf({ unready }: StatusReading): Component {
  const isServing = unready.length === 0;
  const message = isServing ? 'It answers Envoy.' : `It does not serve: ${unready.join('; ')}.`;
  return { name: 'gate', title: 'Gate', state: isServing ? 'ok' : 'down', message, facts: {} };
}

function apiOf({ hasApi }: StatusReading): Component {
  const message = hasApi
    ? 'It listens.'
    : 'It does not listen: another process had its address. Set listen.api.';
  const state = hasApi ? 'ok' : 'degraded';
  return { name: 'management_api', title: 'Management API', state, message, facts: {} };
}

const STORE_MESSAGES: { readonly [state in State]: string } = {
  ok: 'It answers.',
  degraded: 'Some decisions are made without it.',
  down: 'It does not answer: until it does, on_store_failure of the policy holds.',
};
const NODE_STATES = { closed: 'ok', half_open: 'degraded', open: 'down' } as const;

function storeOf({ kind, isUp, isDegraded, nodes }: StoreReading): Component {
  const upState = isDegraded ? 'degraded' : 'ok';
  const state = isUp ? upState : 'down';
  const items = nodes.map(({ node, breaker, sinceMs }) => ({
    name: node,
    state: NODE_STATES[breaker],
    since: new Date(sinceMs),
    facts: { breaker },
  }));
  return {
    ...{ name: 'store', title: 'Store', state, message: STORE_MESSAGES[state], facts: { kind } },
    items: itemsOf({ name: 'nodes', title: 'Servers of the store', each: 'Server' }, items),
  };
}

function policyOf({ policy }: StatusReading): Component {
  const hasFailed = policy.failedSinceMs !== undefined;
  const message = hasFailed
    ? 'Its files have problems, which the log names: the one before stays in force.'
    : 'What its files hold is in force.';
  const facts = {
    hash: policy.hash,
    in_force_since: new Date(policy.runningSinceMs),
    last_reload: new Date(policy.lastMs),
    failing_since: dateOf(policy.failedSinceMs),
  };
  const state = hasFailed ? 'degraded' : 'ok';
  return { name: 'policy', title: 'Policy', state, message, facts };
}

const SET_STATES = { fresh: 'ok', loading: 'degraded', stale: 'degraded', failed: 'down' } as const;
const SET_MESSAGES: { readonly [state in State]: string } = {
  ok: 'All are fresh.',
  degraded: 'Some are not fresh: tokens are judged by the keys at hand.',
  down: 'Some cannot be loaded: tokens of those issuers are refused.',
};

function keySetsOf({ keySets }: StatusReading): Component | undefined {
  if (keySets.length === 0) return undefined;
  const items = keySets.map(({ issuer, status, keys, lastSuccessMs, lastFailureMs }) => {
    const times = { last_success: dateOf(lastSuccessMs), last_failure: dateOf(lastFailureMs) };
    return { name: issuer, state: SET_STATES[status], facts: { status, keys, ...times } };
  });
  const state = worst(items.map((item) => item.state));
  return {
    ...{ name: 'key_sets', title: 'Key sets', state, message: SET_MESSAGES[state], facts: {} },
    items: itemsOf({ name: 'issuers', title: 'Key sets of issuers', each: 'Issuer' }, items),
  };
}

function certificateOf({ certificate }: StatusReading, nowMs: number): Component | undefined {
  if (certificate === undefined) return undefined;
  const { notBeforeMs, notAfterMs, isLoaded } = certificate;
  const judge = (): readonly [State, string] => {
    if (nowMs >= notAfterMs) return ['down', 'It has ended: who asks refuses it.'];
    if (!isLoaded) return ['degraded', 'Its files cannot be used: the one before stays.'];
    const isLate = notAfterMs - nowMs < (notAfterMs - notBeforeMs) * LAST_PART;
    if (isLate) return ['degraded', 'It ends soon, and nobody has renewed it.'];
    return ['ok', 'It holds. A renewed one is taken up without a restart.'];
  };
  const [state, message] = judge();
  const facts = { until: new Date(notAfterMs) };
  return { name: 'certificate', title: 'Certificate', state, message, facts };
}

function auditOf({ audit }: WatchedReading, nowMs: number): Component | undefined {
  if (audit.length === 0) return undefined;
  const items = audit.map(({ sink, waitingBytes, waitingEvents, dropped, lastDropMs }): Item => {
    const isLosing = lastDropMs !== undefined && nowMs - lastDropMs < DROP_MS;
    const waiting = { waiting_events: waitingEvents, waiting_bytes: waitingBytes };
    const facts = { ...waiting, dropped, last_drop: dateOf(lastDropMs) };
    return { name: sink, state: isLosing ? 'degraded' : 'ok', facts };
  });
  const state = worst(items.map((item) => item.state));
  const message = state === 'ok' ? 'Nothing was lost of late.' : 'Lines were lost of late.';
  return {
    ...{ name: 'audit', title: 'Audit', state, message, facts: {} },
    items: itemsOf({ name: 'sinks', title: 'Sinks of the audit', each: 'Sink' }, items),
  };
}

function wiringOf({ wiring }: StatusReading): Component {
  const items = wiring.map(
    (sign): Item => ({ name: sign, state: 'degraded', facts: { meaning: WIRING_SIGNS[sign] } }),
  );
  const state = worst(items.map((item) => item.state));
  const message =
    state === 'ok'
      ? 'No request showed anything that undoes the policy.'
      : 'Requests show what undoes the policy: see docs/wiring.md.';
  return {
    ...{ name: 'wiring', title: 'Wiring of Envoy', state, message, facts: {} },
    items: itemsOf(
      { name: 'warnings', title: 'Warnings about the wiring', each: 'Warning' },
      items,
    ),
  };
}

function itemsOf(
  words: { readonly name: string; readonly title: string; readonly each: string },
  of: readonly Item[],
): Component['items'] {
  return of.length === 0 ? undefined : { ...words, of };
}
