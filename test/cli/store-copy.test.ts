import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openProgress } from '../../src/cli/progress.ts';
import { openDirectory } from '../config/policy-file.ts';
import { describeRedis, newNamespace, redisUrl } from '../redis-harness/shared.ts';
import { runProgram } from './shell.ts';

let directory: ReturnType<typeof openDirectory>;
beforeEach(() => {
  directory = openDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const postern = (args: string, env: Readonly<Record<string, string>> = {}) =>
  runProgram(args.split(' '), { cwd: directory.path, env });
const copy = (args: string, env?: Readonly<Record<string, string>>) =>
  postern(`store copy ${args}`, env);

/** A store with an admin token and two keys. */
async function begin(): Promise<void> {
  expect((await postern('init')).code).toBe(0);
  for (const name of ['one', 'two']) {
    expect((await postern(`keys create --name ${name}`)).code).toBe(0);
  }
}

/** A policy whose store is in Redis, in a namespace of its own. */
function redisPolicy(name: string): string {
  directory.write(
    name,
    `store: { urls: "\${POSTERN_REDIS}", namespace: ${newNamespace()} }
routes: [{ path: /a, access: [api_key] }]\n`,
  );
  return name;
}
const env = { POSTERN_REDIS: redisUrl };

describeRedis('store copy', () => {
  test('copies a file into the store of a policy, and back; both have the same keys', async () => {
    await begin();
    const policy = redisPolicy('redis.yaml');
    const there = await copy(`sqlite:postern.db ${policy}`, env);
    expect(there).toMatchObject({ code: 0, err: '' });
    expect(there.out).toMatch(/^kind +FROM +TO\nsetting +1 +1\n/);
    expect(there.out).toMatch(/^key +2 +2$/m);
    const back = await copy(`${policy} sqlite:back/again.db --json`, env);
    expect(back.code).toBe(0);
    const counts = { setting: 1, key: 2, event: 2, user: 0 };
    expect(JSON.parse(back.out)).toMatchObject({
      ...{ from: counts, to: counts, differing: [], changed: [], counters_begun_anew: 0 },
    });
    const text = readFileSync(join(directory.path, 'postern.yaml'), 'utf8');
    directory.write('again.yaml', text.replace('postern.db', 'back/again.db'));
    const list = (config: string) => postern(`keys list --json --config ${config}`, env);
    const listed = await list('postern.yaml');
    expect(listed.out).toContain('"two"');
    expect(await list(policy)).toEqual(listed);
    expect(await list('again.yaml')).toEqual(listed);
  });

  test('into a store that is not empty says what stands there, and does nothing', async () => {
    await begin();
    const policy = redisPolicy('redis.yaml');
    await copy(`sqlite:postern.db ${policy}`, env);
    const again = await copy(`sqlite:postern.db ${policy}`, env);
    expect(again).toMatchObject({ code: 1, out: '' });
    expect(again.err).toContain('TO is not empty: it keeps 1 setting, 2 key, 2 event');
    expect(again.err).toContain('what to do:');
    const resumed = await copy(`sqlite:postern.db ${policy} --resume`, env);
    expect(resumed).toMatchObject({ code: 1, out: '' });
    expect(resumed.err).toContain('leave --resume out');
  });
});

describe('store copy refuses', () => {
  const SECRET = 'open-sesame';
  test.each([
    ['memory sqlite:a.db', 'FROM: a store in memory ends with its process'],
    ['redis://a memory', 'TO: a store in memory ends with its process'],
    ['memory.yaml sqlite:a.db', 'FROM: memory.yaml: a store in memory ends with its process'],
    ['absent.yaml sqlite:a.db', 'FROM: absent.yaml'],
    ['sqlite: sqlite:a.db', 'FROM: sqlite: names no file'],
    ['https://example.com sqlite:a.db', 'FROM: expected sqlite:PATH, redis://host:port'],
    [`redis://:${SECRET}@host/x sqlite:a.db`, 'FROM: expected redis://host:port'],
    [`redis://:${SECRET}@a,redis://b sqlite:a.db`, 'FROM: all of these URLs have the same user'],
    ['redis://a/1,redis://b/1 sqlite:a.db', 'FROM: a Redis Cluster has no database but 0'],
    ['sqlite:a.db', 'TO is missing'],
  ])('%s', async (args, said) => {
    directory.write('memory.yaml', 'routes: [{ path: /a, access: [api_key] }]\n');
    const { code, out, err } = await copy(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(said);
    expect(err).toContain('see: postern store copy --help');
    expect(err).not.toContain(SECRET);
  });

  test('a file that is not there, and makes none', async () => {
    const { code, err } = await copy('sqlite:a.db sqlite:b.db');
    expect(code).toBe(1);
    expect(err).toBe('postern: there is no store file a.db');
    expect(existsSync(join(directory.path, 'b.db'))).toBe(false);
  });

  test('a Redis that is not there, without its password', async () => {
    await postern('init');
    const { code, err } = await copy(`sqlite:postern.db redis://:${SECRET}@127.0.0.1:1`);
    expect(code).toBe(1);
    expect(err).toContain('127.0.0.1:1');
    expect(err).not.toContain(SECRET);
    expect(err).not.toContain('--resume');
  });
});

describe('progress', () => {
  const told = (isTerminal: boolean) => {
    const lines: string[] = [];
    let nowMs = 0;
    const write = (line: string) => void lines.push(line);
    const progress = openProgress({
      err: write,
      rewrite: isTerminal ? write : undefined,
      now: () => nowMs,
    });
    for (let at = 1; at <= 100; at += 1) {
      nowMs = at * 100;
      progress.tell({ kind: 'key', copied: at * 10, total: 2000 });
    }
    progress.end();
    return lines;
  };

  test('is a line every few seconds in a log', () => {
    expect(told(false)).toEqual([
      '500 of 2000 (25 %), 100 a second: key',
      '1000 of 2000 (50 %), 100 a second: key',
    ]);
  });

  test('is a line that is written over on a terminal, and gone at the end', () => {
    const lines = told(true);
    expect(lines).toHaveLength(101);
    expect(lines.at(-2)).toBe('1000 of 2000 (50 %), 100 a second: key');
    expect(lines.at(-1)).toBe('');
  });
});
