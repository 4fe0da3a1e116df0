import type { Policy, Route } from '../core/policy.ts';
import { looserIssuer, looserPrefix } from './loosened-issuer.ts';
import { looserKey, looserWorkspace } from './loosened-key.ts';
import { looserPlan } from './loosened-plan.ts';
import { laxNewRoute, looserRoute } from './loosened-route.ts';
import { isWider } from './loosened-set.ts';
import { createPacer, type YieldTurn } from './pacer.ts';

const KEY_LIVES = [
  ['maxAgeMs', 'max_age'],
  ['rotateEveryMs', 'rotate_every'],
] as const;

/** Changes that are told one by one; the others are counted. */
const TOLD_MAX = 200;

/**
 * What a policy allows that the one before did not, in words for the log. Like compiling, it lets the event loop
 * turn about every 10 ms. A removed entry that refused something counts; one that let something in does not.
 */
export async function loosened(
  before: Policy,
  after: Policy,
  yieldTurn?: YieldTurn,
): Promise<readonly string[]> {
  const pacer = createPacer(yieldTurn);
  const told: string[] = [];
  let untold = 0;
  for (const change of changes(before, after)) {
    if (change !== undefined && told.length < TOLD_MAX) told.push(change);
    else if (change !== undefined) untold += 1;
    if (pacer.isDue()) await pacer.rest();
  }
  return untold === 0 ? told : [...told, `and ${untold} more`];
}

/** Every change; undefined stands for an entry that was looked at and is no looser. */
function* changes(before: Policy, after: Policy): Iterable<string | undefined> {
  yield* globalChanges(before, after);
  yield* blockChanges(before, after);
  yield* failureChanges(before, after);
  yield* routeChanges(before, after);
  yield* paired('plan', before.plans, after.plans, looserPlan);
  yield* paired('issuer', byName(before.issuers), byName(after.issuers), looserIssuer);
  const prefixes = (policy: Policy) => new Map(policy.prefixes.map((one) => [one.prefix, one]));
  yield* paired('prefix', prefixes(before), prefixes(after), looserPrefix);
  yield* paired('workspace', before.workspaces, after.workspaces, looserWorkspace);
  yield* keyChanges(before, after);
  yield* lifeChanges(before, after);
  for (const [name, role] of after.roles.byName) {
    const known = before.roles.byName.get(name);
    yield known && isWider(known.scopes, role.scopes) ? `role ${name} has more scopes` : undefined;
  }
}

function* globalChanges(before: Policy, after: Policy): Iterable<string> {
  if (JSON.stringify(before.clientIp) !== JSON.stringify(after.clientIp)) {
    yield 'client_ip finds the client in another place';
  }
  const strictness = ['allow', 'flag', 'deny'];
  if (strictness.indexOf(after.browser) < strictness.indexOf(before.browser)) {
    yield `api_keys.browser is ${after.browser} instead of ${before.browser}`;
  }
  if (before.catalogue && !after.catalogue) yield 'without a catalogue wildcards cover every scope';
  if (before.limitBy !== after.limitBy) yield `limits count by ${after.limitBy}`;
  if (before.defaultPlan && !after.defaultPlan) yield 'there is no default plan';
  else if (before.defaultPlan && before.defaultPlan.name !== after.defaultPlan?.name) {
    for (const change of looserPlan(before.defaultPlan, after.defaultPlan)) {
      yield `another default plan: ${change}`;
    }
  }
  const known = new Set(before.issuers.map((issuer) => issuer.name));
  for (const { name } of after.issuers) if (!known.has(name)) yield `issuer ${name} is new`;
}

function* blockChanges(before: Policy, after: Policy): Iterable<string | undefined> {
  const entries = ({ blocks }: Policy) =>
    new Map([
      ...blocks.addresses.map(({ set, untilMs }) => [writeSet(set.blocks), untilMs] as const),
      ...blocks.principals,
    ]);
  const now = entries(after);
  for (const [who, untilMs] of entries(before)) {
    const kind = who.slice(0, who.indexOf('\n'));
    if (!now.has(who)) yield `a block of ${kind} is gone`;
    else {
      const end = now.get(who);
      const isShorter = end !== undefined && (untilMs === undefined || end < untilMs);
      yield isShorter ? `a block of ${kind} ends sooner` : undefined;
    }
  }
}

/** Blocks after failures that come later, last shorter or come no more. */
function* failureChanges(before: Policy, after: Policy): Iterable<string> {
  const rules = after.alerts.failures;
  for (const { by, blockMs = 0, windows } of before.alerts.failures) {
    for (const { limit, lengthMs } of blockMs > 0 ? windows : []) {
      const isKept = rules.some(
        (now) =>
          now.by === by &&
          (now.blockMs ?? 0) >= blockMs &&
          now.windows.some((one) => one.lengthMs === lengthMs && one.limit <= limit),
      );
      if (!isKept) yield `${limit} failures by ${by} in ${lengthMs / 1000} s block less`;
    }
  }
}

function* routeChanges(before: Policy, after: Policy): Iterable<string | undefined> {
  const known = byName(before.routes);
  const now = byName(after.routes);
  for (const [name, route] of now) {
    const earlier = known.get(name);
    yield* tell('route', name, earlier ? looserRoute(earlier, route) : laxNewRoute(route));
  }
  for (const [name, route] of known) {
    const isStrict = route.access.kind !== 'public' && !now.has(name);
    yield isStrict ? `route ${name} is gone: a later route may take its requests` : undefined;
  }
  if (isReordered([...known.keys()], now)) yield 'routes stand in another order';
}

/** Whether names that both have come in another order: the first match decides. */
function isReordered(before: readonly string[], after: ReadonlyMap<string, Route>): boolean {
  const known = new Set(before);
  const kept = before.filter((name) => after.has(name));
  return [...after.keys()].filter((name) => known.has(name)).some((name, at) => name !== kept[at]);
}

function* keyChanges(before: Policy, after: Policy): Iterable<string | undefined> {
  for (const [hash, declared] of after.declaredKeys) {
    const earlier = before.declaredKeys.get(hash);
    yield* earlier ? tell('key', declared.key.id, looserKey(earlier, declared)) : [undefined];
  }
}

function* lifeChanges(before: Policy, after: Policy): Iterable<string> {
  for (const [rule, key] of KEY_LIVES) {
    const [was = Infinity, is = Infinity] = [before.keyRules[rule], after.keyRules[rule]];
    if (is > was) yield `api_keys.${key} lets keys live longer`;
  }
}

function* paired<T>(
  noun: string,
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  compare: (before: T, after: T) => readonly string[],
): Iterable<string | undefined> {
  for (const [name, now] of after) {
    const earlier = before.get(name);
    yield* earlier ? tell(noun, name, compare(earlier, now)) : [undefined];
  }
}

function tell(
  noun: string,
  name: string,
  found: readonly string[],
): readonly (string | undefined)[] {
  return found.length === 0 ? [undefined] : found.map((change) => `${noun} ${name}: ${change}`);
}

function byName<T extends { readonly name: string }>(
  entries: readonly T[],
): ReadonlyMap<string, T> {
  return new Map(entries.map((entry) => [entry.name, entry]));
}

function writeSet(blocks: Policy['blocks']['addresses'][number]['set']['blocks']): string {
  const texts = blocks.map(
    ({ prefixLength, networks }) => `${prefixLength}:${[...networks].join()}`,
  );
  return `address\n${texts.join()}`;
}
