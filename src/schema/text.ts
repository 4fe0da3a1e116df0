import * as z from 'zod';
import { compileAddresses } from '../core/address.ts';
import { parseKeyHash } from '../core/api-key.ts';
import { parseTimestamp } from '../core/key-record.ts';
import { compileOrigins } from '../core/origin.ts';
import { isGrant, isWildcard } from '../core/scope.ts';
import { hasControl } from '../core/token.ts';
import { parseDuration } from './duration.ts';

/** What a key's documentation says beside its type. */
export type Documented = {
  readonly examples?: readonly unknown[];
  /** The default in words, where it is no constant. */
  readonly unset?: string;
};

/** Documents a key: JSON Schema and the configuration reference are made of it. */
export function key<T extends z.ZodType>(schema: T, description: string, more: Documented = {}): T {
  const { examples, unset } = more;
  return schema.meta({
    description,
    ...(examples && { examples: [...examples] }),
    ...(unset !== undefined && { 'x-default': unset }),
  });
}

/** An object that takes no other keys; its message for an unknown key lists the known ones, by spaces. */
export function strict<T extends z.ZodRawShape>(shape: T) {
  const known = Object.keys(shape).join(' ');
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : undefined),
  });
}

/** A text that a judge has nothing against. A judge never quotes what could be a secret. */
export function form(judge: (text: string) => string | undefined) {
  return z.string().superRefine((text, context) => {
    const problem = judge(text);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });
}

/** One value or several. */
export function oneOrMore<T extends z.ZodType>(schema: T) {
  return z.union([schema, z.array(schema).min(1)]);
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const FRAMING = new Set(['host', 'content-length']);
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

function judgeHeaderName(text: string): string | undefined {
  if (text.startsWith(':')) return 'a pseudo-header cannot stand here';
  if (!TOKEN.test(text)) return 'expected a header name (RFC 9110 token)';
  if (HOP_BY_HOP.has(text.toLowerCase())) return 'a hop-by-hop header cannot stand here';
  if (FRAMING.has(text.toLowerCase())) return `the header ${text.toLowerCase()} cannot stand here`;
  return undefined;
}

/** A header name that may be read, set or removed. */
export const headerName = form(judgeHeaderName);

/** The name of a header that holds nothing but a credential. */
export const credentialHeader = form((text) => {
  if (text.toLowerCase() === 'authorization')
    return 'expected another header: write bearer for Authorization';
  if (text.toLowerCase() === 'cookie')
    return 'expected another header: issuers read {cookie: NAME}';
  return judgeHeaderName(text);
});

/** The name of a query parameter or cookie. */
export const parameterName = z
  .string()
  .regex(/^[\w.~-]{1,64}$/, 'expected a name of letters, digits, "_", ".", "~" and "-"');

export const headerValue = form((text) => {
  if (hasControl(text)) return 'a header value cannot hold control bytes';
  return text.length > 4096 ? 'a header value has at most 4096 characters' : undefined;
});

/** A workspace id, a slug, or another name that is a metric label or part of a counter. */
export const slug = z
  .string()
  .regex(
    /^(?!\.{1,2}$)[\w.-]{1,64}$/,
    'expected 1 to 64 letters, digits, "_", "." and "-", and not dots alone',
  );

/** A text for people: not empty, one line. */
export const line = form((text) => {
  if (text === '') return 'expected a text that is not empty';
  if (text.length > 512) return 'expected at most 512 characters';
  return hasControl(text) ? 'expected a text without control bytes' : undefined;
});

const DURATION = 'expected a duration such as 5s, 10m, 24h or 30d';

export const duration = z
  .string(DURATION)
  .regex(/^\d{1,9}(ms|s|m|h|d)$/, DURATION)
  .refine((text) => (parseDuration(text) ?? 1) > 0, 'expected a duration above zero');

export const timestamp = form((text) =>
  parseTimestamp(text) === undefined
    ? 'expected an RFC 3339 time such as 2030-01-31T00:00:00Z'
    : undefined,
);

/** An address or CIDR block. */
export const addressBlock = form((text) => {
  const compiled = compileAddresses([text]);
  return 'problem' in compiled ? compiled.problem : undefined;
});

/** A domain or origin. */
export const origin = form((text) => {
  const compiled = compileOrigins([text]);
  if (!('problem' in compiled)) return undefined;
  return `${compiled.problem}: expected app.example.com, *.example.com or https://app.example.com:8443`;
});

/** A scope without wildcard. */
export const scope = form((text) => {
  if (isWildcard(text)) return 'expected a scope without wildcard';
  return isGrant(text)
    ? undefined
    : 'expected a scope of printable ASCII without spaces and quotes';
});

/** A scope, `*`, `resource:*` or `*:action`. */
export const grant = form((text) => {
  if (!isGrant(text)) return 'expected a scope of printable ASCII without spaces and quotes';
  const isSound = !text.includes('*') || text === '*' || /^(\*:[^*]+|[^*]+:\*)$/.test(text);
  return isSound ? undefined : 'a wildcard is "*", "resource:*" or "*:action"';
});

export const keyHash = form((text) =>
  parseKeyHash(text) === undefined ? 'expected "sha256:" and 64 lower-case hex digits' : undefined,
);

export const method = z
  .string()
  .regex(/^[A-Z][A-Z-]{0,31}$/, 'expected a method in capitals such as GET');

/** A count that a limit takes. */
export const count = z.int().min(1);

const judgePath = (text: string) =>
  text.split('.').includes('') ? 'expected a property path such as user.email' : undefined;

/** Where a claim stands: `user.email`, or its path segments. */
export const claimPath = z.union([form(judgePath), z.array(z.string().min(1)).min(1)]);

/** A property path as the key of a map. */
export const propertyPath = form(judgePath);

/** Domains, and whether the header may be missing. */
export function origins() {
  return z.union([
    z.array(origin),
    strict({
      allow: key(z.array(origin), 'Domains and origins that are allowed.'),
      missing: key(
        z.enum(['allow', 'deny']).default('allow'),
        'Whether a request without the header passes.',
      ),
    }),
  ]);
}
