import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { waitFor } from './wait.ts';

/** A server as a process of this machine. */
export type ServerProcess = {
  readonly pid: number;
  /** What it wrote, the newest lines. */
  readonly log: () => string;
  readonly ended: Promise<unknown>;
  /** Whether it is neither paused nor ended. */
  readonly isRunning: () => boolean;
  /** Stops it where it stands (SIGSTOP): its connections stay, and nothing is answered. */
  readonly pause: () => Promise<void>;
  readonly resume: () => void;
  /** Ends it at once (SIGKILL), and waits until it is gone. */
  readonly kill: () => Promise<void>;
};

const LOG_CHARS_MAX = 50_000;

/** Starts a program that ends with this process, however this process ends. */
export function startProcess(program: string, args: readonly string[]): ServerProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const collect = (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-LOG_CHARS_MAX);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} cannot be run`);
  const guard = guardProcess(pid);
  child.once('exit', () => guard.kill('SIGKILL'));
  const ended = once(child, 'exit').catch(() => undefined);
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  let isPaused = false;
  return {
    pid,
    log: () => log,
    ended,
    isRunning: () => !isPaused && !hasEnded(),
    pause: async () => {
      isPaused = true;
      child.kill('SIGSTOP');
      await waitFor('the process is stopped', () => isStopped(pid));
    },
    resume: () => {
      isPaused = false;
      child.kill('SIGCONT');
    },
    kill: async () => {
      if (hasEnded()) return;
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Kills a process when the pipe from this one breaks, which it does in every kind of death. */
function guardProcess(pid: number): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', 'read _; kill -9 "$1"', 'guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  return guard;
}

/** Where the system tells of it: a signal is sent before it is felt. */
function isStopped(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return true;
  return /\) [Tt] /.test(readFileSync(path, 'utf8'));
}

/** Below the ports that systems give to outgoing connections, so that a server can come back to its port. */
const PORTS = { first: 12_000, last: 32_000 };

/** A port of the loopback address that nobody has now. */
export async function pickPort(): Promise<number> {
  const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first));
  const probe = createServer();
  const isFree = await new Promise<boolean>((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
  if (!isFree) return pickPort();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
