import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openAudit, tellOfChanges } from '../../src/app/audit.ts';
import type { Settings } from '../../src/config/settings.ts';
import type { Policy } from '../../src/core/policy.ts';
import { openAuditStream } from '../../src/observe/audit/open-stream.ts';
import { testFolder, until } from '../observe/audit/folder.ts';

const POLICY = { mask: { username: false, address: false } } as Policy;

test('in blocking mode a change whose event cannot be recorded in time is recorded later', async () => {
  const folder = testFolder();
  const path = join(folder, 'audit.jsonl');
  symlinkSync('/dev/full', path);
  const stream = await openAuditStream(
    {
      mode: 'blocking',
      chain: false,
      sinks: [{ kind: 'file', format: 'postern', path, maxBytes: 1024 ** 2, keepFiles: 1 }],
      spoolMaxBytes: 1024 ** 2,
    },
    {
      origin: { product: 'Shop', instance: 'a', version: '1' },
      stdout: 1,
      makeSender: () => {
        throw new Error('no webhook');
      },
      onFailure: () => {},
    },
  );
  const tell = tellOfChanges(stream, () => POLICY, String);
  await tell({ id: 'e1', time: '2026-11-21T12:00:00.000Z', event: 'key.revoked' });
  expect(stream.counts()).toMatchObject([{ written: 0, waitingEvents: 1 }]);
  await stream.close(10);
});

test('a file that cannot be rotated is told of once in a while, though each failure names another file', async () => {
  const folder = testFolder();
  // With the time behind it, a name is longer than any file's can be.
  const path = join(folder, 'a'.repeat(245));
  const sink = { kind: 'file', format: 'postern', path, maxBytes: 1, keepFiles: 1 } as const;
  const audit = { mode: 'blocking', sinks: [sink], spoolMaxBytes: 1, chain: false } as const;
  const told: unknown[] = [];
  const stream = await openAudit({ product: 'Shop', audit } as unknown as Settings, {
    path: join(folder, 'policy.yaml'),
    version: '1',
    log: { error: (facts: unknown) => void told.push(facts) },
    count: () => {},
  });
  const keep = (id: string) =>
    stream.keep({ kind: 'event', event: { id, time: '', event: 'key.created' } }, 1000);
  expect([await keep('e1'), await keep('e2')]).toEqual([true, false]);
  await until(() => told.length > 0);
  expect(await keep('e3')).toBe(false);
  expect(told).toMatchObject([{ sink: 'file', err: { code: 'ENAMETOOLONG' }, untold: 0 }]);
  await stream.close(10);
});
