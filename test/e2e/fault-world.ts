import { randomBytes, randomUUID } from 'node:crypto';
import type { FailureMode } from '../../src/store/redis/options.ts';
import {
  type ApiAnswer,
  type ApiClient,
  type ApiRequest,
  openApiClient,
} from '../envoy-harness/api.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import type { RedisServer } from '../redis-harness/redis.ts';
import { waitFor } from '../redis-harness/wait.ts';
import { type CheckClient, openCheckClient } from './check-client.ts';
import type { HeldKey } from './fault-load.ts';
import { faultPolicy, pathOf } from './fault-policy.ts';

/** A Postern of a family. */
export type MemberPlan = {
  readonly name: string;
  /** Where it finds Redis: the same for all unless it has a way of its own. */
  readonly store: object;
  readonly maxStaleMs?: number | undefined;
};

/** Posterns that share a namespace, and so their limits. */
export type FamilyPlan = {
  readonly mode: FailureMode;
  readonly members: readonly MemberPlan[];
  readonly limits?: object | undefined;
};

export type Member = {
  readonly name: string;
  readonly mode: FailureMode;
  readonly maxStaleMs: number;
  readonly postern: Postern;
  readonly client: CheckClient;
  readonly api: ApiClient;
  /** How it sees its store. */
  readonly health: () => Promise<MemberHealth>;
};

export type MemberHealth = {
  readonly isUp: boolean;
  readonly isDegraded: boolean;
  /** States of the breakers, by node. */
  readonly breakers: { readonly [node: string]: string };
};

export type Family = {
  readonly mode: FailureMode;
  readonly namespace: string;
  readonly members: readonly Member[];
  /** Stored keys that every member remembers. */
  readonly keys: readonly HeldKey[];
};

export type Masters = () => Promise<readonly RedisServer[]>;

/** Families of Posterns on the same Redis. */
export type World = {
  readonly families: readonly Family[];
  readonly members: readonly Member[];
  /** Those that hold the counters now. */
  readonly masters: Masters;
  readonly stop: () => Promise<void>;
};

const KEYS = 5;
const UNAVAILABLE = 503;
const MAX_STALE_MS = 30_000;
/** A key is remembered from the second request on. */
const MEETINGS = 3;

/** Starts all families, each with keys that its members remember, and waits until each member counts its siblings. */
export async function startWorld(plans: readonly FamilyPlan[], masters: Masters): Promise<World> {
  const started: Member[] = [];
  const stop = async () => {
    await Promise.all(started.map(stopMember));
  };
  try {
    const families = await Promise.all(plans.map((plan) => startFamily(plan, started)));
    return { families, members: started, masters, stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

async function stopMember({ client, postern }: Member): Promise<void> {
  client.close();
  await postern.kill();
}

async function startFamily(plan: FamilyPlan, started: Member[]): Promise<Family> {
  const namespace = `faults-${randomBytes(6).toString('hex')}`;
  const adminToken = randomBytes(32).toString('base64url');
  const members = await Promise.all(
    plan.members.map(async (one) => {
      const member = await startMember(one, { plan, namespace, adminToken });
      started.push(member);
      return member;
    }),
  );
  const keys = await makeKeys(members[0]);
  for (const member of members) await meet(member, keys);
  return { mode: plan.mode, namespace, members, keys };
}

type Common = {
  readonly plan: FamilyPlan;
  readonly namespace: string;
  readonly adminToken: string;
};

async function startMember(one: MemberPlan, { plan, ...common }: Common): Promise<Member> {
  const { name, maxStaleMs = MAX_STALE_MS } = one;
  const { mode, limits } = plan;
  const store = { ...storeOf(one), namespace: common.namespace };
  const postern = await startPostern({
    policy: faultPolicy({ store, mode, maxStaleMs, limits }),
    env: { POSTERN_ADMIN_TOKEN: common.adminToken },
  });
  const client = openCheckClient(postern.checkAddress);
  const api = openApiClient(postern.apiUrl ?? '', common.adminToken);
  const health = () => readHealth(postern);
  const member = { name, mode, maxStaleMs, postern, client, api, health };
  await waitFor(`${name} is well`, async () => {
    const { isUp, isDegraded } = await health();
    return isUp && !isDegraded;
  });
  return member;
}

function storeOf({ store }: MemberPlan): object {
  return Array.isArray(store) ? { urls: store } : store;
}

async function makeKeys(maker: Member | undefined): Promise<readonly HeldKey[]> {
  if (!maker) throw new Error('a family has a member at least');
  const workspace_id = 'acme';
  await manage(maker, '/v1/workspaces', { method: 'POST', body: { id: workspace_id } });
  const keys: HeldKey[] = [];
  for (let at = 0; at < KEYS; at += 1) {
    const body = { name: `key ${at}`, workspace_id };
    const made = await manage(maker, '/v1/api-keys', { method: 'POST', body });
    keys.push({ id: String(made['id']), raw: String(made['key']) });
  }
  return keys;
}

/** Makes one change; a store that is slow for a moment, as on a busy machine, is asked again. */
export async function manage(
  { api, name }: Member,
  path: string,
  request: ApiRequest,
): Promise<ApiAnswer['body']> {
  const headers = { 'idempotency-key': randomUUID() };
  let answer = await api.ask(path, { ...request, headers });
  await waitFor(`${name} changed ${path}`, async () => {
    if (answer.status !== UNAVAILABLE) return true;
    answer = await api.ask(path, { ...request, headers });
    return false;
  });
  if (answer.status >= 300) throw new Error(`${path} answered ${answer.status} ${answer.text}`);
  return answer.body;
}

async function meet({ client }: Member, keys: readonly HeldKey[]): Promise<void> {
  for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
    for (const { raw } of keys) {
      const headers = [['x-api-key', raw]] as const;
      await client.check({ path: pathOf('stored'), headers });
    }
  }
}

const BREAKER = /^postern_store_breaker\{node="([^"]+)",state="(\w+)"\} 1$/gm;

async function readHealth({ opsUrl }: Postern): Promise<MemberHealth> {
  const page = await (await fetch(`${opsUrl}/metrics`)).text();
  const isSet = (name: string) => new RegExp(`^postern_${name} 1$`, 'm').test(page);
  const breakers = [...page.matchAll(BREAKER)].map(([, node = '', state = '']) => [node, state]);
  return {
    isUp: isSet('store_up'),
    isDegraded: isSet('degraded'),
    breakers: Object.fromEntries(breakers),
  };
}
