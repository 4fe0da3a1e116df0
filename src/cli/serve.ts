import { parseArgs } from 'node:util';
import { openApp } from '../app.ts';
import { type Console, UsageError } from './usage.ts';

const USAGE = 'postern serve --config PATH [--log-level debug|info|warn|error]';
const NODE_MIN = [24, 14, 1] as const;

/** `postern serve`: answers until SIGTERM or SIGINT, then drains. SIGHUP reloads the policy. */
export async function serveCommand(args: readonly string[], console: Console): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: 'string' }, 'log-level': { type: 'string', default: 'info' } },
    strict: true,
  });
  if (values.config === undefined) throw new UsageError(`--config is missing\n\n${USAGE}`);
  if (!isNodeNewEnough(process.versions.node)) {
    const wanted = NODE_MIN.join('.');
    console.err(
      `Node ${process.versions.node} is too old: Postern needs ${wanted} or newer, because`,
    );
    console.err(
      'older versions can be crashed over HTTP/2. In a checkout, run: npm run postern -- serve',
    );
    return 1;
  }
  // Before anything is open: an early SIGHUP would end the process.
  let onReload = () => {};
  const reload = () => onReload();
  process.on('SIGHUP', reload);
  const opened = await openApp({ path: values.config, logLevel: values['log-level'] });
  if ('problems' in opened) {
    for (const problem of opened.problems) console.err(problem);
    return 2;
  }
  onReload = () => void opened.reload();
  await untilSignal();
  await opened.close();
  process.off('SIGHUP', reload);
  return 0;
}

/** Whether a version is at least the one that `engines` in package.json names. */
export function isNodeNewEnough(version: string): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, wanted] of NODE_MIN.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
}
