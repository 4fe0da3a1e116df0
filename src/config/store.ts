import type { Config } from './schema.ts';
import { NAMESPACE } from './schema-store.ts';

/** Where keys and counters live. URLs may hold passwords: they are never logged. */
export type Store =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  | RedisPlace;

/** Where Redis is and how it is spoken to. */
export type RedisPlace = {
  readonly kind: 'redis';
  /** One URL; several of a Cluster; those of the sentinels where `sentinel` is set. */
  readonly urls: readonly string[];
  readonly cluster: boolean;
  readonly sentinel?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: RedisTls | undefined;
  readonly namespace: string;
};

/** Files, PEM, as the policy names them; and the name in the server's certificate. */
export type RedisTls = {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly serverName?: string | undefined;
};

/** Reads the store of a checked policy. A list of URLs is a Cluster, unless they are those of sentinels. */
export function readStore(written: Config['store']): Store {
  if (written === 'memory') return { kind: 'memory' };
  if (typeof written === 'string' && written.startsWith('sqlite:'))
    return { kind: 'sqlite', path: written.slice('sqlite:'.length) };
  if (typeof written === 'string' || Array.isArray(written))
    return { kind: 'redis', ...placesOf(written), namespace: NAMESPACE };
  const { urls, sentinel, username, password, tls, namespace } = written;
  const places = placesOf(urls);
  return {
    kind: 'redis',
    urls: places.urls,
    cluster: places.cluster && sentinel === undefined,
    sentinel,
    username,
    password,
    tls: tls && { ca: tls.ca, cert: tls.cert, key: tls.key, serverName: tls.server_name },
    namespace,
  };
}

function placesOf(urls: string | readonly string[]): Pick<RedisPlace, 'urls' | 'cluster'> {
  return typeof urls === 'string' ? { urls: [urls], cluster: false } : { urls, cluster: true };
}
