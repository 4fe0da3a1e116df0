/** The decoded values of a query parameter whose name, decoded once, is `name` (WHATWG URL section 5.1). */
export function queryValues(query: string, name: string): readonly string[] {
  const values: string[] = [];
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    if (decodePart(equals === -1 ? pair : pair.slice(0, equals)) !== name) continue;
    values.push(equals === -1 ? '' : decodePart(pair.slice(equals + 1)));
  }
  return values;
}

/**
 * The target without the named parameters, byte for byte otherwise; undefined when it holds none.
 * Names are compared decoded and without regard to case, so that no spelling of a credential passes.
 */
export function stripQuery(
  path: string,
  query: string | undefined,
  names: ReadonlySet<string>,
): string | undefined {
  if (query === undefined || names.size === 0) return undefined;
  const pairs = query.split('&');
  const kept = pairs.filter((pair) => {
    const equals = pair.indexOf('=');
    return !names.has(decodePart(equals === -1 ? pair : pair.slice(0, equals)).toLowerCase());
  });
  if (kept.length === pairs.length) return undefined;
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

/** The values of a cookie (RFC 6265 section 4.2), without the quotes that may enclose one. */
export function cookieValues(lines: readonly string[], name: string): readonly string[] {
  return cookiePairs(lines)
    .filter((pair) => pair.name === name)
    .map(({ value }) => /^"(.*)"$/s.exec(value)?.[1] ?? value);
}

/** The Cookie header without the named cookies; undefined when it holds none of them. */
export function stripCookies(
  lines: readonly string[],
  names: ReadonlySet<string>,
): string | undefined {
  const pairs = cookiePairs(lines);
  const kept = pairs.filter((pair) => !names.has(pair.name));
  return kept.length === pairs.length ? undefined : kept.map((pair) => pair.text).join('; ');
}

function cookiePairs(
  lines: readonly string[],
): readonly { readonly text: string; readonly name: string; readonly value: string }[] {
  const texts = lines.join('; ').split(';');
  return texts.flatMap((raw) => {
    const text = raw.trim();
    const equals = text.indexOf('=');
    if (equals === -1) return text === '' ? [] : [{ text, name: text, value: '' }];
    return [{ text, name: text.slice(0, equals).trim(), value: text.slice(equals + 1).trim() }];
  });
}

/** Decodes `+` and escapes; a text with a bad escape stays as it is. */
function decodePart(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
