import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stampOf } from '../../src/config/file-set.ts';
import { openWatch } from '../../src/config/watch.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-watch-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a file that becomes a symlink to itself is a change like any other, and so is its return', async () => {
  const path = join(folder, 'places.mmdb');
  writeFileSync(path, 'one');
  const seen: string[] = [];
  const take = () => {
    const stamp = stampOf(path);
    seen.push(stamp);
    watch.follow([{ path, stamp }]);
  };
  const watch = openWatch(take, 20);
  take();
  rmSync(path);
  symlinkSync('places.mmdb', path);
  await expect.poll(() => seen.at(-1)).toBe('missing');
  rmSync(path);
  writeFileSync(path, 'two');
  await expect.poll(() => seen.at(-1)).not.toBe('missing');
  watch.close();
});
