import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ApiAnswer,
  type ApiClient,
  type ApiRequest,
  openApiClient,
} from '../envoy-harness/api.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { waitFor } from '../redis-harness/wait.ts';
import {
  type CheckClient,
  type CheckQuestion,
  type CheckSummary,
  openCheckClient,
} from './check-client.ts';
import { policyText } from './policy.ts';

/** How many Posterns share a Redis in these tests. */
export const FOUR = 4;

/** On a busy machine a check waits for its turn in the client, not for Postern. */
const PATIENT_MS = 30_000;
const AGAIN_MS = 50;
const ASKED_MAX = 20;

/** One of several Posterns that share a store, with its clients. */
export type Sibling = {
  readonly postern: Postern;
  /** Asks as Envoy does, and waits as long as it takes. */
  readonly check: (question: CheckQuestion) => Promise<CheckSummary>;
  /** The management API, as its administrator; who is told 503 asks again, as `retry-after` says. */
  readonly api: ApiClient;
};

/** Posterns that share a store. */
export type Family = {
  readonly namespace: string;
  readonly siblings: readonly Sibling[];
  /** The sibling whose turn it is; any number will do. */
  readonly at: (turn: number) => Sibling;
  readonly stop: () => Promise<void>;
};

export type FamilyStart = {
  /** URLs of Redis: a list is a Cluster. A list of lists names those of each sibling. */
  readonly urls: string | readonly string[];
  /** The URLs of one sibling, where it has some of its own. */
  readonly urlsOf?: ((sibling: number) => string | undefined) | undefined;
  readonly policy: object;
  /** A new one unless given. */
  readonly namespace?: string | undefined;
};

/** Starts four Posterns with one policy on one store, and waits until each is ready. */
export async function startFour(start: FamilyStart): Promise<Family> {
  const { urls, urlsOf, policy, namespace = `four-${randomBytes(8).toString('hex')}` } = start;
  const adminToken = randomBytes(32).toString('base64url');
  const started = await Promise.allSettled(
    Array.from({ length: FOUR }, (_, place) => {
      const store = { urls: urlsOf?.(place) ?? urls, namespace };
      return startSibling(policyText({ ...policy, store }), adminToken);
    }),
  );
  const members = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async () => {
    await Promise.all(members.map((member) => member.stop()));
  };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const at = (turn: number): Sibling => {
    const sibling = members[turn % FOUR];
    if (!sibling) throw new Error('there is no such sibling');
    return sibling;
  };
  return { namespace, siblings: members, at, stop };
}

type Member = Sibling & { readonly stop: () => Promise<void> };

async function startSibling(policy: string, adminToken: string): Promise<Member> {
  const postern = await startPostern({ policy, env: { POSTERN_ADMIN_TOKEN: adminToken } });
  const client: CheckClient = openCheckClient(postern.checkAddress);
  try {
    await waitFor('Postern is ready', async () => (await fetch(`${postern.opsUrl}/readyz`)).ok);
  } catch (cause) {
    await postern.kill();
    throw cause;
  }
  return {
    postern,
    check: (question) => client.check({ timeoutMs: PATIENT_MS, ...question }),
    api: patient(openApiClient(postern.apiUrl ?? '', adminToken)),
    stop: async () => {
      client.close();
      await postern.kill();
    },
  };
}

/** On a machine that is too slow even for its patience Postern answers 503. */
function patient(client: ApiClient): ApiClient {
  const ask = async (path: string, request: ApiRequest = {}): Promise<ApiAnswer> => {
    for (let left = ASKED_MAX; ; left -= 1) {
      const answer = await client.ask(path, request);
      if (answer.status !== 503 || left === 0) return answer;
      await sleep(AGAIN_MS);
    }
  };
  return {
    ask,
    make: async (path, request) => {
      const { status, text, body } = await ask(path, request);
      if (status >= 200 && status < 300) return body;
      throw new Error(`${path} answered ${status} ${text}`);
    },
    told: client.told,
  };
}

/** `allow`, or the reason of the refusal. */
export function outcomeOf({ allowed, reason }: CheckSummary): string {
  return allowed ? 'allow' : String(reason);
}

/** How often each outcome came. */
export function countsOf(outcomes: readonly string[]): { readonly [outcome: string]: number } {
  const counts: { [outcome: string]: number } = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
