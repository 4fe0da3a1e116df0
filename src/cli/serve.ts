import type { Command } from './command.ts';
import { UsageError } from './usage.ts';

const NODE_MIN = [24, 14, 1] as const;
/** How long a process that has closed everything may take to end. */
const EXIT_MS = 1000;

/** `serve`: answers until SIGTERM or SIGINT, then drains. SIGHUP reloads the policy. */
export function serveCommand(): Command {
  return {
    name: 'serve',
    summary: 'answer Envoy by this policy (a file or a directory)',
    options: {
      config: { value: 'PATH', help: 'the policy (required)' },
      'log-level': { value: 'LEVEL', help: 'debug, info (default), warn or error' },
    },
    run: async ({ text }, session) => {
      const path = text['config'];
      if (path === undefined)
        throw new UsageError('--config is missing\nsee: postern serve --help');
      if (isNodeNewEnough(process.versions.node))
        return await serve(path, text['log-level'], session);
      const wanted = NODE_MIN.join('.');
      session.err(
        `Node ${process.versions.node} is too old: Postern needs ${wanted} or newer, because`,
      );
      session.err(
        'older versions can be crashed over HTTP/2. In a checkout, run: npm run postern -- serve',
      );
      return 1;
    },
  };
}

async function serve(
  path: string,
  logLevel: string | undefined,
  session: { readonly err: (line: string) => void },
): Promise<number> {
  // Before anything is open: an early SIGHUP would end the process.
  let onReload = () => {};
  const reload = () => onReload();
  process.on('SIGHUP', reload);
  const { openApp } = await import('../app.ts');
  const opened = await openApp({ path, logLevel: logLevel ?? 'info' });
  if ('problems' in opened) {
    for (const problem of opened.problems) session.err(problem);
    return 2;
  }
  onReload = () => void opened.reload();
  await untilSignal();
  await opened.close();
  process.off('SIGHUP', reload);
  endForSure();
  return 0;
}

/** A write to a pipe whose reader stalls holds up even `process.exit`; what else there was to do is done. */
function endForSure(): void {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), EXIT_MS).unref();
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
