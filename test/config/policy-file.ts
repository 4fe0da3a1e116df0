import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { compilePolicy } from '../../src/config/compile.ts';
import { type Loaded, loadPolicy } from '../../src/config/load.ts';
import { writeProblem } from '../../src/config/problem.ts';
import type { Policy } from '../../src/core/policy.ts';

export const NOW_MS = Date.parse('2026-06-15T12:00:00Z');

/** What the policies under deploy/policies take from the environment. */
export const PROFILE_ENV = {
  PROMPTEUS_JWT_SECRET: 'a shared secret for tests of 40 bytes....',
  PROMPTEUS_JWKS_1: 'https://one.example.com/jwks.json',
  PROMPTEUS_JWKS_2: 'http://127.0.0.1:8080/jwks.json',
  PROMPTREPORTS_CLIENT_ID: 'client',
  PROMPTREPORTS_JWKS: 'https://api.example.com/jwks.json',
};

/** A directory of its own that is gone at the end of the test. */
export function openDirectory(files: Readonly<Record<string, string>> = {}) {
  const path = mkdtempSync(join(tmpdir(), 'postern-config-'));
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  return {
    path,
    write,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

type Env = Readonly<Record<string, string>>;

/** Loads files as a directory (or the only file as one file); problems name files without the directory. */
export function load(files: string | Readonly<Record<string, string>>, env: Env = {}) {
  using directory = openDirectory(typeof files === 'string' ? { 'policy.yaml': files } : files);
  const path = typeof files === 'string' ? join(directory.path, 'policy.yaml') : directory.path;
  const loaded = loadPolicy({ path, env, nowMs: NOW_MS });
  const texts = (problems: Loaded['problems']) =>
    problems.map((one) => writeProblem(one).replaceAll(`${directory.path}/`, ''));
  return {
    config: loaded.config,
    hash: loaded.hash,
    problems: texts(loaded.problems),
    warnings: texts(loaded.warnings),
  };
}

/** Loads and compiles a policy that is sound. */
export async function compile(text: string, env: Env = {}): Promise<Policy> {
  const { config, hash, problems } = load(text, env);
  if (!config) throw new Error(problems.join('\n'));
  return compilePolicy({ config, hash });
}
