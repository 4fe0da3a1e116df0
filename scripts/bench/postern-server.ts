// The real server from dist/, with keys put into its store through the port.
import type { openApp as OpenApp } from '../../src/app.ts';
import type * as ApiKeys from '../../src/core/api-key.ts';
import { benchKey } from './keys.ts';

const [path = '', count = '0'] = process.argv.slice(2);
const dist = new URL('../../dist/', import.meta.url);
const load = (file: string) => import(new URL(file, dist).href);
const { openApp }: { openApp: typeof OpenApp } = await load('app.js');
const { hashKey }: typeof ApiKeys = await load('core/api-key.js');

const app = await openApp({ path, logLevel: 'error' });
if ('problems' in app) throw new Error(app.problems.join('\n'));
for (let at = 0; at < Number(count); at += 1) {
  const record = {
    id: `bench-${at}`,
    hash: `sha256:${hashKey(benchKey(at))}`,
    kind: 'team',
    workspace: `workspace-${at}`,
    username: `user-${at}`,
    scopes: ['reports:read', 'prompts:read'],
  } as const;
  app.store.putKey(record);
}
process.send?.('ready');
