import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endProcess, parseJsonLine } from './run-envoy.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const READY_MS = 20_000;

/** A line of Postern's standard output. */
export type OutputLine = { readonly [field: string]: unknown };

export type RunningPostern = {
  /** Where it listens, by listener: `check`, `ops`, `api`. */
  readonly addresses: { readonly [listener: string]: string };
  readonly process: ChildProcess;
  readonly lines: () => readonly OutputLine[];
  readonly stderr: () => string;
  readonly stop: () => Promise<void>;
};

export type PosternOptions = {
  readonly configPath: string;
  readonly args?: readonly string[] | undefined;
  readonly env?: { readonly [name: string]: string } | undefined;
  readonly main?: string | undefined;
  readonly onLine?: ((line: OutputLine) => void) | undefined;
};

/** Starts `postern serve` and waits until it listens for checks and for operators. */
export async function runPostern(options: PosternOptions): Promise<RunningPostern> {
  const main = options.main ?? join(ROOT, 'src', 'main.ts');
  const args = [main, 'serve', '--config', options.configPath, ...(options.args ?? [])];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: OutputLine[] = [];
  const addresses: { [listener: string]: string } = {};
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ready = Promise.withResolvers<void>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    for (const line of parseJsonLine(text)) {
      lines.push(line);
      if (line['msg'] === 'listening')
        addresses[String(line['listener'])] = String(line['address']);
      options.onLine?.(line);
    }
    if ('check' in addresses && 'ops' in addresses) ready.resolve();
  });
  const fail = (why: string) => ready.reject(new Error(`Postern did not start: ${why}\n${stderr}`));
  child.once('error', (cause) => fail(String(cause)));
  child.once('close', (code) => fail(`exit code ${code}`));
  const timer = setTimeout(() => fail(`not ready after ${READY_MS} ms`), READY_MS);
  try {
    await ready.promise;
  } catch (cause) {
    await endProcess(child, 'SIGKILL');
    throw cause;
  } finally {
    clearTimeout(timer);
  }
  const stop = () => endProcess(child);
  return { addresses, process: child, lines: () => lines, stderr: () => stderr, stop };
}
