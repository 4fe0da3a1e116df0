import type { Fault } from './fault.ts';
import { type Guard, lacks, mend, settingOf } from './guard.ts';
import type { Needs } from './needs.ts';
import { aboutGuards, aboutMeshes, type Rule } from './rule.ts';
import { at, entriesOf, isThere, isTrue, itemsOf, type Spot, textAt } from './spot.ts';
import type { Wiring } from './wiring.ts';

const NAMED_MAX = 5;

/** What Postern is shown of a request. */
export const SIGHT_RULES = [
  aboutGuards('no_raw_headers', (guard) => {
    const spot = settingOf(guard, 'encode_raw_headers');
    const isMissing = lacks(guard, 'encode_raw_headers');
    if (isTrue(spot) || (!isThere(spot) && !isMissing)) return undefined;
    const message = `two headers of one name look like one, and bytes are replaced: ${mend(guard, 'encode_raw_headers', 'true')}`;
    return { spot: isMissing ? guard.spot : spot, message };
  }),
  aboutGuards('headers_allow_list', (guard, needs) => {
    const spot = settingOf(guard, 'allowed_headers');
    const admits = isThere(spot) ? listed(spot) : undefined;
    if (!admits) return undefined;
    return hidden(
      spot,
      needs.reads.filter((name) => !admits(name)),
    );
  }),
  aboutGuards('headers_allow_list', (guard, needs) => {
    const spot = settingOf(guard, 'disallowed_headers');
    const drops = isThere(spot) ? listed(spot) : undefined;
    return drops && hidden(spot, needs.reads.filter(drops));
  }),
  aboutGuards('http_service', ({ dialect, spot }) => {
    const http = httpOf(dialect, spot);
    if (!http) return undefined;
    const message = 'Postern answers gRPC only: ask it by gRPC';
    return { spot: http, message };
  }),
  aboutMeshes('http_service', (mesh) =>
    itemsOf(at(mesh, 'extensionProviders'))
      .map((provider) => at(provider, 'envoyExtAuthzHttp'))
      .filter(isThere)
      .map((spot) => ({ spot, message: 'Postern answers gRPC only: use envoyExtAuthzGrpc' })),
  ),
  aboutGuards('request_body', (guard) => {
    const spot = settingOf(guard, 'with_request_body');
    return isThere(spot) ? bodyAt(spot) : undefined;
  }),
  {
    name: 'request_body',
    find: ({ overrides }) =>
      overrides
        .map((one) => at(one, 'check_settings', 'with_request_body'))
        .filter(isThere)
        .map(bodyAt),
  },
  aboutGuards('no_context', judgeContext),
] as const satisfies readonly Rule[];

function bodyAt(spot: Spot): Fault {
  const message =
    'Postern reads no bodies: buffering delays each request, and refuses those above the limit';
  return { spot, message };
}

function hidden(spot: Spot, names: readonly string[]): Fault | undefined {
  if (names.length === 0) return undefined;
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : '';
  const shown = names.slice(0, NAMED_MAX).join(', ');
  const message = `Postern does not see ${shown}${more}, so that it neither reads nor removes them: send all headers`;
  return { spot, message };
}

/** What a list of names or of matchers holds; undefined for an empty one, which Envoy takes for none. */
function listed(list: Spot): ((name: string) => boolean) | undefined {
  const patterns = [...itemsOf(list), ...itemsOf(at(list, 'patterns'))];
  if (patterns.length === 0) return undefined;
  const matchers = patterns.map(matcherOf);
  return (name) => matchers.some((matches) => matches(name));
}

/** A name, or a StringMatcher. A regular expression counts only where it plainly takes everything. */
function matcherOf(pattern: Spot): (name: string) => boolean {
  const text = textAt(pattern);
  if (text !== undefined) return (name) => name === text.toLowerCase();
  const of = (kind: string) => textAt(at(pattern, kind))?.toLowerCase();
  const { exact, prefix, suffix, contains } = {
    exact: of('exact'),
    prefix: of('prefix'),
    suffix: of('suffix'),
    contains: of('contains'),
  };
  const isAny = /^\^?\.[*+]\$?$/.test(textAt(at(pattern, 'safe_regex', 'regex')) ?? '');
  return (name) =>
    isAny ||
    name === exact ||
    (prefix !== undefined && bare(name).startsWith(prefix)) ||
    (suffix !== undefined && !name.endsWith('*') && name.endsWith(suffix)) ||
    (contains !== undefined && bare(name).includes(contains));
}

function bare(name: string): string {
  return name.endsWith('*') ? name.slice(0, -1) : name;
}

function httpOf(dialect: Guard['dialect'], spot: Spot): Spot | undefined {
  if (dialect === 'envoy') return [at(spot, 'http_service')].find(isThere);
  if (dialect === 'envoy_gateway') return [at(spot, 'http')].find(isThere);
  const protocol = at(spot, 'protocol');
  return dialect === 'gateway_api' && textAt(protocol) === 'HTTP' ? protocol : undefined;
}

/** Routes of the policy that ask for context can match only where some route of Envoy sends it. */
function judgeContext(guard: Guard, needs: Needs, wiring: Wiring): Fault | undefined {
  if (needs.context.size === 0 || !guard.isWhole) return undefined;
  const sent = new Set([...wiring.overrides.flatMap(contextOf), ...gatewayContext(guard)]);
  const lacking = [...needs.context].filter((key) => !sent.has(key));
  if (lacking.length === 0) return undefined;
  const message = `no route sends the context ${lacking.join(', ')} that the policy asks for, so that its routes never match`;
  return { spot: guard.spot, message };
}

function contextOf(override: Spot): readonly string[] {
  return entriesOf(at(override, 'check_settings', 'context_extensions')).map(([key]) => key);
}

function gatewayContext({ dialect, spot }: Guard): readonly string[] {
  if (dialect !== 'envoy_gateway') return [];
  return itemsOf(at(spot, 'contextExtensions')).map((one) => textAt(at(one, 'name')) ?? '');
}
