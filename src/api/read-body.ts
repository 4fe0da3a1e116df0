import type * as z from 'zod';
import { type Fault, type FieldError, fault, invalid, pointerTo } from './fault.ts';

export const BODY_BYTES_MAX = 256 * 1024;
const DEPTH_MAX = 32;
/** An answer stays small, however much of a body is wrong. */
const ERRORS_MAX = 100;
const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** Reads a body whole, or refuses it as soon as it is too large, whatever its Content-Length says. */
export async function readBytes(request: Request): Promise<Uint8Array | Fault> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > BODY_BYTES_MAX) return fault('too_large');
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body) {
      size += chunk.byteLength;
      if (size > BODY_BYTES_MAX) return fault('too_large');
      chunks.push(chunk);
    }
  } catch {
    // Whoever sent it broke off: nobody's failure but theirs.
    return fault('malformed_body');
  }
  return Buffer.concat(chunks);
}

/** Reads JSON that can be read in one way: UTF-8, no member twice in one object, at most 32 levels. */
export function parseJson(bytes: Uint8Array): { readonly value: unknown } | Fault {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return isUnambiguous(text) ? { value } : fault('malformed_body');
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof TypeError) return fault('malformed_body');
    throw cause;
  }
}

/** Whether a body is announced as what it must be. */
export function isJsonType(contentType: string | null): boolean {
  return contentType !== null && JSON_TYPE.test(contentType.trim());
}

/** Reads a value by a schema; a refusal names every wrong field at once. */
export function parseBody(schema: z.ZodType, value: unknown): { readonly value: unknown } | Fault {
  const stray = strayTexts(value, []);
  const parsed = schema.safeParse(value);
  if (parsed.success && stray.length === 0) return { value: parsed.data };
  const wrong = parsed.success ? [] : fieldErrors(parsed.error.issues);
  const known = new Set(wrong.map((one) => one.pointer));
  const errors = [...wrong, ...stray.filter((one) => !known.has(one.pointer))];
  return invalid(errors.slice(0, ERRORS_MAX)) ?? fault('malformed_body');
}

/** What is wrong with a value, by the issues of its schema; `path` is where the value stands. */
export function fieldErrors(
  issues: readonly z.core.$ZodIssue[],
  path: readonly PropertyKey[] = [],
): readonly FieldError[] {
  return issues.flatMap((issue): readonly FieldError[] => {
    const here = [...path, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((name) => ({
        pointer: pointerTo(...here, name),
        detail: 'unknown field',
      }));
    }
    if (issue.code === 'invalid_union') {
      const meant = issue.errors.find((branch) => branch.every((one) => one.path.length > 0));
      if (meant && meant.length > 0) return fieldErrors(meant, here);
      const texts = new Set(issue.errors.flat().map((one) => detailOf(one.message)));
      return [{ pointer: pointerTo(...here), detail: [...texts].join(', or ') }];
    }
    return [{ pointer: pointerTo(...here), detail: detailOf(issue.message) }];
  });
}

/** A message of the schema library in the words of the others. */
function detailOf(message: string): string {
  return message
    .replace(/^Invalid (?:input|option|string|value): /, '')
    .replace(/^Too /, 'too ')
    .replace(/^(expected .*), received undefined$/, 'is missing: $1');
}

/** Members named like an object's prototype, texts that are no Unicode, and numbers too large to be kept. */
function strayTexts(value: unknown, path: readonly PropertyKey[]): readonly FieldError[] {
  if (typeof value === 'string') {
    return value.isWellFormed()
      ? []
      : [{ pointer: pointerTo(...path), detail: 'a lone surrogate' }];
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return [{ pointer: pointerTo(...path), detail: 'a number too large' }];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const here = [...path, name];
    if (name === '__proto__') return [{ pointer: pointerTo(...here), detail: 'unknown field' }];
    if (!name.isWellFormed()) {
      return [{ pointer: pointerTo(...path), detail: 'a member whose name is no Unicode text' }];
    }
    return strayTexts(member, here);
  });
}

/** Whether valid JSON has no member twice and is not deeper than anybody needs. */
function isUnambiguous(text: string): boolean {
  const names: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g)) {
    if (token === '{') names.push(new Set());
    else if (token === '[') names.push(undefined);
    else if (token === '}' || token === ']') names.pop();
    else if (token !== ':') last = token;
    else {
      const name: string = JSON.parse(last);
      const known = names.at(-1);
      if (known?.has(name)) return false;
      known?.add(name);
    }
    if (names.length > DEPTH_MAX) return false;
  }
  return true;
}
