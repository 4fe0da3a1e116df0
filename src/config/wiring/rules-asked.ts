import type { Fault } from './fault.ts';
import { type Guard, settingOf } from './guard.ts';
import { aboutConnections, aboutGuards, aboutKind, type Rule } from './rule.ts';
import {
  at,
  entriesOf,
  findAbove,
  isFalse,
  isOn,
  isThere,
  isTrue,
  itemsOf,
  numberAt,
  type Spot,
  textAt,
} from './spot.ts';
import { hasType, resourcesOf, type Wiring } from './wiring.ts';

const NAMED_MAX = 4;

/** Whether every request is put to Postern, and what may still change it afterwards. */
export const ASKED_RULES = [
  aboutConnections('unguarded_listener', ({ spot, isWhole }) => {
    const filters = at(spot, 'http_filters');
    if (!isWhole || itemsOf(filters).some(isGuard) || forwardsNothing(spot)) return undefined;
    return {
      spot,
      message: 'nothing here asks Postern: add the ext_authz filter, or keep clients away from it',
    };
  }),
  aboutGuards('partly_enabled', judgePart),
  aboutGuards('shadow_mode', (guard) => {
    const spot = settingOf(guard, 'shadow_mode');
    if (!isOn(spot)) return undefined;
    return { spot, message: 'refusals are noted and not carried out: remove shadow_mode' };
  }),
  aboutKind('partly_enabled', 'AuthorizationPolicy', (spec) => {
    const rules = at(spec, 'rules');
    if (!isCustom(spec) || itemsOf(rules).length === 0) return undefined;
    if (itemsOf(rules).some((rule) => entriesOf(rule).length === 0)) return undefined;
    const message =
      'requests outside these rules are not judged, and their identity headers not removed: use rules: [{}]';
    return { spot: rules, message };
  }),
  aboutKind('no_rules', 'AuthorizationPolicy', (spec) => {
    const rules = at(spec, 'rules');
    if (!isCustom(spec) || itemsOf(rules).length > 0) return undefined;
    return { spot: rules, message: 'without rules nothing is ever judged: use rules: [{}]' };
  }),
  aboutKind('unknown_provider', 'AuthorizationPolicy', (spec, _needs, { meshes }) => {
    const name = at(spec, 'provider', 'name');
    const known = meshes.flatMap((mesh) =>
      itemsOf(at(mesh, 'extensionProviders')).map((one) => textAt(at(one, 'name'))),
    );
    if (!isCustom(spec) || known.length === 0 || known.includes(textAt(name))) return undefined;
    const message = `no extensionProvider has this name, so that Istio refuses everything; there is ${known.join(', ')}`;
    return { spot: name, message };
  }),
  {
    name: 'policy_replaced',
    find: (wiring) =>
      resourcesOf(wiring, 'SecurityPolicy').flatMap(({ spec }) => judgeReplacing(spec, wiring)),
  },
  {
    name: 'disabled_route',
    find: ({ overrides }, { identity, credentials }) =>
      overrides.flatMap((one) => judgeDisabled(one, [...identity, ...credentials])),
  },
  {
    name: 'per_route_service',
    find: ({ overrides }) =>
      overrides.flatMap((one) =>
        ['grpc_service', 'http_service']
          .map((service) => at(one, 'check_settings', service))
          .filter(isThere)
          .map((spot) => ({
            spot,
            message:
              'another service for single routes: where Envoy cannot make it, it asks the first one',
          })),
      ),
  },
  aboutGuards('clear_route_cache', (guard) => {
    const spot = settingOf(guard, 'clear_route_cache');
    if (!isOn(spot)) return undefined;
    const message =
      'the route is chosen anew after the decision, and may be one that was not judged: leave it off';
    return { spot, message };
  }),
  aboutGuards('filter_order', judgeOrder),
  aboutGuards('late_filter', judgeLate),
] as const satisfies readonly Rule[];

function isGuard(filter: Spot): boolean {
  return (
    hasType(at(filter, 'typed_config'), 'ExtAuthz') ||
    textAt(at(filter, 'name'))?.includes('ext_authz') === true
  );
}

/** Whether all routes answer by themselves, as a redirect to https does. */
function forwardsNothing(connection: Spot): boolean {
  const routes = itemsOf(at(connection, 'route_config', 'virtual_hosts')).flatMap((host) =>
    itemsOf(at(host, 'routes')),
  );
  return routes.length > 0 && routes.every(answersItself);
}

function answersItself(route: Spot): boolean {
  return isThere(at(route, 'redirect')) || isThere(at(route, 'direct_response'));
}

function judgePart(guard: Guard): Fault | undefined {
  const enabled = settingOf(guard, 'filter_enabled');
  const byMetadata = settingOf(guard, 'filter_enabled_metadata');
  const filter = guard.spot.up;
  const isDisabled = filter !== undefined && isOn(at(filter, 'disabled'));
  if (isDisabled && guard.dialect === 'envoy') {
    const message = 'the filter is off but for routes that turn it on: remove disabled';
    return { spot: at(filter, 'disabled'), message };
  }
  if (isTrue(at(settingOf(guard, 'deny_at_disable'), 'default_value'))) return undefined;
  const spot = [enabled, byMetadata].find(isThere);
  if (!spot) return undefined;
  const message =
    'requests that it leaves out pass unjudged: remove it, or set deny_at_disable: {default_value: true, …}';
  return isAlways(enabled) && !isThere(byMetadata) ? undefined : { spot, message };
}

