import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';
import { openSqliteStore } from '../../../src/store/sql/sqlite.ts';
import type { Store } from '../../../src/store/store.ts';
import { NOW } from '../../core/build.ts';
import { hashOf } from '../build.ts';
import { group } from '../contract-limits.ts';

const ROUNDS = 10;
const WRITER = join(import.meta.dirname, 'endless-writer.ts');
const directory = mkdtempSync(join(tmpdir(), 'postern-killed-'));
afterAll(() => rmSync(directory, { recursive: true }));

type Told =
  | { readonly id: string; readonly version: number; readonly status: string }
  | { readonly counter: string; readonly taken: number };

/** Runs a writer until it told of so many changes, and kills it at once; the answer is all that it told. */
async function killAfter(path: string, run: string, changes: number): Promise<readonly Told[]> {
  const writer = spawn(process.execPath, [WRITER, path, run], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(writer, 'close');
  const told: Told[] = [];
  createInterface(writer.stdout).on('line', (line) => {
    told.push(JSON.parse(line) as Told);
    if (told.length === changes) writer.kill('SIGKILL');
  });
  const [, signal] = await ended;
  expect(signal).toBe('SIGKILL');
  return told;
}

/** What was acknowledged and is not there, or is there in an older state. */
async function lostOf(store: Store, told: readonly Told[]): Promise<readonly Told[]> {
  const lost: Told[] = [];
  for (const one of told) if (!(await stands(store, one))) lost.push(one);
  return lost;
}

async function stands(store: Store, one: Told): Promise<boolean> {
  if ('counter' in one) {
    const limit = group({ per_month: 1_000_000 }, one.counter);
    const [usage] = await store.readLimits([limit], NOW);
    return usage !== undefined && 1_000_000 - usage.remaining >= one.taken;
  }
  const { record, version } = (await store.getKey(one.id)) ?? {};
  const found = await store.findKey(hashOf(one.id));
  if (record === undefined || version === undefined || version < one.version) return false;
  const isRevived = one.status === 'revoked' && record.status !== 'revoked';
  return !isRevived && found?.key.status === record.status;
}

test(`killed ${ROUNDS} times amid its changes, a store loses nothing that it acknowledged`, async () => {
  const path = join(directory, 'store.db');
  const told: Told[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    told.push(...(await killAfter(path, `run${round}`, 5 + ((round * 37) % 100))));
    const store = await openSqliteStore(path, { maxSubjects: 1000 });
    expect(await lostOf(store, told)).toEqual([]);
    await store.close();
  }
  expect(told.some((one) => 'status' in one && one.status === 'revoked')).toBe(true);
  expect(told.some((one) => 'taken' in one)).toBe(true);
}, 120_000);
