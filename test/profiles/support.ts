import { join } from 'node:path';
import { expect } from 'vitest';
import type { Document } from 'yaml';
import { HTTP_CONNECTION_MANAGER } from '../../scripts/lib/bootstrap.ts';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { DENIALS, type Reason } from '../../src/core/decision.ts';
import { startEnvoy } from '../envoy-harness/envoy.ts';
import { type AuditLine, type Postern, startPostern } from '../envoy-harness/postern.ts';
import { type HeaderLine, type ReceivedResponse, send } from '../envoy-harness/send.ts';
import { startUpstream, type UpstreamAnswer } from '../envoy-harness/upstream.ts';
import type { Call, Gate } from './gate.ts';

/** The raw keys behind the hashes that the shipped policies declare; made for tests, they open nothing else. */
export const KEYS = {
  neuroai: {
    ci: 'nai_4P7TLJs6ByJxCG0aPNUpkJK1UxhvY8Qm1lKim4',
    telemetry: 'nai_dajZ8XnhgYWUEqV6qmM4OJFlbGf1v2cF0JncmK',
    expired: 'nai_AedxukuoTucal7UkVcwjphJhtlJ3fGV417j7O8',
  },
  promptrails: {
    runner: 'pr_live_ym2JiYe3iC3dXD22COpEDAfvWoYhAJvI0RvDWP',
    root: 'pr_live_HBiX5mWnq7zZadxUsyHuKDYSXErCogzG02HH6F',
    browser: 'pr_test_Rsu6fdnE0axBpFpIEyKHDcmOsN3a18WF3KDWh3',
  },
  neureus: {
    tenant: 'nru_mvRzWqNgbeHOx4ZpnMEhuZKGI3c5YuRh3Uu2Ke',
    widget: 'pk_T2HTxxcKRl74NB7XdfpT9qqu1VNqFeWX0ptXkn',
    small: 'nru_6zjRI6tK7pgPImf3MY0GpIVFZUCdMPIn44lE9o',
  },
} as const;

/**
 * The reasons that the tests of each profile reach. Those with a `Stage` compare theirs with their own audit, so
 * that the table cannot promise too much or too little.
 */
export const REASONS = {
  neuroai: [
    'ambiguous_path',
    'duplicate_credential',
    'insufficient_role',
    'insufficient_scope',
    'ip_not_allowed',
    'key_expired',
    'malformed_credential',
    'malformed_request',
    'missing_credential',
    'no_route',
    'rate_limited',
    'referer_not_allowed',
    'unknown_key',
  ],
  promptrails: [
    'ambiguous_path',
    'duplicate_credential',
    'insufficient_scope',
    'ip_not_allowed',
    'malformed_credential',
    'malformed_request',
    'missing_credential',
    'no_route',
    'origin_not_allowed',
    'unknown_key',
  ],
  neureus: [
    'ambiguous_path',
    'duplicate_credential',
    'insufficient_role',
    'insufficient_scope',
    'malformed_credential',
    'malformed_request',
    'missing_credential',
    'no_route',
    'origin_not_allowed',
    'quota_exhausted',
    'rate_limited',
    'unknown_key',
  ],
  prompteus: [
    'ambiguous_path',
    'credential_not_accepted',
    'duplicate_credential',
    'ip_not_allowed',
    'malformed_credential',
    'malformed_request',
    'missing_credential',
    'no_route',
    'rate_limited',
    'referer_not_allowed',
    'token_expired',
    'token_invalid',
    'token_issuer',
    'token_not_yet_valid',
    'unknown_key',
    'wrong_workspace',
  ],
  promptreports: ['https_required', 'token_audience', 'wrong_environment'],
} as const satisfies { readonly [profile: string]: readonly Reason[] };

type Profile = keyof typeof KEYS;

/** The error word of each status. */
const ERRORS: { readonly [status: number]: string } = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  402: 'PAYMENT_REQUIRED',
  403: 'FORBIDDEN',
  429: 'RATE_LIMITED',
};

/** A gate that remembers what its clients got, with a second Envoy that hands paths and headers on as sent. */
export type Stage = Gate & {
  /**
   * The same through an Envoy without edge rules and without pages of its own: Postern sees what was sent, and
   * judges `/health` and `/monitoring` too.
   */
  readonly rough: Gate['call'];
  /** The audit line of the request that got this refusal, or else of the one that the upstream saw last. */
  readonly auditOf: (response: ReceivedResponse) => Promise<AuditLine>;
  /** Waits until every decision that Envoy was given has its audit line; answers the lines. */
  readonly wholeAudit: () => Promise<readonly AuditLine[]>;
  /** All that clients, logs and audit were told, as one text. */
  readonly told: () => string;
};

