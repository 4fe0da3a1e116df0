// The real server from dist/. Into a store in memory it puts keys first, through the port; a file has its own.
import type { openApp as OpenApp } from '../../src/app.ts';
import { benchKey, benchWrites } from './keys.ts';

const COMMIT_KEYS = 1000;
const [path = '', count = '0'] = process.argv.slice(2);
const app = new URL('../../dist/app.js', import.meta.url).href;
const { openApp }: { openApp: typeof OpenApp } = await import(app);

const opened = await openApp({ path, logLevel: 'error' });
if ('problems' in opened) throw new Error(opened.problems.join('\n'));
for (let from = 0; from < Number(count); from += COMMIT_KEYS) {
  const size = Math.min(COMMIT_KEYS, Number(count) - from);
  const numbers = Array.from({ length: size }, (_, at) => from + at);
  const writes = numbers.flatMap((at) => benchWrites(at, benchKey(at)));
  const conflict = await opened.store.commit({ writes, events: [] });
  if (conflict) throw new Error(`a key is there already: ${JSON.stringify(conflict)}`);
}
process.send?.('ready');
