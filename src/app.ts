import { hash, randomBytes } from 'node:crypto';
import { createApi } from './api/api.ts';
import { judgeAdminToken, mintAdminToken } from './app/admin-token.ts';
import { openPlaces } from './app/alerts.ts';
import { announce, openAudit } from './app/audit.ts';
import { applyChange, refuseChange } from './app/changes.ts';
import { type ClashGuard, createClashGuard } from './app/clashes.ts';
import { copyBetween } from './app/copy.ts';
import { apiParts, openApi, openCheck, openOps } from './app/listeners.ts';
import { hostAddresses, openParts, type Parts, portsOf, version } from './app/parts.ts';
import { maskingRecords, openStore } from './app/store.ts';
import { untilStoreAnswers, watchStore, writeUnanswered } from './app/store-health.ts';
import { openTraces } from './app/trace.ts';
import { openUpkeep } from './app/upkeep.ts';
import { readEnvironment } from './config/environment.ts';
import { type OpenPolicy, openPolicy, type PolicyChange } from './config/open-policy.ts';
import { writeProblem } from './config/problem.ts';
import type { Policy } from './core/policy.ts';
import { openTokenVerifier } from './jwt/verifier.ts';
import { createMask } from './observe/audit/recorder.ts';
import { openLog } from './observe/log.ts';
import type { Store, Trip } from './store/store.ts';

/** What stands in the way of opening, one problem a line. */
export type Problems = { readonly problems: readonly string[] };

/** A running Postern. */
export type App = {
  readonly store: Store;
  readonly reload: () => Promise<void>;
  /** Drains: tells health and readiness, answers what is in flight, flushes the audit. */
  readonly close: () => Promise<void>;
};

export type AppOptions = {
  /** The policy: a file or a directory. */
  readonly path: string;
  readonly logLevel: string;
};

/** The management API without a listener. Who opens the store file is its administrator: `token` says so in a call. */
export type LocalApi = {
  readonly policy: Policy;
  /** An admin token for these calls alone. */
  readonly token: string;
  readonly call: (request: Request) => Promise<Response>;
  readonly close: () => Promise<void>;
};

const FLUSH_MS = 2000;
/** Time for Envoy to see NOT_SERVING before connections close. */
const NOTICE_MS = 1000;
/** Time for checks in flight; each has an inner budget far below. */
const GRACE_MS = 5000;
const TOKEN_BYTES = 32;
/** How long the first contact may take beyond what opening waits; a server goes on without it, a command does not. */
const CONTACT_MS = 1000;

/** Opens everything that a policy asks for, or names the policy's problems. */
export async function openApp(options: AppOptions): Promise<App | Problems> {
  const env = readEnvironment();
  const judged = judgeAdminToken(env['POSTERN_ADMIN_TOKEN']);
  if (judged && 'problem' in judged) return { problems: [judged.problem] };
  const heard: Heard = {};
  const opened = await openHeardPolicy(options.path, heard);
  if ('problems' in opened) return opened;
  const places = await openPlaces(opened.settings, options.path);
  if (places && 'problem' in places) {
    await opened[Symbol.asyncDispose]();
    return { problems: [places.problem] };
  }
  const log = openLog(options.logLevel);
  if (judged) log.warn(judged.warning);
  for (const warning of opened.warnings) log.warn(writeProblem(warning));
  const onTrip = (trip: Trip) => heard.trip?.(trip);
  const store = await openStore(opened.settings, options.path, { log, onTrip });
  await untilStoreAnswers(store, CONTACT_MS);
  const isRemote = opened.settings.store.kind === 'redis';
  const guard = createClashGuard({ store, isRemote, policy: opened.policy, log });
  const clashes = await guard.judge(opened.policy());
  if (clashes.length > 0) {
    await Promise.all([store.close(), opened[Symbol.asyncDispose]()]);
    return { problems: clashes };
  }
  const traces = await openTraces(env, version(), log);
  const known = { opened, env, log, store, traces, places };
  const count: Heard['delivery'] = (...told) => heard.delivery?.(...told);
  const around = { path: options.path, version: version(), log, count };
  const audit = await openAudit(opened.settings, around).catch(async (cause) => {
    await Promise.all([store.close(), opened[Symbol.asyncDispose]()]);
    throw cause;
  });
  const parts = openParts({ ...known, audit });
  heard.delivery = parts.metrics.webhook.count;
  heard.accept = guard.judge;
  heard.trip = parts.metrics.trip;
  heard.change = (change) => applyChange(parts, change);
  heard.problem = (problems) => refuseChange(parts, problems);
  const close = await serve(parts, guard);
  return { store, reload: opened.reload, close };
}

