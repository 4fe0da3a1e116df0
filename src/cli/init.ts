import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { readEnvironment } from '../config/environment.ts';
import { writeListen } from '../config/location.ts';
import type { Given } from './arguments.ts';
import { type Command, JSON_OPTION } from './command.ts';
import { DEFAULT_CONFIG } from './connect.ts';
import { printable, printableJson } from './printable.ts';
import type { Session } from './session.ts';
import { starterPolicy } from './starter.ts';

const DEFAULT_STORE = 'postern.db';

/** `init`: from nothing to a policy, a store, and the token of the administrator. */
export function initCommand(): Command {
  const options = {
    config: {
      value: 'PATH',
      help: `the policy (default ${DEFAULT_CONFIG}); one that exists stays`,
    },
    store: {
      value: 'PATH',
      help: `the store file of a new policy (default ${DEFAULT_STORE}, beside it)`,
    },
    replace: { help: 'make a new token; the one before opens nothing any more' },
    ...JSON_OPTION,
  };
  return {
    name: 'init',
    summary: 'write a first policy, open its store, make the admin token',
    options,
    notes: ['The token is the first line of standard output, and is shown this once.'],
    run: init,
  };
}

async function init(given: Given, session: Session): Promise<number> {
  const path = given.text['config'] ?? DEFAULT_CONFIG;
  const told = session.err;
  if (!writeStarter(path, given, session)) return 1;
  const { makeAdminToken } = await import('../app.ts');
  const checked = await checkStore(path);
  if ('problems' in checked) {
    for (const problem of checked.problems) told(problem);
    return 2;
  }
  const made = await makeAdminToken({ path, replace: given.flags.has('replace') });
  if ('problems' in made) {
    for (const problem of made.problems) told(problem);
    return 2;
  }
  if ('exists' in made) {
    told(`the store of ${path} has an admin token already; nothing was changed`);
    told('what to do: use that token, or make another by postern init --replace');
    return 1;
  }
  if (given.flags.has('json')) session.out(printableJson({ token: made.token, config: path }));
  else session.out(made.token);
  for (const line of nextSteps(path, checked.api)) told(line);
  return 0;
}

/** Whether there is a policy to go on with. */
function writeStarter(path: string, given: Given, session: Session): boolean {
  const store = given.text['store'];
  if (existsSync(path)) {
    if (store === undefined) return true;
    session.err(`${path} exists and says itself where its store is: --store is for a new policy`);
    return false;
  }
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, starterPolicy(store ?? DEFAULT_STORE), { flag: 'wx' });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new Error(`${path} cannot be written: ${code}`, { cause });
  }
  session.err(`wrote ${printable(path)}`);
  return true;
}

/** A token in a store that forgets would open nothing. */
async function checkStore(
  path: string,
): Promise<{ readonly api: string } | { readonly problems: readonly string[] }> {
  const { loadPolicy } = await import('../config/load.ts');
  const { writeProblem } = await import('../config/problem.ts');
  const { readSettings } = await import('../config/settings.ts');
  const loaded = loadPolicy({ path, env: readEnvironment(), nowMs: Date.now() });
  if (!loaded.config) return { problems: loaded.problems.map(writeProblem) };
  const { store, listen } = readSettings(loaded.config);
  if (store.kind === 'memory') {
    const advice = 'write "store: sqlite:PATH" into it, or set POSTERN_ADMIN_TOKEN for the server';
    return { problems: [`${path}: a store in memory keeps no token: ${advice}`] };
  }
  return { api: writeListen(listen.api) };
}

function nextSteps(path: string, api: string): readonly string[] {
  const isDefault = basename(path) === path && path === DEFAULT_CONFIG;
  const config = isDefault ? '' : ` --config ${path}`;
  return [
    'the admin token is on standard output and shown this once: store it now',
    'next:',
    `  postern serve --config ${path}`,
    `  postern keys create --name first${config}`,
    `  postern keys list${config}`,
    'or from elsewhere, by the API of the server:',
    `  export POSTERN_URL=http://${api} POSTERN_TOKEN=<the token>`,
  ].map(printable);
}
