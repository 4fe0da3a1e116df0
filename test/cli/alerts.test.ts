import { expect, test } from 'vitest';
import { alertEvent } from '../../src/core/alert.ts';
import { NOW_MS } from '../api/stage.ts';
import { openCli } from './on-stage.ts';

/** Two alerts, an hour apart. */
async function openHistory() {
  const cli = await openCli();
  const about = { subject: 'k', keyId: 'k1', workspace: 'acme', address: '192.0.2.1' };
  const old = { ...about, name: 'new_network', timeMs: NOW_MS - 3_600_000 } as const;
  const young = { ...about, name: 'new_country', timeMs: NOW_MS } as const;
  const facts = { country: 'CH', network: 'AS64500' };
  cli.stage.store.recordEvent(alertEvent({ ...old, facts }, 'id-1', 0));
  cli.stage.store.recordEvent(alertEvent({ ...young, facts }, 'id-2', 0));
  await cli.stage.store.flush();
  return cli;
}

test('alerts are listed with whom and what they are about', async () => {
  await using cli = await openHistory();
  const { out } = await cli.run(['alerts', '--alert=new_country']);
  expect(out).toMatch(/^TIME +ALERT +SEVERITY +KEY +WORKSPACE +ADDRESS +FACTS\n/);
  expect(out).toMatch(/new_country +high +k1 +acme +192\.0\.2\.1 +country=CH network=AS64500$/);
  expect(out).not.toContain('new_network');
});

test.each([
  [[], ['new_country', 'new_network']],
  [['--from=30m'], ['new_country']],
  [['--to=30m'], ['new_network']],
  [['--key=k1', '--workspace=acme', '--limit=1'], ['new_country']],
  [['--key=k2'], []],
])('by %j', async (args, want) => {
  await using cli = await openHistory();
  const { out } = await cli.run(['alerts', '--json', ...args]);
  const { data } = JSON.parse(out) as { readonly data: readonly { readonly alert: string }[] };
  expect(data.map(({ alert }) => alert)).toEqual(want);
});
