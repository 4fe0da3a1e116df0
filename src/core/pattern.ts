import type { HostPattern, PathPattern, Segment } from './policy.ts';

/** A compiled pattern, or what is wrong with its text. */
export type Compiled<T> = { readonly pattern: T } | { readonly problem: string };

const EMPTY_SEGMENT = 'a path has no empty segments';

/**
 * Compiles `/v1/x`, `/v1/*`, `/v1/**` and `/{workspace}/x`. A pattern holds whole segments as they are after
 * every decoding, because each reading of a request's path must find the same route.
 */
export function compilePath(text: string, ignoreCase = false): Compiled<PathPattern> {
  if (!text.startsWith('/')) return { problem: 'a path begins with "/"' };
  if (text.includes('//')) return { problem: EMPTY_SEGMENT };
  const stray = /[^\x21-\x7e\u00a0-\uffff]|[%?#;\\]/u.exec(text)?.[0];
  if (stray !== undefined) {
    return {
      problem: `a path pattern cannot hold ${JSON.stringify(stray)}: "*" stands for such a segment`,
    };
  }
  const below = text.endsWith('/**');
  const inner = below ? text.slice(1, -3) : text.slice(1).replace(/\/$/, '');
  const segments = inner === '' ? [] : inner.split('/');
  const problem = segments.map(pathSegmentProblem).find((one) => one !== undefined);
  if (problem !== undefined) return { problem };
  const compiled = segments.map((one) => segmentOf(ignoreCase ? one.toLowerCase() : one));
  return { pattern: { segments: compiled, below } };
}

/** Compiles `api.example.com`, `*.example.com`, `{workspace}.example.com`, each with a port where it is not 80 or 443. */
export function compileHost(text: string): Compiled<HostPattern> {
  const parts = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text.toLowerCase());
  const host = parts?.[1]?.replace(/\.$/, '');
  if (host === undefined)
    return { problem: 'expected a host such as "api.example.com" or "*.example.com"' };
  const subdomains = host.startsWith('*.');
  const labels = host.startsWith('[') ? [host] : host.slice(subdomains ? 2 : 0).split('.');
  const stray = labels.find((label) => !isLabel(label));
  if (stray !== undefined) {
    return {
      problem: `${JSON.stringify(stray)} is no host label: "*." stands first, "{workspace}" is one label`,
    };
  }
  const written = parts?.[2] ?? '';
  if (Number(written) > 65535) return { problem: 'a port is at most 65535' };
  const port = written === '80' || written === '443' ? '' : written;
  return { pattern: { labels: labels.map(labelOf), subdomains, port } };
}

/** Whether a pattern binds the request to the principal's workspace. */
export function bindsWorkspace(segments: readonly Segment[]): boolean {
  return segments.some((segment) => typeof segment !== 'string' && segment.any === 'workspace');
}

function pathSegmentProblem(segment: string): string | undefined {
  if (segment === '.' || segment === '..') return 'a path has no dot segments';
  if (segment === '*' || segment === '{workspace}') return undefined;
  if (segment === '**') return '"**" stands only at the end, as "/**"';
  if (segment.includes('*')) return '"*" stands for a whole segment';
  if (/[{}]/.test(segment)) return '"{workspace}" is the only named segment';
  return undefined;
}

function segmentOf(text: string): Segment {
  if (text === '*') return { any: 'star' };
  return labelOf(text);
}

function labelOf(text: string): Segment {
  return text === '{workspace}' ? { any: 'workspace' } : text;
}

function isLabel(label: string): boolean {
  return (
    label === '{workspace}' || label.startsWith('[') || /^[a-z0-9_][a-z0-9_-]{0,62}$/.test(label)
  );
}
