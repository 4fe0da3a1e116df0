import type { Fault } from './fault.ts';
import { type Guard, lacks, mend, settingOf } from './guard.ts';
import type { Needs } from './needs.ts';
import { aboutConnections, aboutGuards, type Rule } from './rule.ts';
import {
  at,
  everyMap,
  isFalse,
  isOn,
  isThere,
  isTrue,
  itemsOf,
  numberAt,
  type Spot,
  textAt,
} from './spot.ts';
import type { Connection } from './wiring.ts';

const NAMESPACE = 'envoy.filters.http.ext_authz';
/** Bodies of refusals are a few hundred bytes; problem documents with links may have more. */
const BODY_BYTES_MIN = 1024;

/** Whether what Postern changes and answers arrives as it is. */
export const CHANGE_RULES = [
  aboutGuards('no_validate_mutations', (guard) => {
    const spot = settingOf(guard, 'validate_mutations');
    const isMissing = lacks(guard, 'validate_mutations');
    if (isTrue(spot) || (!isThere(spot) && !isMissing)) return undefined;
    const message = `a header that is not valid is passed on: ${mend(guard, 'validate_mutations', 'true')}`;
    return { spot: isMissing ? guard.spot : spot, message };
  }),
  aboutGuards('mutation_rules', judgeRules),
  aboutGuards('short_denied_body', (guard) => {
    const spot = settingOf(guard, 'max_denied_response_body_bytes');
    const bytes = numberAt(spot) ?? 0;
    if (bytes === 0 || bytes >= BODY_BYTES_MIN) return undefined;
    const message = `refusals are cut after ${bytes} bytes, and what is left is no JSON: allow 4096`;
    return { spot, message };
  }),
  aboutGuards('no_metadata', (guard) => {
    const spot = settingOf(guard, 'enable_dynamic_metadata_ingestion');
    if (!isFalse(spot)) return undefined;
    const message =
      'access log, rate limits and error bodies do not learn decision and reason: remove it';
    return { spot, message };
  }),
  aboutGuards('charged_refusals', (guard) => {
    const spot = settingOf(guard, 'charge_cluster_response_stats');
    const isMissing = lacks(guard, 'charge_cluster_response_stats');
    if (isFalse(spot) || (!isThere(spot) && !isMissing)) return undefined;
    const message = `refusals count as failures of the upstream: ${mend(guard, 'charge_cluster_response_stats', 'false')}`;
    return { spot: isMissing ? guard.spot : spot, message };
  }),
  aboutConnections('local_reply', judgeLocalReply),
] as const satisfies readonly Rule[];

/** What Postern must be able to change: any header of its own, and `:path` to take a key out of a query. */
function judgeRules(guard: Guard, { readsQuery }: Needs): readonly Fault[] {
  const rules = settingOf(guard, 'decoder_header_mutation_rules');
  if (!isThere(rules)) return [];
  const faults: Fault[] = [];
  const allows = isThere(at(rules, 'allow_expression'));
  const all = at(rules, 'disallow_all');
  if (isOn(all) && !allows) {
    faults.push({
      spot: all,
      message: 'Postern may change nothing: no identity arrives, no credential goes',
    });
  }
  const system = at(rules, 'disallow_system');
  if (isOn(system) && readsQuery) {
    faults.push({
      spot: system,
      message: 'Postern cannot take a key out of the query, for which it sets :path',
    });
  }
  if (!isOn(at(rules, 'disallow_is_error'))) {
    const message =
      'a change that is not allowed is left out in silence, and the request goes on: set disallow_is_error: true';
    faults.push({ spot: rules, message });
  }
  return faults;
}

/** Mappers give Envoy's own failures the shape of refusals, and must leave those of Postern alone. */
function judgeLocalReply({ spot, isWhole }: Connection): Fault | undefined {
  const config = at(spot, 'local_reply_config');
  const mappers = itemsOf(at(config, 'mappers'));
  if (mappers.length === 0 && !isThere(at(config, 'body_format'))) {
    const message =
      "Envoy's own failures have another form than refusals: add a local_reply_config";
    return isWhole && isGuarded(spot) ? { spot, message } : undefined;
  }
  const [first] = mappers;
  if (
    first &&
    everyMap(first).some(isReasonMatcher) &&
    !isThere(at(first, 'body_format_override'))
  ) {
    return undefined;
  }
  const message =
    "it writes over Postern's refusals: let the first mapper take those whose metadata has a reason, and change nothing";
  return { spot: config, message };
}

function isGuarded(connection: Spot): boolean {
  return itemsOf(at(connection, 'http_filters')).some(
    (filter) => textAt(at(filter, 'typed_config', '@type'))?.endsWith('.ExtAuthz') === true,
  );
}

function isReasonMatcher(map: Spot): boolean {
  return textAt(at(map, 'metadata_filter', 'matcher', 'filter')) === NAMESPACE;
}
