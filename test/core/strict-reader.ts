/**
 * What stricter servers make of a path, written without the code under test: every combination of decoding
 * (never, once, twice), backslash as slash, `;` cut, slashes merged and dot segments removed.
 */
export function stricterPaths(raw: string): readonly string[] {
  const mark = raw.indexOf('?');
  const sent = mark === -1 ? raw : raw.slice(0, mark);
  let level = [sent];
  const all = new Set([sent]);
  for (let decodings = 0; decodings <= 2; decodings += 1) {
    const read = level.flatMap(cleanings);
    for (const path of read) all.add(path);
    level = [...new Set([...level, ...read])].map(decoded);
  }
  return [...all];
}

const STEPS: readonly ((path: string) => string)[] = [
  (path) => path.replaceAll('\\', '/'),
  (path) => path.replace(/;[^/]*/g, ''),
  (path) => path.replace(/[?#].*$/s, ''),
  (path) => path.replace(/\/{2,}/g, '/'),
  withoutDots,
];

/** The path after each subset of the steps, in their order. */
function cleanings(path: string): readonly string[] {
  let results = [path];
  for (const step of STEPS) results = [...new Set([...results, ...results.map(step)])];
  return results;
}

/** Decodes byte by byte; what is no UTF-8 becomes U+FFFD, and a bad escape stays. */
function decoded(path: string): string {
  if (!path.includes('%')) return path;
  const bytes: number[] = [];
  for (let at = 0; at < path.length; at += 1) {
    const hex = path.slice(at + 1, at + 3);
    if (path[at] === '%' && /^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else {
      bytes.push(...Buffer.from(path[at] ?? ''));
    }
  }
  return Buffer.from(bytes).toString('utf8');
}

/** RFC 3986 section 5.2.4, on segments. */
function withoutDots(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/').slice(1)) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}`;
}
