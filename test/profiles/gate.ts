import { join } from 'node:path';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { type HeaderLine, type ReceivedResponse, send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';

/** A request as a test writes it. */
export type Call = {
  readonly method?: string;
  readonly headers?: readonly HeaderLine[];
  /** Bearer credential. */
  readonly bearer?: string | undefined;
  /** The whole X-Forwarded-For as a load balancer in front of Envoy would send it. */
  readonly from?: string | undefined;
  /** X-Forwarded-Proto of the load balancer. */
  readonly proto?: string | undefined;
};

/** Client -> (the load balancer that the test plays) -> Envoy -> recording upstream, with Postern asked. */
export type Gate = {
  readonly upstream: Upstream;
  readonly postern: Postern;
  readonly envoy: RunningEnvoy;
  readonly call: (target: string, call?: Call) => Promise<ReceivedResponse>;
  readonly stop: () => Promise<void>;
};

/** Starts a shipped policy, unchanged, behind an Envoy that trusts one load balancer in front of it. */
export async function startGate(
  profile: string,
  env: { readonly [name: string]: string },
): Promise<Gate> {
  const path = join(import.meta.dirname, '..', '..', 'deploy', 'policies', `${profile}.yaml`);
  const upstream = await startUpstream();
  const postern = await startPostern({ policy: { path }, env });
  const envoy = await startEnvoy({
    checkAddress: postern.checkAddress,
    opsAddress: new URL(postern.opsUrl).host,
    upstreamPort: upstream.port,
    trustedHops: 1,
  });
  return {
    upstream,
    postern,
    envoy,
    call: (target, { method = 'GET', headers = [], bearer, from, proto } = {}) => {
      const lines: HeaderLine[] = [...headers];
      if (bearer !== undefined) lines.push(['Authorization', `Bearer ${bearer}`]);
      if (from !== undefined) lines.push(['X-Forwarded-For', from]);
      if (proto !== undefined) lines.push(['X-Forwarded-Proto', proto]);
      return send({ port: envoy.port, method, target, headers: lines });
    },
    stop: async () => {
      await envoy.stop();
      await postern.kill();
      await upstream.stop();
    },
  };
}

/** The reason of a refusal, or `allow`. */
export function outcomeOf(response: ReceivedResponse): unknown {
  return response.status < 400 ? 'allow' : response.json()['reason'];
}

/** The values of these headers that are there. */
export function headersOf(
  message: { readonly header: (name: string) => string | undefined },
  names: readonly string[],
): { readonly [name: string]: string } {
  const found = names.flatMap((name) => {
    const value = message.header(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

/** Repeats a run, under another name each time, until it begins and ends in the same UTC minute. */
export async function inOneMinute<T>(run: (name: string) => Promise<T>): Promise<T> {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const minute = minuteNow();
    const outcome = await run(String(attempt));
    if (minuteNow() === minute) return outcome;
  }
  throw new Error('three runs in a row crossed a minute');
}

/** Runs tasks, so many at a time; the answers are in the order of the tasks. */
export async function inWaves<T>(
  count: number,
  size: number,
  task: (index: number) => Promise<T>,
): Promise<readonly T[]> {
  const answers: T[] = [];
  for (let at = 0; at < count; at += size) {
    const wave = Array.from({ length: Math.min(size, count - at) }, (_, index) => task(at + index));
    answers.push(...(await Promise.all(wave)));
  }
  return answers;
}

/** For the default of what must be there. */
export function missing(): never {
  throw new Error('there is no such answer');
}

function minuteNow(): number {
  return Math.floor(Date.now() / 60_000);
}

/** Every header of the identity prefix that reached the upstream, in either spelling. */
export function identityOf(upstream: Upstream): { readonly [name: string]: string } {
  const lines = upstream.last().lines.map(([name, value]) => [name.toLowerCase(), value] as const);
  return Object.fromEntries(lines.filter(([name]) => /^x[-_]auth[-_]/.test(name)));
}
