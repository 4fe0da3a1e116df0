import { type CheckClient, openCheckClient } from './check-client.ts';

/** What is known of a key: what the last acknowledged change made of it. */
export type KeyState = {
  readonly id: string;
  readonly status: 'active' | 'disabled' | 'revoked';
  readonly description: string;
  readonly scopes: readonly string[];
  readonly secret: string;
  /** Rotated out with grace, and let in beside the newest. */
  readonly graced?: string | undefined;
};

/** One change, so that it can be asked again and be found again among the events. */
export type Step = {
  readonly call: ApiCall;
  /** Its `x-request-id`, which the audit event of the change names. */
  readonly name: string;
  readonly isRepeatable: boolean;
  /** The state after it, from the state before and the answer. */
  readonly apply: (before: KeyState | undefined, answer: Json) => KeyState;
};

/** One key from its birth on. One client alone changes it. */
export type Entry = {
  readonly name: string;
  state: KeyState | undefined;
  /** Asked, and neither acknowledged nor known to be undone. */
  pending: Step | undefined;
  /** Secrets that must never be let in again. */
  readonly ended: string[];
};

export type Json = { readonly [name: string]: unknown };
export type ApiCall = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly headers?: { readonly [name: string]: string };
};
export type ApiAnswer = {
  readonly status: number;
  readonly isReplayed: boolean;
  readonly body: Json;
};

/** The server of one round, from its start until it is killed. */
export type Server = {
  readonly checks: CheckClient;
  /** Undefined where no whole answer came. */
  readonly ask: (call: ApiCall) => Promise<ApiAnswer | undefined>;
};

/** Speaks to a running server as its administrator. */
export function openServer(
  addresses: { readonly [listener: string]: string },
  token: string,
): Server {
  const ask: Server['ask'] = async ({ method, path, body, headers }) => {
    try {
      const response = await fetch(`http://${addresses['api']}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        isReplayed: response.headers.get('idempotency-replayed') === 'true',
        body: text === '' ? {} : JSON.parse(text),
      };
    } catch {
      return undefined;
    }
  };
  return { checks: openCheckClient(addresses['check'] ?? ''), ask };
}

/** Numbers from 0 to 1 that a seed decides (xorshift). */
export function openRandom(seed: number): () => number {
  let state = (seed | 0) === 0 ? 1 : seed | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Makes steps, each with a name that no other has. */
export function openSteps(run: string, random: () => number) {
  let made = 0;
  const next = () => {
    made += 1;
    return `${run}.${made}`;
  };
  return {
    create: () => create(next()),
    change: (state: KeyState) => change(next(), state, random()),
  };
}
export type Steps = ReturnType<typeof openSteps>;

const READ = ['docs:read'];
const BOTH = ['docs:read', 'docs:write'];
const GRACE_SECONDS = 3600;

function create(name: string): { readonly entry: Entry; readonly step: Step } {
  const body = { name, description: name, kind: 'service', scopes: READ };
  const headers = { 'x-request-id': name, 'idempotency-key': name };
  const step: Step = {
    name,
    isRepeatable: true,
    call: { method: 'POST', path: '/v1/api-keys', body, headers },
    apply: (_before, { id, key }) => ({
      id: String(id),
      status: 'active',
      description: name,
      scopes: READ,
      secret: String(key),
    }),
  };
  return { step, entry: { name, state: undefined, pending: step, ended: [] } };
}

/** A change that makes a difference, chosen by a number from 0 to 1. */
function change(name: string, state: KeyState, chosen: number): Step {
  const isActive = state.status === 'active';
  if (chosen < 0.35) return patch(name, state);
  if (chosen < 0.6) return rotate(name, state, 0);
  if (chosen < 0.7) return rotate(name, state, GRACE_SECONDS);
  if (chosen < 0.9 || !isActive) {
    const path = `/v1/api-keys/${state.id}/${isActive ? 'disable' : 'enable'}`;
    const status = isActive ? 'disabled' : 'active';
    return plain(name, { method: 'POST', path }, (before) => ({ ...before, status }));
  }
  const path = `/v1/api-keys/${state.id}`;
  return plain(name, { method: 'DELETE', path }, (before) => ({ ...before, status: 'revoked' }));
}

function patch(name: string, state: KeyState): Step {
  const fields = { description: name, scopes: state.scopes.length === 1 ? BOTH : READ };
  const path = `/v1/api-keys/${state.id}`;
  return plain(name, { method: 'PATCH', path, body: fields }, (before) => ({
    ...before,
    ...fields,
  }));
}

function rotate(name: string, state: KeyState, grace_seconds: number): Step {
  const headers = { 'x-request-id': name, 'idempotency-key': name };
  const path = `/v1/api-keys/${state.id}/rotate`;
  return {
    name,
    isRepeatable: true,
    call: { method: 'POST', path, body: { grace_seconds }, headers },
    apply: (before, { key }) => ({
      ...(before ?? state),
      secret: String(key),
      graced: grace_seconds > 0 ? before?.secret : undefined,
    }),
  };
}

function plain(name: string, call: ApiCall, apply: (before: KeyState) => KeyState): Step {
  return {
    name,
    isRepeatable: false,
    call: { ...call, headers: { 'x-request-id': name } },
    apply: (before) => {
      if (!before) throw new Error(`${name} changes a key that nobody knows`);
      return apply(before);
    },
  };
}

/** Takes an acknowledged change into the books. */
export function settle(entry: Entry, step: Step, answer: Json): void {
  const before = entry.state;
  const after = step.apply(before, answer);
  const known = [after.secret, after.graced];
  for (const secret of [before?.secret, before?.graced]) {
    if (secret !== undefined && !known.includes(secret)) entry.ended.push(secret);
  }
  entry.state = after;
  entry.pending = undefined;
}
