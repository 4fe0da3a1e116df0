import { checkServers } from './check-store.ts';
import type { Environment } from './environment.ts';
import { loadPolicy } from './load.ts';
import { writeProblem } from './problem.ts';
import { readRedisUrl } from './redis-url.ts';
import { readSettings } from './settings.ts';
import { readStore, type Store } from './store.ts';

/** A store that outlives its process, as a command line names it; with a policy, its files stand beside that. */
export type NamedStore = {
  readonly place: Exclude<Store, { readonly kind: 'memory' }>;
  readonly policyPath?: string | undefined;
};

type Problems = { readonly problems: readonly string[] };

const NO_MEMORY = 'a store in memory ends with its process: there is nothing to copy';

/**
 * Reads the name of a store: `sqlite:PATH`, `redis://…` or `rediss://…`, several of these with commas for a Cluster, or
 * the policy whose store it is. Problems never quote a URL, because it may hold a password.
 */
export function readStoreName(
  text: string,
  around: { readonly env: Environment; readonly nowMs: number },
): NamedStore | Problems {
  if (text === 'memory') return { problems: [NO_MEMORY] };
  if (/^rediss?:/.test(text)) return readUrls(text.split(','));
  if (text === 'sqlite:') return { problems: ['sqlite: names no file: expected sqlite:PATH'] };
  if (text.startsWith('sqlite:')) return accepted(readStore(text));
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) {
    return {
      problems: ['expected sqlite:PATH, redis://host:port, rediss://host:port or a policy file'],
    };
  }
  const loaded = loadPolicy({ path: text, ...around });
  if (!loaded.config) return { problems: loaded.problems.map(writeProblem) };
  return accepted(readSettings(loaded.config).store, text);
}

function accepted(place: Store, policyPath?: string): NamedStore | Problems {
  if (place.kind === 'memory') return { problems: [`${policyPath ?? ''}: ${NO_MEMORY}`] };
  return { place, policyPath };
}

function readUrls(urls: readonly string[]): NamedStore | Problems {
  const problems: string[] = [];
  const servers = urls.flatMap((url, index) => {
    const read = readRedisUrl(url);
    if (!('problem' in read)) return [{ ...read, path: [index] }];
    problems.push(read.problem);
    return [];
  });
  const [first = '', ...more] = urls;
  const place = readStore(more.length === 0 ? first : [...urls]);
  if (problems.length === 0 && place.kind === 'redis') {
    checkServers({ problem: (_, message) => void problems.push(message) }, { place, servers });
  }
  return problems.length > 0 ? { problems: [...new Set(problems)] } : accepted(place);
}
