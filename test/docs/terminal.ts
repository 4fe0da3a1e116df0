import { execFile, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { endProcess } from '../../scripts/lib/run-envoy.ts';
import { ROOT } from './pages.ts';

/** A shell in an empty folder that has `postern` on its path, and nothing of ours in its environment. */
export type Terminal = AsyncDisposable & {
  /** Runs a command to its end; the answer is what a person sees of it. Throws where it fails. */
  readonly run: (command: string) => Promise<readonly string[]>;
  /** Starts a command that goes on until the terminal is closed; the answer is its first lines of output. */
  readonly start: (command: string, lines: number) => Promise<readonly string[]>;
  readonly write: (file: string, text: string) => void;
  /** Changes a file of the folder. */
  readonly edit: (file: string, change: (text: string) => string) => void;
};

const START_MS = 20_000;

export function openTerminal(): Terminal {
  const folder = mkdtempSync(join(tmpdir(), 'postern-docs-'));
  const bin = join(folder, '.bin');
  mkdirSync(bin);
  const program = join(bin, 'postern');
  const main = join(ROOT, 'src', 'main.ts');
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
  chmodSync(program, 0o755);
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('POSTERN_'));
  const env = { ...Object.fromEntries(own), PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  const children: ReturnType<typeof spawn>[] = [];
  return {
    run: async (command) => {
      const script = `set -o pipefail; { ${command}\n} 2>&1`;
      const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: folder, env });
      return stdout.trimEnd().split('\n');
    },
    start: async (command, lines) => {
      const child = spawn('bash', ['-c', `exec ${command}`], {
        cwd: folder,
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      children.push(child);
      return await firstLines(child, lines);
    },
    write: (file, text) => writeFileSync(join(folder, file), text),
    edit: (file, change) => {
      const path = join(folder, file);
      writeFileSync(path, change(readFileSync(path, 'utf8')));
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of children) await endProcess(child, 'SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function firstLines(
  child: ReturnType<typeof spawn>,
  wanted: number,
): Promise<readonly string[]> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error('the command has no output');
  let said = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const lines: string[] = [];
  const ready = Promise.withResolvers<void>();
  createInterface({ input: stdout }).on('line', (line) => {
    if (lines.push(line) === wanted) ready.resolve();
  });
  child.once('close', (code) => ready.reject(new Error(`it ended with ${code}: ${said}`)));
  const timer = setTimeout(() => ready.reject(new Error(`it is not ready: ${said}`)), START_MS);
  try {
    await ready.promise;
  } finally {
    clearTimeout(timer);
  }
  return lines.slice(0, wanted);
}
