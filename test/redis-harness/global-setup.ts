import type { TestProject } from 'vitest/node';
import { findRedis, REDIS_REMEDY } from '../../scripts/lib/redis.ts';
import { startCluster } from './cluster.ts';
import { startContainer } from './container.ts';
import { startRedis } from './redis.ts';

declare module 'vitest' {
  // biome-ignore lint/style/useConsistentTypeDefinitions: only an interface can be added to
  interface ProvidedContext {
    /** A Redis that all suites share, each in a namespace of its own; empty when there is none. */
    readonly redisUrl: string;
    /** The nodes of a Cluster that all suites share; none where there is no Redis of this machine. */
    readonly redisClusterUrls: readonly string[];
    /** Whether tests may start servers of their own. */
    readonly hasRedisServer: boolean;
  }
}

type Stop = () => Promise<unknown>;

/** A shared cluster has no fault to find out soon, and a busy machine must not look like one. */
const PATIENT_MS = 15_000;

/**
 * Starts the servers that suites share, one and a Cluster, and hands them to the tests. Nothing waits here for the
 * Cluster. Without a Redis a CI run fails; any other run says what it leaves out.
 */
export async function setup(project: TestProject): Promise<Stop> {
  const hasRedisServer = findRedis() !== undefined;
  if (!hasRedisServer) reportMissing();
  const [single, cluster] = await Promise.all([
    startSingle(),
    hasRedisServer ? startCluster({ nodeTimeoutMs: PATIENT_MS }) : undefined,
  ]);
  project.provide('hasRedisServer', hasRedisServer);
  project.provide('redisUrl', single?.url ?? '');
  project.provide('redisClusterUrls', cluster?.urls ?? []);
  return () => Promise.all([single?.stop(), cluster?.stop()]);
}

/** One that is named, else one in a container, else a process. */
async function startSingle(): Promise<{ readonly url: string; readonly stop: Stop } | undefined> {
  const url = process.env['TEST_REDIS_URL'];
  if (url) return { url, stop: async () => undefined };
  return (await startContainer()) ?? (findRedis() ? startRedis() : undefined);
}

function reportMissing(): void {
  if (process.env['CI']) throw new Error(`There is no Redis: ${REDIS_REMEDY}.`);
  process.stderr.write(
    `\n${'!'.repeat(80)}\n! There is no Redis: every test that starts one is SKIPPED; ${REDIS_REMEDY}.\n${'!'.repeat(80)}\n\n`,
  );
}
