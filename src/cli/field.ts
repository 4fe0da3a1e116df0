import { parseTimestamp } from '../core/key-record.ts';
import { parseDuration } from '../schema/duration.ts';
import type { Given, Options } from './arguments.ts';
import { UsageError } from './usage.ts';

/**
 * How the text of an option becomes the value of a field:
 * `list` a,b; `figures` per_minute=30,burst=10 or JSON; `map` k=v,k=v or JSON; `domains` a list, or JSON with
 * `missing`; `time` RFC 3339; `in` a duration from now; `flag` true.
 */
export type Form = 'text' | 'list' | 'figures' | 'map' | 'domains' | 'time' | 'in' | 'flag';

/** A field of an object, and the option that gives it. */
export type Field = {
  readonly option: string;
  readonly field: string;
  readonly form: Form;
  readonly value?: string | undefined;
  readonly help: string;
  /** What `--clear` makes of it; null when absent. */
  readonly cleared?: unknown;
};

const PLACEHOLDERS: { readonly [form in Form]: string } = {
  text: 'TEXT',
  list: 'A,B',
  figures: 'per_minute=30,burst=10',
  map: 'K=V,K=V',
  domains: 'A,B',
  time: 'TIME',
  in: '30d',
  flag: '',
};
const LISTS = new Set<Form>(['list', 'figures', 'map', 'domains']);
/** Metadata of these names would be a prototype, not a member. */
const FORBIDDEN = new Set(['__proto__']);

/** The options that give fields. */
export function optionsOf(fields: readonly Field[]): Options {
  return Object.fromEntries(
    fields.map(({ option, form, value, help }) => [
      option,
      form === 'flag'
        ? { help }
        : { value: value ?? PLACEHOLDERS[form], help, isList: LISTS.has(form) },
    ]),
  );
}

/** The option that sets fields to nothing, for changes. */
export const CLEAR_OPTION: Options = {
  clear: { value: 'FIELD', help: 'set to nothing, by the name of its option', isList: true },
};

/** The fields that a command line gives, as the body of a request. */
export function bodyOf(fields: readonly Field[], given: Given, nowMs: number) {
  const body: { [field: string]: unknown } = {};
  for (const one of fields) {
    const text = one.form === 'flag' ? undefined : given.text[one.option];
    if (text === undefined && !given.flags.has(one.option)) continue;
    if (Object.hasOwn(body, one.field)) {
      throw new UsageError(`--${one.option}: ${dashed(one.field)} is given in another way too`);
    }
    body[one.field] = text === undefined ? true : readValue(one, text, nowMs);
  }
  return body;
}

/** The same for a change: what `--clear` names is set to nothing. */
export function changeOf(fields: readonly Field[], given: Given, nowMs: number) {
  const body = bodyOf(fields, given, nowMs);
  for (const name of readList(given.text['clear'] ?? '')) {
    const field = fields.find((one) => dashed(one.field) === dashed(name.replace(/^--/, '')));
    if (!field) {
      const known = [...new Set(fields.map((one) => dashed(one.field)))].join(', ');
      throw new UsageError(`--clear: expected one of ${known}`);
    }
    if (Object.hasOwn(body, field.field)) {
      throw new UsageError(`--clear ${name}: it is set by another option`);
    }
    body[field.field] = field.cleared ?? null;
  }
  return body;
}

/** Reads the text of a field; throws a `UsageError` that names the option and not the text. */
export function readValue({ option, form }: Field, text: string, nowMs: number): unknown {
  const wrong = (expected: string) => new UsageError(`--${option}: expected ${expected}`);
  switch (form) {
    case 'text':
      return text;
    case 'flag':
      if (/^(true|false)$/.test(text)) return text === 'true';
      throw wrong('true or false');
    case 'list':
      return readList(text);
    case 'domains':
      return text.startsWith('{') ? readJson(text, wrong) : readList(text);
    case 'figures':
      return readPairs(text, wrong, (value) => {
        if (!/^\d{1,15}$/.test(value)) throw wrong('whole numbers, as in per_minute=30,burst=10');
        return Number(value);
      });
    case 'map':
      return readPairs(text, wrong, (value) => value);
    case 'time':
      if (parseTimestamp(text) !== undefined) return text;
      throw wrong('a time such as 2027-01-31T00:00:00Z');
    case 'in': {
      const durationMs = parseDuration(text);
      if (durationMs === undefined) throw wrong('a duration such as 12h or 30d');
      const endMs = nowMs + durationMs;
      if (endMs > LAST_MS) throw wrong('an end before the year 10000');
      return new Date(endMs).toISOString();
    }
  }
}

const LAST_MS = Date.UTC(9999, 11, 31);

/** The items of a list by commas; none for an empty text. */
export function readList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

type Wrong = (expected: string) => UsageError;

function readPairs(text: string, wrong: Wrong, read: (value: string) => unknown) {
  if (text.startsWith('{')) return readJson(text, wrong);
  const pairs = readList(text).map((item): [string, unknown] => {
    const at = item.indexOf('=');
    const name = item.slice(0, at).trim();
    if (at < 1 || FORBIDDEN.has(name)) throw wrong('name=value pairs by commas, or JSON');
    return [name, read(item.slice(at + 1).trim())];
  });
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) throw wrong('each name once');
  return Object.fromEntries(pairs);
}

function readJson(text: string, wrong: Wrong): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrong('JSON where the text begins with {');
  }
}

function dashed(field: string): string {
  return field.replace(/_id$/, '').replaceAll('_', '-');
}
