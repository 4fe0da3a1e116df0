import { type ClientIp, IDENTITY_FIELDS, type Policy } from '../../core/policy.ts';
import { canonicalName } from '../../core/upstream.ts';
import type { Listen } from '../location.ts';
import type { Settings } from '../settings.ts';

/** What a policy needs of the wiring around it. */
export type Needs = {
  readonly clientIp: ClientIp;
  readonly isHttpsOnly: boolean;
  /** Keys of context extensions that routes ask for. */
  readonly context: ReadonlySet<string>;
  /** Spellings of paths that some route takes, so that the edge need not refuse them. */
  readonly spellings: ReadonlySet<string>;
  /** Headers in which credentials stand, lower case. */
  readonly credentials: readonly string[];
  /** Headers that tell the upstream who calls, lower case. */
  readonly identity: readonly string[];
  readonly prefix: string;
  readonly readsQuery: boolean;
  /** Headers that the decision reads, lower case; a name that ends in `*` stands for all that begin so. */
  readonly reads: readonly string[];
  readonly listen: Listen;
  readonly isTls: boolean;
};

/** Headers that any policy reads: who asks from where, what it wants to hear, and for whom errors are written. */
const ALWAYS_READ = [
  'accept',
  'content-type',
  'origin',
  'referer',
  'sec-fetch-site',
  'x-request-id',
];

/** Reads what a policy needs. */
export function readNeeds(policy: Policy, { listen }: Pick<Settings, 'listen'>): Needs {
  const { routes, strip, upstream, clientIp } = policy;
  const isHttpsOnly = routes.some(({ httpsOnly }) => httpsOnly);
  const credentials = new Set(strip.headers);
  if (strip.cookies.size > 0) credentials.add('cookie');
  const identity = IDENTITY_FIELDS.map((field) => upstream.names[field]);
  const more = [
    ...(clientIp.kind === 'peer' ? [] : ['x-forwarded-for']),
    ...(isHttpsOnly ? ['x-forwarded-proto'] : []),
  ];
  return {
    clientIp,
    isHttpsOnly,
    context: new Set(routes.flatMap(({ context }) => context.map(([key]) => key))),
    spellings: new Set(routes.flatMap(({ pathAllow }) => [...pathAllow])),
    credentials: [...credentials],
    identity,
    prefix: canonicalName(upstream.prefix),
    readsQuery: strip.parameters.size > 0,
    reads: [...credentials, ...identity, `${upstream.prefix}*`, ...ALWAYS_READ, ...more],
    listen: listen.check.address,
    isTls: listen.check.tls !== undefined,
  };
}
