import { isUtf8 } from 'node:buffer';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads bytes as a JSON object; undefined for bad UTF-8, a BOM, bad JSON and anything but an object. */
export function parseJsonObject(bytes: Buffer): JsonObject | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The same, refusing an object that names a member twice at any level (RFC 7515 section 4, RFC 7519 section 4). */
export function parseUniqueObject(bytes: Buffer): JsonObject | undefined {
  const value = parseJsonObject(bytes);
  return value && !hasDuplicateMember(bytes.toString('utf8')) ? value : undefined;
}

/** Whether a text that is known to be JSON names a member twice in one object. */
function hasDuplicateMember(text: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(undefined);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(text, at);
      if (isMemberName(text, end) && !isFirst(open.at(-1), text.slice(at, end))) return true;
      at = end - 1;
    }
  }
  return false;
}

/** Adds a name, escapes resolved, to those of its object. */
function isFirst(names: Set<string> | undefined, quoted: string): boolean {
  const name: unknown = JSON.parse(quoted);
  if (!names || typeof name !== 'string') return true;
  if (names.has(name)) return false;
  names.add(name);
  return true;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** In JSON a string is a member's name exactly when a colon follows it. */
function isMemberName(text: string, end: number): boolean {
  let at = end;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at += 1;
  return text[at] === ':';
}
