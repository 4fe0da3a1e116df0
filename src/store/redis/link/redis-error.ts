import { RedisDown, ScriptFailure } from './link.ts';

/** What an error in an answer of Redis says about the server. */
export type Fault =
  /** The slot lies, or is about to lie, at another address. */
  | { readonly kind: 'moved' | 'ask'; readonly slot: number; readonly address: string }
  /** The slot is on its way between two nodes, and its keys are on both. */
  | { readonly kind: 'try_again' }
  | { readonly kind: 'no_script' }
  /** It cannot serve at the moment: counted by the breaker. */
  | { readonly kind: 'sick' }
  /** It refuses writes, but answers at once, and look-ups still work: the call fails, and the breaker stays closed. */
  | { readonly kind: 'unwritable' }
  /** The script's own error. */
  | { readonly kind: 'script' };

const FAULTS: Readonly<Record<string, Fault['kind']>> = {
  MOVED: 'moved',
  ASK: 'ask',
  TRYAGAIN: 'try_again',
  NOSCRIPT: 'no_script',
  READONLY: 'sick',
  LOADING: 'sick',
  MASTERDOWN: 'sick',
  CLUSTERDOWN: 'sick',
  BUSY: 'sick',
  NOAUTH: 'sick',
  WRONGPASS: 'sick',
  NOPERM: 'sick',
  OOM: 'unwritable',
  MISCONF: 'unwritable',
  NOREPLICAS: 'unwritable',
};

/** Reads an error by the first word of its text, which is Redis' code; undefined for one that is not an answer of Redis. */
export function readFault(cause: unknown): Fault | undefined {
  if (!(cause instanceof Error) || cause.name !== 'ReplyError') return undefined;
  const kind = FAULTS[codeOf(cause)] ?? 'script';
  if (kind !== 'moved' && kind !== 'ask') return { kind };
  const [, slot, address] = cause.message.split(' ');
  if (!slot || !address || !/^\d{1,5}$/.test(slot)) return { kind: 'script' };
  return { kind, slot: Number(slot), address };
}

/** The code, also where a script of Redis 6 wraps it: `ERR Error running script (…): @user_script:1: -OOM …`. */
function codeOf(cause: Error): string {
  const wrapped = /@user_script:\s?\d+: -([A-Z]+) /.exec(cause.message)?.[1];
  return wrapped ?? cause.message.split(' ', 1)[0] ?? '';
}

/** The error that a caller gets. Errors of ioredis carry the command, and with it passwords and digests: they go no further. */
export function callFailure(cause: unknown, where: string, script: string): Error {
  if (cause instanceof RedisDown) return cause;
  const fault = readFault(cause);
  if (!(cause instanceof Error) || !fault) {
    return new RedisDown(`${where} did not answer the script ${script}: ${textOf(cause)}`);
  }
  if (fault.kind !== 'script') {
    return new RedisDown(`${where} cannot run the script ${script}: ${textOf(cause)}`);
  }
  return new ScriptFailure(
    `${where} failed in the script ${script}: ${textOf(cause)}`,
    codeOf(cause),
  );
}

/** What went wrong on a connection, and what to do about it. */
export function connectionFailure(cause: unknown, node: string): RedisDown {
  const text = textOf(cause);
  const remedy = REMEDIES.find(([code]) => text.startsWith(code))?.[1];
  return new RedisDown(`Redis at ${node}: ${text}${remedy ? `; ${remedy}` : ''}`);
}

const CREDENTIALS =
  'check the user and the password of the store in the policy file, and that this user may run scripts';
const REMEDIES: readonly (readonly [string, string])[] = [
  ['WRONGPASS', CREDENTIALS],
  ['NOAUTH', CREDENTIALS],
  ['NOPERM', CREDENTIALS],
  ['ERR The user executing the script', CREDENTIALS],
  ['ERR AUTH', CREDENTIALS],
  ['ERR Client sent AUTH', CREDENTIALS],
  ['ERR DB index is out of range', 'it has no database of the number that the URL ends with'],
  ['MOVED', 'it is a node of a Cluster: write its nodes as a list'],
  ['ERR This instance has cluster support disabled', 'it is no Cluster: write one URL, not a list'],
];

/** A name that resolves to several addresses fails with an empty text and a list. */
function textOf(cause: unknown): string {
  if (cause instanceof AggregateError && !cause.message) return cause.errors.map(textOf).join(', ');
  if (!(cause instanceof Error)) return String(cause);
  if (LOST.has(cause.name)) return 'the connection was lost';
  return cause.message.split(ARGUMENTS, 1)[0] ?? '';
}

/** Redis tells what a command that it does not know was given: with AUTH that is a password. */
const ARGUMENTS = ', with args beginning with';

/** How ioredis calls it when a connection closes that owes an answer. */
const LOST = new Set(['MaxRetriesPerRequestError', 'AbortError']);
