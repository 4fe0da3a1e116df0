import { expect } from 'vitest';
import { ADMIN, NOW_MS, openStage, POLICY } from '../api/stage.ts';
import { type Around, run } from './shell.ts';

export type Cli = Awaited<ReturnType<typeof openCli>>;

/** The command line against the real API over HTTP, as the admin. */
export async function openCli(policy = POLICY) {
  const stage = await openStage(policy);
  const runHere = (args: readonly string[], around: Around = {}) =>
    run(args, {
      nowMs: NOW_MS,
      ...around,
      env: { POSTERN_URL: stage.url, POSTERN_TOKEN: ADMIN, ...around.env },
    });
  return {
    stage,
    run: runHere,
    /** Makes a key by the command line: its text, and its id. */
    create: async (...more: readonly string[]) => {
      const args = ['keys', 'create', '--json', '--prefix', 'pr_live_', ...more];
      const { code, out, err } = await runHere(args);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const { key, id } = JSON.parse(out);
      return { key: String(key), id: String(id) };
    },
    [Symbol.asyncDispose]: stage[Symbol.asyncDispose],
  };
}
