import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A running Envoy. */
export type RunningEnvoy = {
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string;
  readonly process: ChildProcess;
  /** Its access log, one parsed JSON object per request, some 50 ms late. */
  readonly accessLog: () => readonly { readonly [field: string]: unknown }[];
  /** Its counters and gauges by name. */
  readonly stats: () => Promise<{ readonly [name: string]: number }>;
  /** Its own words, for errors. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
};

const READY_MS = 20_000;
const POLL_MS = 20;
const LOG_CHARS_MAX = 200_000;

/** Starts Envoy with a bootstrap and waits until it is ready. Throws with Envoy's words when it does not start. */
export async function runEnvoy(binary: string, bootstrap: string): Promise<RunningEnvoy> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-envoy-'));
  const configPath = join(folder, 'envoy.yaml');
  const adminPath = join(folder, 'admin-address');
  writeFileSync(configPath, bootstrap);
  const places = ['-c', configPath, '--admin-address-path', adminPath];
  const manners = ['--concurrency', '1', '--use-dynamic-base-id', '--log-level', 'warning'];
  const flush = ['--file-flush-interval-msec', '50'];
  const child = spawn(binary, [...places, ...manners, ...flush], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  const stop = async () => {
    await endProcess(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const adminUrl = `http://${await untilReady(child, adminPath)}`;
    const port = await readListenerPort(adminUrl);
    return {
      url: `http://127.0.0.1:${port}`,
      port,
      adminUrl,
      process: child,
      accessLog: () => output.lines.flatMap(parseJsonLine),
      stats: () => readStats(adminUrl),
      log: () => output.log(),
      stop,
    };
  } catch (cause) {
    await stop();
    throw new Error(`Envoy did not start:\n${output.log()}`, { cause });
  }
}

/** Ends a process and waits for its end: politely first, by force after ten seconds. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(force);
}

function collect(child: ChildProcess): { readonly lines: string[]; readonly log: () => string } {
  const lines: string[] = [];
  let log = '';
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-LOG_CHARS_MAX);
  });
  child.on('error', (cause) => {
    log += String(cause);
  });
  return { lines, log: () => log };
}

/** Waits for the admin address to be written and for `/ready`; answers the address. */
async function untilReady(child: ChildProcess, adminPath: string): Promise<string> {
  const deadlineMs = Date.now() + READY_MS;
  while (Date.now() < deadlineMs) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) break;
    const address = readIfThere(adminPath);
    if (address !== '' && (await isReady(`http://${address}/ready`))) return address;
    await pause(POLL_MS);
  }
  throw new Error(`no Envoy was ready (exit code ${child.exitCode})`);
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

async function readListenerPort(adminUrl: string): Promise<number> {
  const response = await fetch(`${adminUrl}/listeners?format=json`);
  const answer = (await response.json()) as {
    readonly listener_statuses?: readonly {
      readonly local_address?: { readonly socket_address?: { readonly port_value?: number } };
    }[];
  };
  const port = answer.listener_statuses?.[0]?.local_address?.socket_address?.port_value;
  if (port === undefined) throw new Error('Envoy has no listener');
  return port;
}

async function readStats(adminUrl: string): Promise<{ readonly [name: string]: number }> {
  const response = await fetch(`${adminUrl}/stats?format=json`);
  const answer = (await response.json()) as {
    readonly stats: readonly { readonly name?: string; readonly value?: number }[];
  };
  const numbers: { [name: string]: number } = {};
  for (const { name, value } of answer.stats) {
    if (name !== undefined && typeof value === 'number') numbers[name] = value;
  }
  return numbers;
}

/** Parses a line of JSON; nothing for any other line. */
export function parseJsonLine(line: string): readonly { readonly [field: string]: unknown }[] {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line) as { readonly [field: string]: unknown }];
  } catch {
    return [];
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
