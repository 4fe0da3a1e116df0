import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tellOfChanges } from '../../src/app/audit.ts';
import type { Policy } from '../../src/core/policy.ts';
import { openAuditStream } from '../../src/observe/audit/open-stream.ts';
import { testFolder } from '../observe/audit/folder.ts';

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
