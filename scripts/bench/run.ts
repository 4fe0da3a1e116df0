import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What one load saw: checks per second, and times of single ones in milliseconds. */
export type Seen = {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly longest: number;
};

/** What a load sends: messages in turn, or the first with credentials of another file at random. */
export type Sent = {
  readonly messages: string;
  readonly credentials?: string | undefined;
  /** On each of the 4 connections; 16 unless told. Only with credentials. */
  readonly streams?: number | undefined;
};

/** As the image and the program run: a third less memory under load, at the same speed. */
const YOUNG_SPACE = '--max-semi-space-size=16';
const STREAMS = 16;
const hasTaskset = spawnSync('taskset', ['--version']).status === 0;

export type Surroundings = {
  /** The first unless told. */
  readonly core?: number | undefined;
  readonly env?: { readonly [name: string]: string } | undefined;
};

/** Starts a server on a core and waits until it says that it is ready. */
export function startServer(
  file: string,
  args: readonly string[],
  { core = 0, env }: Surroundings = {},
): Promise<ChildProcess> {
  const child = runPinned(core, file, args, env);
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
  });
}

/** Runs one load from the second core. Rejects when any answer was no allow. */
export function runLoad(address: string, sent: Sent, seconds: number): Promise<Seen> {
  const args = [address, sent.messages, String(seconds)];
  const more = sent.credentials ? [sent.credentials, String(sent.streams ?? STREAMS)] : [];
  const child = runPinned(1, 'load.ts', [...args, ...more]);
  return new Promise((resolve, reject) => {
    child.once('message', ({ wrong, ...seen }: Seen & { readonly wrong: number }) => {
      if (wrong > 0) reject(new Error(`${wrong} answers of ${address} were no allows`));
      else resolve(seen);
    });
    child.once('exit', (code) => code !== 0 && reject(new Error(`the load ended with ${code}`)));
  });
}

/** Runs one of these scripts to its end. */
export function runScript(file: string, args: readonly string[]): void {
  const path = join(import.meta.dirname, file);
  const { status } = spawnSync(process.execPath, [path, ...args], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${file} ended with ${status}`);
}

/** What a process holds in memory now. */
export function residentMiB(pid: number | undefined): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m);
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function runPinned(
  core: number,
  file: string,
  args: readonly string[],
  env: Surroundings['env'] = {},
): ChildProcess {
  const path = join(import.meta.dirname, file);
  const child = fork(path, [...args], {
    execArgv: [YOUNG_SPACE],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...env },
  });
  pin(core, child.pid);
  return child;
}

/** Holds a process with all its threads to one core, where the system can. */
export function pin(core: number, pid: number | undefined): void {
  if (hasTaskset) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)]);
}
