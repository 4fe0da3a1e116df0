import type { Policy } from '../core/policy.ts';
import type { Request } from '../core/request.ts';
import type { WiringSign } from '../core/wiring.ts';
import type { CheckQuestion } from './decode.ts';

/** One question, and the time that Envoy gives for its answer, ms: infinite without a deadline, NaN where not known. */
export type Sight = {
  readonly asked: CheckQuestion;
  readonly request: Request;
  readonly policy: Policy;
  readonly timeoutMs: number;
};

/** Looks at every question for what is wrong with the wiring around it. Cheap: what was seen is not looked for again. */
export type WatchWiring = (sight: Sight) => void;

type Look = {
  readonly sign: WiringSign;
  /** Whether a policy makes the sign one. */
  readonly matters: (policy: Policy) => boolean;
  readonly shows: (sight: Sight) => boolean;
  /** How many questions in a row must show it; 1 when absent. */
  readonly times?: number;
  /** Whether one question that does not show it rules it out for good. */
  readonly isRuledOutByOne?: boolean;
};

/** A busy process finds less time left than Envoy gave, so the bound lies below any sensible timeout. */
const SHORT_MS = 100;
const LONG_MS = 2000;
const SHORT_TIMES = 20;
/** Only some routes of Envoy may have context, so their absence is a sign only after many requests. */
const CONTEXT_TIMES = 1000;

const always = () => true;

const LOOKS: readonly Look[] = [
  {
    sign: 'failure_mode_allow',
    matters: always,
    shows: ({ asked }) => asked.headers.has('x-envoy-auth-failure-mode-allowed'),
  },
  {
    sign: 'missing_timeout',
    matters: always,
    shows: ({ timeoutMs }) => timeoutMs === Number.POSITIVE_INFINITY,
  },
  {
    sign: 'short_timeout',
    matters: always,
    shows: ({ timeoutMs }) => timeoutMs < SHORT_MS,
    times: SHORT_TIMES,
  },
  {
    sign: 'long_timeout',
    matters: always,
    shows: ({ timeoutMs }) => timeoutMs > LONG_MS && timeoutMs < Number.POSITIVE_INFINITY,
  },
  { sign: 'no_raw_headers', matters: always, shows: ({ asked }) => asked.isJoined },
  {
    sign: 'headers_allow_list',
    matters: always,
    // Envoy has a method for every request; it is missing only where a list leaves it out.
    shows: ({ asked }) => !asked.headers.has(':method'),
  },
  {
    sign: 'request_id',
    matters: always,
    shows: ({ asked }) => !asked.headers.has('x-request-id'),
  },
  {
    sign: 'request_body',
    matters: always,
    shows: ({ asked }) => asked.headers.has('x-envoy-auth-partial-body'),
  },
  {
    sign: 'no_context',
    matters: ({ routes }) => routes.some(({ context }) => context.length > 0),
    shows: ({ asked }) => asked.contextExtensions.size === 0,
    times: CONTEXT_TIMES,
    isRuledOutByOne: true,
  },
  {
    sign: 'https_unseen',
    matters: ({ routes }) => routes.some(({ httpsOnly }) => httpsOnly),
    shows: ({ asked }) => !asked.headers.has('x-forwarded-proto'),
  },
  {
    sign: 'use_remote_address',
    matters: ({ clientIp }) => clientIp.kind === 'peer',
    shows: ({ asked }) => isPeerMissing(asked),
  },
  {
    sign: 'hops_differ',
    matters: ({ clientIp }) => clientIp.kind === 'trusted_hops',
    shows: ({ asked, request }) =>
      request.isAddressUntrusted || !asked.headers.has('x-forwarded-for'),
  },
  {
    sign: 'no_source_address',
    matters: always,
    shows: ({ asked }) => asked.sourceAddress === undefined,
  },
  {
    sign: 'internal_clients',
    matters: always,
    shows: ({ asked: { headers } }) =>
      headers.has('x-envoy-internal') || headers.has('x-envoy-original-path'),
  },
  {
    sign: 'escaped_slashes',
    matters: (policy) => !admits(policy, 'encoded_slash'),
    shows: ({ request: { target } }) => isOdd(target) && /%2f|%5c/i.test(target.path),
  },
  {
    sign: 'merge_slashes',
    matters: (policy) => !admits(policy, 'empty_segment'),
    shows: ({ request: { target } }) => isOdd(target) && target.path.includes('//'),
  },
  {
    sign: 'normalize_path',
    matters: always,
    shows: ({ request: { target } }) => isOdd(target) && /\/\.{1,2}(?:\/|$)/.test(target.path),
  },
];

/**
 * Makes the watch of this process. `onSeen` hears of each sign once; what a policy does not need is not looked for.
 * Questions that hold no request say nothing.
 */
export function createWiringWatch(onSeen: (sign: WiringSign) => void): WatchWiring {
  const seen = new Set<WiringSign>();
  const inRow = new Map<WiringSign, number>();
  let known: Policy | undefined;
  let looks: readonly Look[] = [];

  const choose = (policy: Policy) => {
    known = policy;
    looks = LOOKS.filter(({ sign, matters }) => !seen.has(sign) && matters(policy));
  };
  const isOften = ({ sign, times = 1 }: Look): boolean => {
    const count = (inRow.get(sign) ?? 0) + 1;
    inRow.set(sign, count);
    return count >= times;
  };
  const interrupt = ({ sign, isRuledOutByOne }: Look) => {
    if (isRuledOutByOne === true) inRow.set(sign, Number.NEGATIVE_INFINITY);
    else if (inRow.has(sign)) inRow.delete(sign);
  };
  const note = (look: Look) => {
    if (!isOften(look)) return;
    seen.add(look.sign);
    known = undefined;
    onSeen(look.sign);
  };
  return (sight) => {
    if (!sight.asked.isHttp) return;
    if (sight.policy !== known) choose(sight.policy);
    for (const look of looks) {
      if (look.shows(sight)) note(look);
      else if (look.times !== undefined) interrupt(look);
    }
  };
}

/** Whether Envoy did not append its peer; false where texts cannot tell. */
function isPeerMissing({ headers, sourceAddress }: CheckQuestion): boolean {
  const last = headers.get('x-forwarded-for')?.at(-1);
  if (last === undefined || sourceAddress === undefined || isWrittenOtherwise(sourceAddress)) {
    return false;
  }
  return last.slice(last.lastIndexOf(',') + 1).trim() !== sourceAddress;
}

/** Addresses that Envoy may write in another way in the header: its own for loopback, plain IPv4 for a mapped one. */
function isWrittenOtherwise(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:');
}

function isOdd({ spellings, ambiguous }: Request['target']): boolean {
  return ambiguous || spellings.size > 0;
}

function admits({ routes }: Policy, spelling: 'encoded_slash' | 'empty_segment'): boolean {
  return routes.some(({ pathAllow }) => pathAllow.has(spelling));
}
