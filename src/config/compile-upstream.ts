import type { Reason } from '../core/decision.ts';
import { addressSet, parseTimestamp } from '../core/key-record.ts';
import type { Blocks, Errors, Upstream } from '../core/policy.ts';
import { canonicalName } from '../core/upstream.ts';
import { identityHeaders } from './check-shell.ts';
import type { Config } from './schema.ts';

/** Headers that every client may send, so that a route's constant for one is no reason to remove it elsewhere. */
const ORDINARY = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-language',
  'content-type',
  'cookie',
  'forwarded',
  'origin',
  'range',
  'referer',
  'user-agent',
  'x-request-id',
]);

/** Compiles the names under which upstream learns of a caller. */
export function compileUpstream(config: Config): Upstream {
  const prefix = canonicalName(config.upstream.prefix.toLowerCase());
  const names = identityHeaders(config.upstream);
  const claimed = config.issuers.flatMap((issuer) => Object.keys(issuer.headers));
  const constant = [config.defaults, ...config.routes]
    .flatMap((route) => Object.keys(route.headers ?? {}))
    .filter((name) => !ORDINARY.has(name.toLowerCase()));
  const owned = [...Object.values(names), ...claimed, ...constant]
    .map((name) => canonicalName(name.toLowerCase()))
    .filter((name) => !name.startsWith(prefix));
  return { prefix, names, owned: new Set(owned) };
}

/** Compiles how refusals look. */
export function compileErrors({ errors }: Config): Errors {
  const messages = Object.entries(errors.messages).filter(([, text]) => text !== undefined);
  return {
    docs: errors.docs,
    messages: new Map(messages as [Reason, string][]),
    unmatched: errors.unmatched,
    resourceMetadata: errors.resource_metadata,
  };
}

/** Compiles blocks; of two for the same caller the longer one stands. */
export function compileBlocks(written: Config['blocks']): Blocks {
  const addresses = written.flatMap(({ ip, until }) =>
    ip === undefined ? [] : [{ set: addressSet([ip]), untilMs: endOf(until) }],
  );
  const principals = new Map<string, number | undefined>();
  for (const block of written) {
    const kind = PRINCIPAL_KEYS.find((key) => block[key] !== undefined);
    if (kind === undefined) continue;
    const id = `${kind}\n${block[kind]}`;
    const untilMs = endOf(block.until);
    principals.set(id, principals.has(id) ? longer(principals.get(id), untilMs) : untilMs);
  }
  return { addresses, principals };
}

const PRINCIPAL_KEYS = ['key', 'username', 'workspace', 'client'] as const;

/** The later of two ends, where undefined is never. */
function longer(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.max(one, other);
}

function endOf(until: string | undefined): number | undefined {
  return until === undefined ? undefined : parseTimestamp(until);
}
