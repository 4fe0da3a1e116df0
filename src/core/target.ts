/** Spellings of a path that are refused as ambiguous unless a route's `path_allow` admits them. */
export const SPELLINGS = [
  'encoded_slash',
  'encoded_dot',
  'semicolon',
  'empty_segment',
  'non_ascii',
] as const;
export type Spelling = (typeof SPELLINGS)[number];

/** A request target, split at the first `?`. */
export type Target = {
  /** As sent, with the query. */
  readonly raw: string;
  /** As sent, without the query. */
  readonly path: string;
  /** As sent, without the `?`; undefined when there is none. */
  readonly query: string | undefined;
  /** What the path may mean to others, as segments: as sent first. All must find the same route. */
  readonly readings: readonly (readonly string[])[];
  /** Spellings that the route must admit. */
  readonly spellings: ReadonlySet<Spelling>;
  /** Refused whatever the route admits. */
  readonly ambiguous: boolean;
};

const PLAIN_PATH = /^\/[\w~!$&'()*+,=:@./-]*$/;
const NOT_PLAIN = /\/\/|\/\.{1,2}(?:\/|$)/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are what is looked for
const FORBIDDEN_ANYWHERE = /[\x00-\x1f\x7f#]/;
const FORBIDDEN_IN_PATH = /\\|%5c|%00/i;
const BAD_ESCAPE = /%(?![0-9a-f]{2})/i;
const ESCAPES = /(?:%[0-9a-f]{2})+/gi;
const NO_SPELLINGS: ReadonlySet<Spelling> = new Set();

const SOFT: readonly (readonly [Spelling, RegExp])[] = [
  ['encoded_slash', /%2f/i],
  ['encoded_dot', /%2e/i],
  ['semicolon', /;/],
  ['empty_segment', /\/\//],
];

/**
 * Splits a request target and collects every reading of its path (RFC 3986 sections 2.1 and 3.3):
 * as sent, decoded once and twice, cut at a decoded `?`, and with ambiguous spellings resolved.
 */
export function splitTarget(raw: string): Target {
  const mark = raw.indexOf('?');
  const path = mark === -1 ? raw : raw.slice(0, mark);
  const query = mark === -1 ? undefined : raw.slice(mark + 1);
  const isCleanQuery = query === undefined || !FORBIDDEN_ANYWHERE.test(query);
  if (isCleanQuery && PLAIN_PATH.test(path) && !NOT_PLAIN.test(path)) {
    const readings = [segmentsOf(path)];
    return { raw, path, query, readings, spellings: NO_SPELLINGS, ambiguous: false };
  }
  return { raw, path, query, ...readPath(path, isCleanQuery) };
}

function readPath(
  path: string,
  isCleanQuery: boolean,
): Pick<Target, 'readings' | 'spellings' | 'ambiguous'> {
  const once = decodeEscapes(path);
  const twice = decodeEscapes(once.text);
  const texts = new Set([path, once.text, twice.text]);
  for (const text of [once.text, twice.text]) texts.add(text.replace(/\?.*$/su, ''));
  const spellings = new Set<Spelling>();
  for (const text of texts) {
    for (const [spelling, pattern] of SOFT) if (pattern.test(text)) spellings.add(spelling);
  }
  if (!isAscii(path)) spellings.add('non_ascii');
  const readings = new Map<string, readonly string[]>();
  for (const text of texts) readings.set(text, segmentsOf(text));
  if (spellings.size > 0) for (const text of texts) addResolved(readings, text);
  const ambiguous =
    !isCleanQuery ||
    !path.startsWith('/') ||
    path.includes(' ') ||
    BAD_ESCAPE.test(path) ||
    once.isBroken ||
    twice.isBroken ||
    [...texts].some((text) => FORBIDDEN_ANYWHERE.test(text) || FORBIDDEN_IN_PATH.test(text)) ||
    [...readings.values()].some((segments) => segments.some(isDotSegment));
  return { readings: [...readings.values()], spellings, ambiguous };
}

/** Adds the reading without `;` parameters and empty segments. */
function addResolved(readings: Map<string, readonly string[]>, text: string): void {
  const segments = segmentsOf(text)
    .map((segment) => segment.replace(/;.*$/su, ''))
    .filter((segment) => segment !== '');
  readings.set(`/${segments.join('/')}`, segments);
}

/** The segments between slashes; a slash at the end adds none. */
function segmentsOf(path: string): readonly string[] {
  const segments = path.split('/');
  segments.shift();
  if (segments.at(-1) === '') segments.pop();
  return segments;
}

/** Decodes each run of escapes; `isBroken` when one is not valid UTF-8, which then stays as it is. */
function decodeEscapes(text: string): { text: string; isBroken: boolean } {
  if (!text.includes('%')) return { text, isBroken: false };
  let isBroken = false;
  const decoded = text.replace(ESCAPES, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      isBroken = true;
      return run;
    }
  });
  return { text: decoded, isBroken };
}

function isDotSegment(segment: string): boolean {
  const name = segment.replace(/;.*$/su, '');
  return name === '.' || name === '..';
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
