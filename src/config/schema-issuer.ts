import * as z from 'zod';
import {
  claimPath,
  credentialHeader,
  duration,
  form,
  grant,
  headerName,
  key,
  line,
  oneOrMore,
  parameterName,
  strict,
} from '../schema/text.ts';
import { judgeIssuerUrl, judgeKeyLocation } from './location.ts';

/** Signature algorithms by family; a secret goes with the first, public keys with the second. */
export const HMAC = ['HS256', 'HS384', 'HS512'] as const;
export const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const place = z.union([
  z.literal('bearer'),
  strict({
    header: key(credentialHeader.optional(), 'A header that holds nothing else.'),
    query: key(parameterName.optional(), 'A query parameter.'),
    cookie: key(parameterName.optional(), 'A cookie.'),
  }),
]);

const claimSource = z.union([
  claimPath,
  strict({ value: key(line, 'A constant instead of a claim.') }),
]);

const claims = strict({
  username: key(claimSource.optional(), 'A token without it is refused.', { unset: 'sub' }),
  workspace: key(claimSource.optional(), 'The workspace.', { examples: ['org_id'] }),
  client: key(claimSource.optional(), 'The OAuth client.', { unset: 'client_id, else azp' }),
  scopes: key(claimSource.optional(), 'A list, or a text with spaces between.', { unset: 'scope' }),
  roles: key(claimSource.optional(), 'A list, or a text with spaces between.'),
  plan: key(claimSource.optional(), 'Name of a plan; one the policy lacks is passed over.'),
  environment: key(claimSource.optional(), 'The environment.'),
});

export const issuer = strict({
  name: key(line.optional(), 'Label in x-auth-issuer and the audit log; unique.', {
    unset: 'the issuer, else issuer-N',
  }),
  issuer: key(
    form(judgeIssuerUrl).optional(),
    'Required iss. Without it the entry judges tokens whose iss no other entry names.',
    { examples: ['https://id.example.com'] },
  ),
  audience: key(oneOrMore(line).optional(), 'Accepted aud, one or several.', {
    unset: 'any, with a warning',
  }),
  secret: key(
    oneOrMore(z.string()).optional(),
    'Shared secret of at least 32 bytes, or several for rotation.',
    { examples: ['${JWT_SECRET}'] },
  ),
  encoding: key(z.enum(['utf8', 'base64']).default('utf8'), 'How the secret is written.'),
  jwks: key(
    oneOrMore(form(judgeKeyLocation)).optional(),
    'Key sets, tried in order: https:, file:, and http: for loopback only.',
    { unset: 'OpenID discovery from issuer' },
  ),
  algorithms: key(
    z
      .array(z.enum([...HMAC, ...ASYMMETRIC]))
      .min(1)
      .optional(),
    'Accepted algorithms, of one family.',
    { unset: 'HS256 for a secret, else RS256 ES256 EdDSA' },
  ),
  require_exp: key(z.boolean().default(true), 'Refuse a token without exp.'),
  max_age: key(duration.optional(), 'Longest time from iat to exp.', { unset: 'any' }),
  clock_tolerance: key(duration.or(z.literal('0s')).default('5s'), 'How far clocks may differ.'),
  typ: key(line.optional(), 'Required typ header.', { examples: ['at+jwt'] }),
  read_from: key(z.array(place).min(1).default(['bearer']), 'Where its tokens may stand.'),
  claims: key(
    claims.default({}),
    'Where the facts stand: a property path, a list of path segments, or {value: X}.',
    { examples: [{ username: 'user.email' }] },
  ),
  max_scopes: key(z.array(grant).optional(), 'Ceiling for the scopes its tokens claim.', {
    unset: 'none',
  }),
  max_roles: key(z.array(z.string()).optional(), 'Ceiling for the roles its tokens claim.', {
    unset: 'none',
  }),
  headers: key(
    z.record(headerName, claimPath).default({}),
    'Claims handed upstream: header name to property path.',
    { examples: [{ 'x-auth-department': 'user.department' }] },
  ),
});
