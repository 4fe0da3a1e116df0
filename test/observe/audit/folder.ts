import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { SinkOptions } from '../../../src/observe/audit/local-sinks.ts';

const UNTIL_MS = 5000;
const POLL_MS = 5;

/** A folder for one test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'postern-audit-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A disk of so many kilobytes for one test; undefined where this user cannot mount one. */
export function smallDisk(kilobytes: number): string | undefined {
  const folder = join(testFolder(), 'disk');
  mkdirSync(folder);
  const args = ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'none', folder];
  if (spawnSync('mount', args).status !== 0) return undefined;
  onTestFinished(() => void spawnSync('umount', ['-l', folder]));
  return folder;
}

/** Options of a sink that remembers its failures. */
export function sinkOptions(options: Partial<SinkOptions> = {}) {
  const failures: unknown[] = [];
  const onFailure = (cause: unknown) => void failures.push(cause);
  const given: SinkOptions = {
    ...{ name: 'file', format: 'postern', mode: 'buffered', chain: false, onFailure },
    ...options,
  };
  return { options: given, failures };
}

/** Waits until something holds; throws when it does not come to. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = Date.now() + UNTIL_MS;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error('it did not come to that');
    await delay(POLL_MS);
  }
}