/** Starts the shipped policy of a profile, unchanged; `answer` is what the upstream says. */
export async function startStage(profile: Profile, answer: UpstreamAnswer = {}): Promise<Stage> {
  const path = join(import.meta.dirname, '..', '..', 'deploy', 'policies', `${profile}.yaml`);
  const upstream = await startUpstream(() => answer);
  const postern = await startPostern({ policy: { path } });
  const places = {
    checkAddress: postern.checkAddress,
    opsAddress: new URL(postern.opsUrl).host,
    upstreamPort: upstream.port,
    trustedHops: 1,
  };
  const envoy = await startEnvoy(places);
  const roughEnvoy = await startEnvoy({ ...places, edge: false, overrides: removePages });
  const envoys = [envoy, roughEnvoy];
  const answers: string[] = [];
  const callThrough = (port: number): Gate['call'] => {
    return async (target, call = {}) => {
      const { method = 'GET' } = call;
      const response = await send({ port, method, target, headers: linesOf(call) });
      answers.push(JSON.stringify([response.lines, response.body]));
      return response;
    };
  };
  return {
    upstream,
    postern,
    envoy,
    call: callThrough(envoy.port),
    rough: callThrough(roughEnvoy.port),
    auditOf: (response) => {
      const id = requestIdOf(response) ?? upstream.last().header('x-request-id');
      return postern.waitForAudit((line) => line['request_id'] === id);
    },
    wholeAudit: () => wholeAudit(postern, envoys),
    told: () => {
      const logs = envoys.map((one) => JSON.stringify(one.accessLog()) + one.log());
      return [...answers, ...logs, JSON.stringify(postern.audit()), postern.stderr()].join('\n');
    },
    stop: async () => {
      await Promise.all(envoys.map((one) => one.stop()));
      await postern.kill();
      await upstream.stop();
    },
  };
}

function linesOf({ headers = [], bearer, from }: Call): readonly HeaderLine[] {
  const lines: HeaderLine[] = [...headers];
  if (bearer !== undefined) lines.push(['Authorization', `Bearer ${bearer}`]);
  if (from !== undefined) lines.push(['X-Forwarded-For', from]);
  return lines;
}

function removePages(bootstrap: Document): void {
  const routes = [...HTTP_CONNECTION_MANAGER, 'route_config', 'virtual_hosts', 0, 'routes'];
  const everything = { match: { prefix: '/' }, route: { cluster: 'upstream' } };
  bootstrap.setIn(routes, bootstrap.createNode([everything]));
}

async function wholeAudit(
  postern: Postern,
  envoys: readonly RunningEnvoy[],
): Promise<readonly AuditLine[]> {
  const counts = await Promise.all(envoys.map(countDecisions));
  const decisions = counts.reduce((sum, count) => sum + count, 0);
  await expect.poll(() => postern.audit().length).toBeGreaterThanOrEqual(decisions);
  expect(postern.audit()).toHaveLength(decisions);
  return postern.audit();
}

async function countDecisions(envoy: RunningEnvoy): Promise<number> {
  const stats = await envoy.stats();
  const countOf = (cluster: string, name: string) =>
    stats[`cluster.${cluster}.ext_authz.postern.${name}`] ?? 0;
  const count = (name: string) => countOf('upstream', name) + countOf('postern_api', name);
  expect(count('error')).toBe(0);
  return count('ok') + count('denied');
}

function requestIdOf(response: ReceivedResponse): unknown {
  return response.body.startsWith('{') ? response.json()['request_id'] : undefined;
}

/** Expects this refusal, whole: status, error word, message, JSON and its headers. */
export function expectRefusal(response: ReceivedResponse, status: number, reason: Reason): void {
  expect(JSON.parse(response.body)).toEqual({
    error: ERRORS[status],
    message: DENIALS[reason].message,
    reason,
    request_id: expect.stringMatching(/^[\w.-]{1,128}$/),
  });
  expect(response.status).toBe(status);
  expect(response.header('content-type')).toBe('application/json');
  expect(response.header('cache-control')).toBe('no-store');
}

/**
 * What a fixed window let through: for each window that the answers name (by `X-RateLimit-Reset`), how many were
 * admitted and how many refused. A run that crosses a boundary has two.
 */
export function byWindow(
  responses: readonly ReceivedResponse[],
): readonly { readonly admitted: number; readonly refused: number }[] {
  const windows = Map.groupBy(responses, (response) => response.header('x-ratelimit-reset'));
  return [...windows.values()].map((answers) => {
    const admitted = answers.filter(({ status }) => status === 200).length;
    return { admitted, refused: answers.length - admitted };
  });
}

/** The last look of each profile: the reasons it declares, an audit line per decision, and no key told to anybody. */
export async function expectSoundAudit(stages: readonly Stage[], profile: Profile): Promise<void> {
  const reasons = new Set<unknown>();
  for (const stage of stages) {
    const lines = await stage.wholeAudit();
    expectSoundLines(lines);
    for (const line of lines) if (line.decision === 'deny') reasons.add(line['reason']);
    const told = stage.told();
    for (const key of Object.values<string>(KEYS[profile])) {
      // Any part of a key that would be worth something, not only the whole.
      expect(told).not.toContain(key.slice(12));
      expect(told).not.toContain(key.slice(0, -6));
    }
  }
  expect([...reasons].sort()).toEqual([...REASONS[profile]]);
}

function expectSoundLines(lines: readonly AuditLine[]): void {
  for (const field of ['id', 'request_id']) {
    expect(new Set(lines.map((line) => line[field])).size).toBe(lines.length);
  }
  for (const line of lines) {
    expect(line).toMatchObject({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      decision: expect.stringMatching(/^(?:allow|deny|reply)$/),
      policy: lines[0]?.['policy'],
      http_method: expect.stringMatching(/^[A-Z]+$/),
      path: expect.stringMatching(/^[^?]*$/),
      host: 'api.example.com',
      took_us: expect.any(Number),
    });
    expect('reason' in line).toBe(line.decision === 'deny');
  }
}
