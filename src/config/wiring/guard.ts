import type { Path } from '../problem.ts';
import { at, isSameName, isThere, type Spot } from './spot.ts';

/** Whose language a configuration is written in. */
export type Dialect = 'envoy' | 'istio' | 'envoy_gateway' | 'gateway_api';

/** The settings of ext_authz, by Envoy's names for them; `timeout` and `retry_policy` are those of its gRPC service. */
export type Setting =
  | 'allowed_headers'
  | 'charge_cluster_response_stats'
  | 'clear_route_cache'
  | 'decoder_header_mutation_rules'
  | 'deny_at_disable'
  | 'disallowed_headers'
  | 'enable_dynamic_metadata_ingestion'
  | 'encode_raw_headers'
  | 'failure_mode_allow'
  | 'filter_enabled'
  | 'filter_enabled_metadata'
  | 'max_denied_response_body_bytes'
  | 'retry_policy'
  | 'shadow_mode'
  | 'status_on_error'
  | 'timeout'
  | 'validate_mutations'
  | 'with_request_body';

/** Something that makes an Envoy ask Postern. */
export type Guard = {
  readonly dialect: Dialect;
  readonly spot: Spot;
  /** False for a patch of something that stands elsewhere: what it leaves out may be set there. */
  readonly isWhole: boolean;
  readonly patches: readonly Patch[];
};

/** A change of the ext_authz filter that another tool wrote: a value, and the path that it is put to. */
export type Patch = {
  readonly dialect: Dialect;
  readonly path: readonly string[];
  readonly value: Spot;
  /** The name of the filter that it changes; undefined where that is not told. */
  readonly filter?: string | undefined;
  /** Takes away what stands at the path. */
  readonly isRemoval?: boolean | undefined;
};

const ENVOY: { readonly [setting in Setting]?: Path } = {
  retry_policy: ['grpc_service', 'retry_policy'],
  status_on_error: ['status_on_error', 'code'],
  timeout: ['grpc_service', 'timeout'],
};

const OWN: { readonly [dialect in Exclude<Dialect, 'envoy'>]: typeof ENVOY } = {
  istio: {
    clear_route_cache: ['clearRouteCache'],
    failure_mode_allow: ['failOpen'],
    status_on_error: ['statusOnError'],
    timeout: ['timeout'],
    with_request_body: ['includeRequestBodyInCheck'],
  },
  envoy_gateway: {
    allowed_headers: ['headersToExtAuth'],
    clear_route_cache: ['recomputeRoute'],
    failure_mode_allow: ['failOpen'],
    retry_policy: ['grpc', 'backendSettings', 'retry'],
    status_on_error: ['statusOnError'],
    timeout: ['timeout'],
    with_request_body: ['bodyToExtAuth'],
  },
  gateway_api: {
    allowed_headers: ['grpc', 'allowedHeaders'],
    with_request_body: ['forwardBody'],
  },
};

/** Where a setting stands; a patch beside it counts more than the setting itself, and the last of them most. */
export function settingOf(guard: Guard, setting: Setting): Spot {
  const path = ENVOY[setting] ?? [setting];
  if (guard.dialect === 'envoy') return at(guard.spot, ...path);
  for (const patch of guard.patches.toReversed()) {
    const found = patch.dialect === guard.dialect ? patched(patch, path) : undefined;
    if (found) return found;
  }
  const own = OWN[guard.dialect][setting];
  return own ? at(guard.spot, ...own) : { ...guard.spot, node: undefined };
}

/** Whether a setting is missing, where it could be set and where nothing else can have set it. */
export function lacks(guard: Guard, setting: Setting): boolean {
  if (!guard.isWhole || isThere(settingOf(guard, setting))) return false;
  return guard.dialect !== 'gateway_api' || OWN.gateway_api[setting] !== undefined;
}

/** How to set what a dialect has no word of its own for. */
export function mend({ dialect }: Guard, setting: Setting, value: string): string {
  if (dialect === 'envoy') return `set ${(ENVOY[setting] ?? [setting]).join('.')}: ${value}`;
  const own = OWN[dialect][setting];
  if (own) return `set ${own.join('.')}: ${value}`;
  const means = dialect === 'istio' ? 'an EnvoyFilter' : 'an EnvoyPatchPolicy';
  return `set ${(ENVOY[setting] ?? [setting]).join('.')}: ${value} with ${means}`;
}

/** The value of a path that begins where a patch puts something, or below it; an empty one where it takes it away. */
function patched({ path, value, isRemoval = false }: Patch, wanted: Path): Spot | undefined {
  for (let length = wanted.length; length >= 0; length -= 1) {
    const isPut = wanted.slice(0, length).every((step, place) => {
      return isSameName(path[path.length - length + place] ?? '', String(step));
    });
    if (!isPut || (length === 0 && path.length > 0)) continue;
    const found = at(value, ...wanted.slice(length));
    if (isThere(found) || isRemoval) return found;
  }
  return undefined;
}