/** Whether a fraction is the whole and no runtime key can make it less. */
function isAlways(enabled: Spot): boolean {
  const numerator = numberAt(at(enabled, 'default_value', 'numerator')) ?? 0;
  const unit = textAt(at(enabled, 'default_value', 'denominator')) ?? 'HUNDRED';
  const whole = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 }[unit];
  return whole !== undefined && numerator >= whole && !isThere(at(enabled, 'runtime_key'));
}

function isCustom(spec: Spot): boolean {
  return textAt(at(spec, 'action')) === 'CUSTOM';
}

/** A policy without extAuth takes the place of a wider one that has it, unless it says to merge. */
function judgeReplacing(spec: Spot, wiring: Wiring): readonly Fault[] {
  const isGuarded = resourcesOf(wiring, 'SecurityPolicy').some((one) =>
    isThere(at(one.spec, 'extAuth')),
  );
  if (!isGuarded || isThere(at(spec, 'extAuth')) || isThere(at(spec, 'mergeType'))) return [];
  const message =
    'this policy takes the place of a wider one, with its extAuth: set mergeType: StrategicMerge';
  return [{ spot: spec, message }];
}

/** A route that asks nobody must drop itself what Postern would have dropped. */
function judgeDisabled(override: Spot, names: readonly string[]): readonly Fault[] {
  const disabled = at(override, 'disabled');
  const holder = findAbove(override, (one) => isThere(at(one, 'typed_per_filter_config')));
  if (!isOn(disabled) || isFalse(disabled) || !holder || answersItself(holder)) return [];
  const removed = itemsOf(at(holder, 'request_headers_to_remove')).map((one) =>
    textAt(one)?.toLowerCase(),
  );
  const left = names.filter((name) => !removed.includes(name));
  if (left.length === 0) return [];
  const shown = left.slice(0, NAMED_MAX).join(', ');
  const more = left.length > NAMED_MAX ? ` and ${left.length - NAMED_MAX} more` : '';
  const message = `Postern is not asked here, so a client's own ${shown}${more} reach the upstream: list them in request_headers_to_remove`;
  return [{ spot: disabled, message }];
}

/** Filters that must have run before Postern is asked, and what happens when they have not. */
const BEFORE: { readonly [type: string]: string } = {
  Cors: 'preflights are judged before CORS answers them',
  HeaderMutation: 'headers that it sets or removes are those that Postern set',
};

function judgeOrder({ spot, dialect }: Guard): readonly Fault[] {
  const { before, after } = dialect === 'envoy' ? neighboursOf(spot) : NO_NEIGHBOURS;
  const late = after.flatMap((filter) => {
    const [type] = Object.keys(BEFORE).filter((one) => hasType(at(filter, 'typed_config'), one));
    const isHarmless = type === 'HeaderMutation' && !mutatesRequests(filter);
    if (type === undefined || isHarmless) return [];
    return [{ spot: filter, message: `${BEFORE[type]}: put it before ext_authz` }];
  });
  const early = before.filter((filter) => hasType(at(filter, 'typed_config'), 'Router'));
  const router = early.map(() => ({
    spot,
    message: 'the router ends the chain: put ext_authz before it',
  }));
  return [...late, ...router, ...before.flatMap(tokensTaken)];
}

/** Envoy's own JWT filter takes a verified token out of the request unless it is told to forward it. */
function tokensTaken(filter: Spot): readonly Fault[] {
  const config = at(filter, 'typed_config');
  if (!hasType(config, 'JwtAuthentication')) return [];
  return entriesOf(at(config, 'providers'))
    .filter(([, provider]) => !isTrue(at(provider, 'forward')))
    .map(([, provider]) => ({
      spot: provider,
      message:
        'the token is taken out before Postern sees it: set forward: true, or let Postern verify it alone',
    }));
}

function mutatesRequests(filter: Spot): boolean {
  return itemsOf(at(filter, 'typed_config', 'mutations', 'request_mutations')).length > 0;
}

/** Filters that run code of their own, and so may change path, host, headers and route. */
const PROGRAMS = ['Lua', 'ExternalProcessor', 'Wasm', 'DynamicModuleFilter'];

function judgeLate({ spot, dialect }: Guard): readonly Fault[] {
  const { after } = dialect === 'envoy' ? neighboursOf(spot) : NO_NEIGHBOURS;
  return after
    .filter((one) => PROGRAMS.some((type) => hasType(at(one, 'typed_config'), type)))
    .map((one) => ({
      spot: one,
      message: 'it may change the request after it was judged: put it before ext_authz',
    }));
}

const NO_NEIGHBOURS = { before: [], after: [] };

/** The filters before and after this one in its chain. */
function neighboursOf(config: Spot): {
  readonly before: readonly Spot[];
  readonly after: readonly Spot[];
} {
  const entry = config.up;
  const list = entry?.up;
  const place = entry?.path.at(-1);
  if (!list || typeof place !== 'number') return NO_NEIGHBOURS;
  const filters = itemsOf(list);
  return { before: filters.slice(0, place), after: filters.slice(place + 1) };
}
