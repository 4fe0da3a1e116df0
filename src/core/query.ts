/** Escapes make a character three times as long. */
const ESCAPED_LENGTH = 3;

/** The decoded values of a query parameter whose name, decoded once, is `name` (WHATWG URL section 5.1). */
export function queryValues(query: string, name: string): readonly string[] {
  const values: string[] = [];
  eachPair(query, (pair) => {
    if (nameOf(query, pair, name.length) !== name) return;
    const { equals, end } = pair;
    values.push(equals === end ? '' : decodeAscii(query.slice(equals + 1, end)));
  });
  return values;
}

/**
 * The target without the named parameters (ASCII), byte for byte otherwise; undefined when it holds none.
 * Names are compared decoded and without regard to case, so that no spelling of a credential passes.
 */
export function stripQuery(
  path: string,
  query: string | undefined,
  names: ReadonlySet<string>,
): string | undefined {
  if (query === undefined || names.size === 0) return undefined;
  const wanted = [...names];
  let kept = '';
  let from = 0;
  let pairs = 0;
  let isLastCut = false;
  eachPair(query, (pair) => {
    isLastCut = wanted.some((name) => nameOf(query, pair, name.length)?.toLowerCase() === name);
    if (!isLastCut) {
      pairs += 1;
      return;
    }
    kept += query.slice(from, pair.start);
    from = pair.end + 1;
  });
  if (from === 0) return undefined;
  if (pairs === 0) return path;
  return `${path}?${isLastCut ? kept.slice(0, -1) : kept + query.slice(from)}`;
}

type Pair = { readonly start: number; readonly equals: number; readonly end: number };

/** Walks over the pairs between `&`; `equals` is the end of the name. */
function eachPair(query: string, visit: (pair: Pair) => void): void {
  let sign = -1;
  for (let start = 0; start <= query.length; ) {
    const and = query.indexOf('&', start);
    const end = and === -1 ? query.length : and;
    // The next sign is sought once, however many pairs come before it.
    if (sign < start) sign = query.indexOf('=', start);
    if (sign === -1) sign = query.length + 1;
    visit({ start, equals: Math.min(sign, end), end });
    start = end + 1;
  }
}

/** The decoded name of a pair; undefined when it is too short or too long to be one of so many characters. */
function nameOf(query: string, { start, equals }: Pair, length: number): string | undefined {
  const written = equals - start;
  if (written < length || written > length * ESCAPED_LENGTH) return undefined;
  return decodeAscii(query.slice(start, equals));
}

/** The values of a cookie (RFC 6265 section 4.2), without the quotes that may enclose one. */
export function cookieValues(lines: readonly string[], name: string): readonly string[] {
  return cookiePairs(lines)
    .filter((pair) => pair.name === name)
    .map(({ value }) => /^"(.*)"$/s.exec(value)?.[1] ?? value);
}

/**
 * The Cookie header without the named cookies, as text; undefined when it holds none of them. A cookie that is
 * not valid UTF-8 goes with them, because a message to Envoy can carry text only.
 */
export function stripCookies(
  lines: readonly string[],
  names: ReadonlySet<string>,
): string | undefined {
  const pairs = cookiePairs(lines);
  const kept = pairs.filter((pair) => !names.has(pair.name));
  if (kept.length === pairs.length) return undefined;
  return kept.flatMap(({ text }) => utf8(text) ?? []).join('; ');
}

/** The text of bytes given as characters of the same number; undefined when they are not UTF-8. */
function utf8(bytes: string): string | undefined {
  const sent = Buffer.from(bytes, 'latin1');
  const text = sent.toString('utf8');
  return sent.equals(Buffer.from(text)) ? text : undefined;
}

type Cookie = { readonly text: string; readonly name: string; readonly value: string };

function cookiePairs(lines: readonly string[]): readonly Cookie[] {
  const line = lines.join('; ');
  const pairs: Cookie[] = [];
  for (let start = 0; start <= line.length; ) {
    const semicolon = line.indexOf(';', start);
    const end = semicolon === -1 ? line.length : semicolon;
    const text = end === start ? '' : line.slice(start, end).trim();
    if (text !== '') pairs.push(cookieOf(text));
    start = end + 1;
  }
  return pairs;
}

function cookieOf(text: string): Cookie {
  const equals = text.indexOf('=');
  if (equals === -1) return { text, name: text, value: '' };
  return { text, name: text.slice(0, equals).trim(), value: text.slice(equals + 1).trim() };
}

/** Decodes `+` and the escapes of ASCII characters; all other escapes stay, for no credential holds them. */
function decodeAscii(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  return text
    .replaceAll('+', ' ')
    .replace(/%[0-7][0-9a-f]/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
}