/** Opens the management API of a policy and its store in this process, for the command line. */
export async function openLocalApi(options: {
  readonly path: string;
}): Promise<LocalApi | Problems> {
  const opened = await openHeardPolicy(options.path, {});
  if ('problems' in opened) return opened;
  const isLasting = opened.settings.store.kind !== 'memory';
  if (!isLasting) {
    await opened[Symbol.asyncDispose]();
    const advice = 'use "store: sqlite:PATH", or set POSTERN_URL to ask a running Postern';
    return { problems: [`${options.path}: a store in memory is the server's alone; ${advice}`] };
  }
  const log = openLog('warn');
  const store = await openStore(opened.settings, options.path, { log });
  const unanswered = await findUnanswered(store, options.path);
  if (unanswered) {
    await Promise.all([store.close(), opened[Symbol.asyncDispose]()]);
    return unanswered;
  }
  const tokens = openTokenVerifier();
  tokens.use(opened.policy().issuers);
  const env = readEnvironment();
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const mask = createMask(env['POSTERN_MASK_KEY']);
  const api = createApi({
    ...apiParts({
      opened,
      env,
      log,
      store,
      records: maskingRecords(store, opened.policy, mask),
      ports: portsOf(store, tokens),
      // The stream is the server's; the store keeps the event.
      tellChange: () => undefined,
      hostAddresses: hostAddresses(),
    }),
    adminDigests: async () => [hash('sha256', token, 'hex')],
  });
  return {
    policy: opened.policy(),
    token,
    call: (request) => api(request, undefined),
    close: async () => {
      await store.close();
      await tokens[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}

/** Makes the admin token of a policy's store and keeps its digest; `exists` when there is one already. */
export async function makeAdminToken(options: {
  readonly path: string;
  readonly replace: boolean;
}): Promise<{ readonly token: string } | { readonly exists: true } | Problems> {
  const opened = await openHeardPolicy(options.path, {});
  if ('problems' in opened) return opened;
  const store = await openStore(opened.settings, options.path, { log: openLog('warn') });
  try {
    const unanswered = await findUnanswered(store, options.path);
    if (unanswered) return unanswered;
    const token = await mintAdminToken(store, options.replace);
    return token === undefined ? { exists: true } : { token };
  } finally {
    await store.close();
    await opened[Symbol.asyncDispose]();
  }
}

/** Copies everything that one store keeps into another. */
export const copyStores = copyBetween;

/** The problem of a command whose store does not answer within some seconds. */
async function findUnanswered(store: Store, path: string): Promise<Problems | undefined> {
  if (await untilStoreAnswers(store, CONTACT_MS)) return undefined;
  return { problems: [`${path}: ${writeUnanswered(store.health())}`] };
}

/** Who hears of the policy's changes and of trips to the store; filled once what they change is open. */
type Heard = {
  trip?: (trip: Trip) => void;
  accept?: (policy: Policy) => Promise<readonly string[]>;
  change?: (change: PolicyChange) => void;
  delivery?: Parts['metrics']['webhook']['count'];
  problem?: (texts: readonly string[]) => void;
};

async function openHeardPolicy(path: string, heard: Heard): Promise<OpenPolicy | Problems> {
  const opened = await openPolicy({
    path,
    env: readEnvironment(),
    accept: async (policy) => (await heard.accept?.(policy)) ?? [],
    onChange: (change) => heard.change?.(change),
    onProblem: (problems) => heard.problem?.(problems),
  });
  return 'problems' in opened ? { problems: opened.problems.map(writeProblem) } : opened;
}

/** Opens the listeners and tells where they are; the answer closes everything. */
async function serve(parts: Parts, guard: ClashGuard): Promise<() => Promise<void>> {
  // All of it: a connection that is left open keeps the process alive, and nobody starts it again.
  const closing = [() => flushParts(parts), () => closeSources(parts)];
  try {
    const check = await openCheck(parts);
    closing.unshift(() => check.close(GRACE_MS));
    const api = await openApi(parts);
    if (api) closing.unshift(api.close);
    const ops = await openOps(parts, api !== undefined);
    const upkeep = openUpkeep({
      store: parts.records,
      policy: parts.opened.policy,
      makeId: parts.makeId,
      tell: parts.tell,
      onFailure: (cause) => parts.log.error({ err: cause }, 'the upkeep of the store failed'),
    });
    const watch = watchStore({ ...parts, onUp: () => void guard.catchUp() });
    announce(parts.audit, 'check', check.address);
    if (api) announce(parts.audit, 'api', api.address);
    announce(parts.audit, 'ops', ops.address);
    return async () => {
      parts.log.info('draining');
      parts.state.isDraining = true;
      check.stopServing();
      watch.close();
      await new Promise((resolve) => setTimeout(resolve, NOTICE_MS));
      await Promise.all([check.close(GRACE_MS), api?.close(), upkeep.close()]);
      await flushParts(parts);
      await ops.close();
      await closeSources(parts);
      parts.log.info('stopped');
    };
  } catch (cause) {
    for (const close of closing) await close();
    throw cause;
  }
}

async function flushParts({ alerts, store, audit, traces }: Parts): Promise<void> {
  await alerts.close();
  await store.close();
  await Promise.all([audit.close(FLUSH_MS), traces?.close(FLUSH_MS)]);
}

async function closeSources({ tokens, opened }: Parts): Promise<void> {
  await tokens[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
}
