import { isTokenShaped, type ParsedKey, type Prefix, parseKey } from './api-key.ts';
import { type Deny, deny } from './decision.ts';
import type { Policy } from './policy.ts';
import { cookieValues, queryValues } from './query.ts';
import type { Request } from './request.ts';
import type { Issuer } from './token.ts';

/** Where a credential may stand. Header and cookie names: headers in lower case, cookies as written. */
export type Place =
  | { readonly kind: 'bearer' }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string };

/** A place and who reads it: API keys, or the tokens of these issuers. */
export type ReadPlace = Place & {
  readonly keys: boolean;
  readonly issuers: readonly Issuer[];
};

/** A credential found in a request and what it looks like; `stray` is well formed and looks like neither. */
export type Credential =
  | { readonly kind: 'key'; readonly text: string; readonly prefix: Prefix }
  | { readonly kind: 'bad_key' }
  | { readonly kind: 'token'; readonly text: string; readonly issuers: readonly Issuer[] }
  | { readonly kind: 'stray' }
  | { readonly kind: 'malformed' };

const CREDENTIAL_BYTES_MAX = 8192;
const VISIBLE_ASCII = /^[\x21-\x2b\x2d-\x7e]+$/;

/** Finds every credential in a request, in any place where one may stand; two values in one place are refused. */
export function findCredentials(policy: Policy, request: Request): readonly Credential[] | Deny {
  const credentials: Credential[] = [];
  for (const place of policy.places) {
    const texts = valuesAt(place, request);
    const [text] = texts;
    if (text === undefined) continue;
    if (texts.length > 1 || holdsTwo(text)) return deny('identify', 'duplicate_credential');
    credentials.push(classify(place, text, policy.prefixes));
  }
  return credentials;
}

/** The texts that stand in one place; an empty text is a credential too, and a malformed one. */
function valuesAt(place: ReadPlace, request: Request): readonly string[] {
  switch (place.kind) {
    case 'bearer':
      return bearerValues(request.headers.get('authorization') ?? []);
    case 'header':
      return request.headers.get(place.name) ?? [];
    case 'query':
      return request.target.query === undefined
        ? []
        : queryValues(request.target.query, place.name);
    case 'cookie':
      return cookieValues(request.headers.get('cookie') ?? [], place.name);
  }
}

/** The tokens of Authorization lines (RFC 6750 section 2.1). Other schemes alone are not ours. */
function bearerValues(lines: readonly string[]): readonly string[] {
  const [line] = lines;
  if (line === undefined) return [];
  if (lines.length > 1) return lines;
  const scheme = line.slice(0, 7).toLowerCase();
  if (scheme === 'bearer') return [''];
  if (scheme.trimEnd() === 'bearer' && scheme.length === 7) return [line.slice(7).trim()];
  return /,\s*bearer(?:\s|$)/i.test(line) ? [line, line] : [];
}

/** Whether Envoy joined two lines into one; a text that is too long is looked at no further. */
function holdsTwo(text: string): boolean {
  return text.length <= CREDENTIAL_BYTES_MAX && text.includes(',');
}

function classify(place: ReadPlace, text: string, prefixes: readonly Prefix[]): Credential {
  if (text.length > CREDENTIAL_BYTES_MAX || !VISIBLE_ASCII.test(text)) return { kind: 'malformed' };
  const parsed: ParsedKey = place.keys ? parseKey(text, prefixes) : { kind: 'none' };
  if (parsed.kind === 'key') return { kind: 'key', text, prefix: parsed.prefix };
  if (parsed.kind === 'bad') return { kind: 'bad_key' };
  if (place.issuers.length === 0) return { kind: 'bad_key' };
  if (place.keys && !isTokenShaped(text)) return { kind: 'stray' };
  return { kind: 'token', text, issuers: place.issuers };
}
