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
const DOT_SEGMENT = /\/\.{1,2}(?:[/;]|$)/;
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

type Readings = Pick<Target, 'readings' | 'spellings' | 'ambiguous'>;

const REFUSED: Readings = { readings: [], spellings: NO_SPELLINGS, ambiguous: true };

function readPath(path: string, isCleanQuery: boolean): Readings {
  if (!isCleanQuery || !path.startsWith('/') || path.includes(' ') || BAD_ESCAPE.test(path)) {
    return REFUSED;
  }
  const texts = textsOf(path);
  if (!texts) return REFUSED;
  for (const text of texts) if (isForbidden(text)) return REFUSED;
  const spellings = spellingsOf(path, texts);
  const readings = new Map<string, readonly string[]>();
  for (const text of texts) readings.set(text, segmentsOf(text));
  if (spellings.size > 0) for (const text of texts) addResolved(readings, text);
  return { readings: [...readings.values()], spellings, ambiguous: false };
}

/** A path as sent, decoded once and twice, and cut at a `?` that this brings forth; undefined for what is no UTF-8. */
function textsOf(path: string): ReadonlySet<string> | undefined {
  const once = decodeEscapes(path);
  const twice = once === undefined ? undefined : decodeEscapes(once);
  if (once === undefined || twice === undefined) return undefined;
  return new Set([path, once, twice, beforeMark(once), beforeMark(twice)]);
}

function spellingsOf(path: string, texts: ReadonlySet<string>): ReadonlySet<Spelling> {
  const spellings = new Set<Spelling>();
  for (const [spelling, pattern] of SOFT) {
    for (const text of texts) if (pattern.test(text)) spellings.add(spelling);
  }
  if (!isAscii(path)) spellings.add('non_ascii');
  return spellings;
}

function isForbidden(text: string): boolean {
  return FORBIDDEN_ANYWHERE.test(text) || FORBIDDEN_IN_PATH.test(text) || DOT_SEGMENT.test(text);
}

function beforeMark(text: string): string {
  const mark = text.indexOf('?');
  return mark === -1 ? text : text.slice(0, mark);
}

/** Adds the reading without `;` parameters and empty segments. */
function addResolved(readings: Map<string, readonly string[]>, text: string): void {
  const segments: string[] = [];
  for (const segment of segmentsOf(text)) {
    const semicolon = segment.indexOf(';');
    const name = semicolon === -1 ? segment : segment.slice(0, semicolon);
    if (name !== '') segments.push(name);
  }
  readings.set(`/${segments.join('/')}`, segments);
}

/** The segments between slashes; a slash at the end adds none. */
function segmentsOf(path: string): readonly string[] {
  const segments = path.split('/');
  segments.shift();
  if (segments.at(-1) === '') segments.pop();
  return segments;
}

/**
 * Decodes each run of escapes; undefined when one is not valid UTF-8. It throws nothing on the way: an
 * exception costs some thousand times as much as the three bytes that cause it.
 */
function decodeEscapes(text: string): string | undefined {
  if (!text.includes('%')) return text;
  let isBroken = false;
  const decoded = text.replace(ESCAPES, (run) => {
    const part = isBroken ? undefined : decodeRun(run);
    if (part === undefined) isBroken = true;
    return part ?? run;
  });
  return isBroken ? undefined : decoded;
}

/** The text of a run of escapes, undefined when its bytes are not valid UTF-8. */
function decodeRun(run: string): string | undefined {
  if (run.length === 3) {
    const code = Number.parseInt(run.slice(1), 16);
    return code < 0x80 ? String.fromCharCode(code) : undefined;
  }
  const bytes = Buffer.from(run.replaceAll('%', ''), 'hex');
  const text = bytes.toString('utf8');
  return !text.includes('\uFFFD') || bytes.equals(Buffer.from(text)) ? text : undefined;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
