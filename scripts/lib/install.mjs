// Runs under whatever Node the machine has (18 or newer): brings the packages, and with them Node 24.
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const BIN = join(ROOT, 'node_modules', '.bin');
const NODE_MIN = [24, 14, 1];

/**
 * Installs the packages when they are missing or older than the lockfile.
 * @returns {Promise<void>}
 */
export async function installPackages() {
  if (arePackagesFresh()) return;
  say('Installing packages (npm ci; about 300 MB, most of it Node 24) ...');
  const code = await run('npm', ['ci', '--no-audit', '--no-fund'], { PATH: pathWithoutBin() });
  if (code !== 0) throw new Error(`npm ci failed with exit code ${code}; its words are above`);
}

/**
 * Runs a script under Node 24 with the terminal of this process.
 * @param {string} script relative to the checkout
 * @param {readonly string[]} args
 * @returns {Promise<number>} its exit code
 */
export async function runWithNode24(script, args = []) {
  const path = [BIN, process.env.PATH ?? ''].join(delimiter);
  return run(findNode24(), [join(ROOT, script), ...args], { PATH: path });
}

function arePackagesFresh() {
  const installed = join(ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  return statSync(installed).mtimeMs >= statSync(join(ROOT, 'package-lock.json')).mtimeMs;
}

function findNode24() {
  const own = join(BIN, 'node');
  if (existsSync(own)) return own;
  if (isNewEnough(process.versions.node)) return process.execPath;
  throw new Error(
    `Postern needs Node ${NODE_MIN.join('.')} or newer; this is ${process.versions.node}, and npm has no Node 24 for this kind of machine`,
  );
}

function isNewEnough(version) {
  const parts = version.split('.').map(Number);
  const at = NODE_MIN.findIndex((wanted, index) => parts[index] !== wanted);
  return at === -1 || parts[at] > NODE_MIN[at];
}

/** npm must not run on the Node that it is about to replace. */
function pathWithoutBin() {
  const parts = (process.env.PATH ?? '').split(delimiter);
  return parts.filter((part) => part !== BIN).join(delimiter);
}

function run(command, args, env) {
  const startMs = Date.now();
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  const isNpm = command === 'npm';
  const beat = setInterval(() => {
    if (isNpm) say(`... still installing (${Math.round((Date.now() - startMs) / 1000)} s)`);
  }, 5000);
  // A terminal sends Ctrl-C to the child as well; what the child does then is the answer.
  const pass = (signal) => child.kill(signal);
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', pass);
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => reject(new Error(`cannot run ${command}`, { cause })));
    child.on('close', (code, signal) => {
      clearInterval(beat);
      process.off('SIGTERM', pass);
      resolve(signal ? 1 : (code ?? 1));
    });
  });
}

function say(text) {
  process.stderr.write(`${text}\n`);
}
