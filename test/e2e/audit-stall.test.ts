import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runPostern } from '../../scripts/lib/run-postern.ts';
import { openCheckClient } from './check-client.ts';
import { policyText, sample } from './policy.ts';

const LOCAL = '127.0.0.1:0';
/** More than a pipe and both its ends hold. */
const CHECKS = 400;
const LONG_PATH = `/a/${'x'.repeat(1900)}`;

test('a reader of standard output that stalls holds up neither an answer nor the end of the process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-stall-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const configPath = join(folder, 'policy.yaml');
  const listen = { check: LOCAL, api: LOCAL, ops: LOCAL };
  const routes = [{ name: 'a', path: '/a/**', access: 'public' }];
  writeFileSync(configPath, policyText({ listen, routes }));
  const postern = await runPostern({ configPath });
  onTestFinished(() => void postern.process.kill('SIGKILL'));
  postern.process.stdout?.pause();
  const client = openCheckClient(postern.addresses['check'] ?? '');
  const asked = Array.from({ length: CHECKS }, () => client.check({ path: LONG_PATH }));
  expect((await Promise.all(asked)).every(({ allowed }) => allowed)).toBe(true);
  client.close();
  const page = await (await fetch(`http://${postern.addresses['ops']}/metrics`)).text();
  expect(sample(page, 'postern_audit_waiting_events{sink="stdout"}')).toBeGreaterThan(0);
  const ended = once(postern.process, 'exit');
  postern.process.kill('SIGTERM');
  await ended;
  expect(postern.stderr()).toContain('"msg":"stopped"');
}, 15_000);
