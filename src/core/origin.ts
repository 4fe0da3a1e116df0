/** Scheme, host and port of a web origin (RFC 6454); the port is explicit, the host in lower case. */
export type Origin = {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
};

/** Exact origins, and hosts whose subdomains are meant. Keys are `scheme://host:port`. */
export type OriginSet = {
  readonly exact: ReadonlySet<string>;
  readonly subdomainsOf: readonly Origin[];
};

/** Origins that are allowed, and whether the header may be missing. */
export type OriginRule = { readonly allow: OriginSet; readonly missing: 'allow' | 'deny' };
/** The same for a Referer. */
export type RefererRule = OriginRule;

const PORTS = { http: 80, https: 443 } as const;

/**
 * Reads a Referer or an Origin, judged in raw form as well as parsed: it must begin with `http://` or
 * `https://` and the very host it parses to, without userinfo, backslash, space, control or non-ASCII bytes.
 */
export function parseReferer(raw: string): Origin | undefined {
  if (!/^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/.test(raw)) return undefined;
  const scheme = raw.startsWith('https:') ? 'https' : 'http';
  const start = scheme.length + 3;
  const end = raw.slice(start).search(/[/?#]/);
  const authority = end === -1 ? raw.slice(start) : raw.slice(start, start + end);
  return parseAuthority(scheme, authority);
}

/** Reads an Origin header: a Referer without path, query and fragment (RFC 6454 section 7). */
export function parseOrigin(raw: string): Origin | undefined {
  const origin = parseReferer(raw);
  return origin && !/[/?#]/.test(raw.slice(origin.scheme.length + 3)) ? origin : undefined;
}

/** A plain domain name: what it parses to is itself. `xn--` labels and numbers at the end need the parser. */
const PLAIN_HOST = /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+[a-z]{2,63}$/;

function parseAuthority(scheme: 'http' | 'https', authority: string): Origin | undefined {
  if (PLAIN_HOST.test(authority) && !authority.includes('xn--')) {
    return { scheme, host: authority, port: PORTS[scheme] };
  }
  const parts = /^(\[[0-9A-Fa-f:.]+\]|[^:@[\]]+)(?::(\d{1,5}))?$/.exec(authority);
  const written = parts?.[1]?.toLowerCase();
  if (written === undefined) return undefined;
  const url = URL.parse(`${scheme}://${authority}`);
  if (!url || url.hostname !== written) return undefined;
  const port = url.port === '' ? PORTS[scheme] : Number(url.port);
  return { scheme, host: written, port };
}

/** Whether an origin is one of the set. */
export function holdsOrigin(set: OriginSet, origin: Origin): boolean {
  if (set.exact.has(originKey(origin))) return true;
  return set.subdomainsOf.some(
    (parent) =>
      parent.scheme === origin.scheme &&
      parent.port === origin.port &&
      origin.host.endsWith(`.${parent.host}`) &&
      origin.host.length > parent.host.length + 1,
  );
}

export function originKey(origin: Origin): string {
  return `${origin.scheme}://${origin.host}:${origin.port}`;
}

/**
 * Compiles `app.example.com` (http and https on their default ports), `*.example.com` (its subdomains),
 * `https://h:8443` and `https://*.h`; or names the pattern that is none of these.
 */
export function compileOrigins(
  patterns: readonly string[],
): { readonly set: OriginSet } | { readonly problem: string; readonly index: number } {
  const exact = new Set<string>();
  const subdomainsOf: Origin[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const origins = parsePattern(pattern);
    if (origins.length === 0) {
      return { index, problem: `${JSON.stringify(pattern)} is no domain or origin` };
    }
    for (const { origin, subdomains } of origins) {
      if (subdomains) subdomainsOf.push(origin);
      else exact.add(originKey(origin));
    }
  }
  return { set: { exact, subdomainsOf } };
}

function parsePattern(pattern: string): { origin: Origin; subdomains: boolean }[] {
  const parts = /^(?:(https?):\/\/)?(\*\.)?([^*/]+)$/.exec(pattern);
  const host = parts?.[3];
  if (host === undefined) return [];
  const schemes = parts?.[1] ? [parts[1] as 'http' | 'https'] : (['http', 'https'] as const);
  if (!parts?.[1] && /:\d+$/.test(host)) return [];
  return schemes.flatMap((scheme) => {
    const origin = parseOrigin(`${scheme}://${host.toLowerCase()}`);
    return origin ? [{ origin, subdomains: parts?.[2] !== undefined }] : [];
  });
}
