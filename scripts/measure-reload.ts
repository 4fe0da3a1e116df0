/**
 * Measures how long a reload of a large policy holds up the event loop: 100,000 declared keys and 2,000 routes.
 * Prints milliseconds. Run it alone on a quiet machine: node scripts/measure-reload.ts
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openPolicy } from '../src/config/open-policy.ts';

const KEYS = Number(process.argv[2] ?? 100_000);
const ROUTES = Number(process.argv[3] ?? 2000);

function writePolicy(perMinute: number): string {
  const keys = Array.from({ length: KEYS }, (_, at) => {
    const hash = `sha256:${at.toString(16).padStart(64, '0')}`;
    const limit = `rate_limit: { per_minute: ${perMinute} }`;
    return `    - { id: key-${at}, name: key ${at}, hash: "${hash}", workspace: ws-${at % 1000}, scopes: ["a:read", "b:write"], allowed_ips: [10.0.0.0/8], ${limit} }`;
  });
  const routes = Array.from({ length: ROUTES }, (_, at) => {
    const scopes = 'scopes: { GET: ["a:read"], "*": ["b:write"] }';
    return `  - { name: route-${at}, path: /v1/route-${at}/**, access: [api_key], ${scopes} }`;
  });
  return ['api_keys:', '  declared:', ...keys, 'routes:', ...routes, ''].join('\n');
}

/**
 * Runs a work; answers its time, the longest time between two ticks of a timer of 1 ms, and the most processor time
 * that this thread used between two ticks, which other load on the machine does not lengthen.
 */
async function measure(work: () => Promise<void>) {
  let longestMs = 0;
  let busiestMs = 0;
  let lastMs = performance.now();
  let lastCpu = process.threadCpuUsage();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const cpu = process.threadCpuUsage(lastCpu);
    longestMs = Math.max(longestMs, nowMs - lastMs);
    busiestMs = Math.max(busiestMs, cpu.user / 1000);
    lastMs = nowMs;
    lastCpu = process.threadCpuUsage();
  }, 1);
  await delay(500);
  longestMs = 0;
  busiestMs = 0;
  const startedMs = performance.now();
  await work();
  const tookMs = performance.now() - startedMs;
  await delay(100);
  clearInterval(timer);
  return { tookMs, longestMs, busiestMs };
}

const directory = mkdtempSync(join(tmpdir(), 'postern-reload-'));
try {
  const path = join(directory, 'live', 'policy.yaml');
  mkdirSync(join(directory, 'live'));
  const versions = [30, 31, 29, 32].map((perMinute) => {
    const file = join(directory, `${perMinute}.yaml`);
    writeFileSync(file, writePolicy(perMinute));
    return file;
  });
  copyFileSync(versions[0] ?? '', path);
  const startedMs = performance.now();
  const problems: string[] = [];
  const changes: string[] = [];
  const opened = await openPolicy({
    path,
    env: {},
    pollMs: 3_600_000,
    onChange: (change) => changes.push(`${change.loosened.length} loosened`),
    onProblem: (found) => problems.push(...found),
  });
  if ('problems' in opened) throw new Error(JSON.stringify(opened.problems.slice(0, 3)));
  console.log(`first load: ${(performance.now() - startedMs).toFixed(0)} ms`);
  for (const version of versions.slice(1)) {
    copyFileSync(version, path);
    const { tookMs, longestMs, busiestMs } = await measure(opened.reload);
    const figures = [tookMs, longestMs, busiestMs].map((ms) => ms.toFixed(1));
    console.log(`reload: ${figures[0]} ms; longest gap ${figures[1]} ms; busiest ${figures[2]} ms`);
  }
  console.log(changes.join(', '), problems.slice(0, 5).join('\n'));
  await opened[Symbol.asyncDispose]();
} finally {
  rmSync(directory, { recursive: true });
}
