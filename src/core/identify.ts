import { type ApiKey, hashKey, judgeKey, type Prefix, shownPrefix } from './api-key.ts';
import { type Credential, findCredentials } from './credential.ts';
import { type Deny, deny, type ExposedKey } from './decision.ts';
import { keyScopes } from './grant.ts';
import type { Access, Policy, Route } from './policy.ts';
import type { Answer, FoundKey, Owner, Ports } from './ports.ts';
import { ANONYMOUS, type Principal } from './principal.ts';
import type { Request } from './request.ts';
import { cutRoles, extendRoles, type Roles } from './role.ts';
import { cutGrants } from './scope.ts';
import { type Issuer, tokenPrincipal } from './token.ts';

type Judged = Principal | Deny;
type Credentials = Extract<Access, { kind: 'credentials' }>;

/** What a credential is judged by. */
export type Inquiry = {
  readonly ports: Ports;
  readonly policy: Policy;
  readonly route: Route;
  readonly nowMs: number;
};

/** Finds out who calls: on a public route nobody is asked, elsewhere the route says what it takes. */
export function identify(inquiry: Inquiry, request: Request): Answer<Judged> {
  const { access } = inquiry.route;
  if (access.kind === 'public') return ANONYMOUS;
  const credentials = findCredentials(inquiry.policy, request);
  if ('kind' in credentials) return credentials;
  const [first, second] = credentials;
  if (!first) return access.anonymous ? ANONYMOUS : deny('identify', 'missing_credential');
  if (!second) return identifyOne(inquiry, access, first);
  if (credentials.length > 2 || !access.both) return deny('identify', 'duplicate_credential');
  return identifyBoth(inquiry, first, second);
}

async function identifyOne(
  inquiry: Inquiry,
  access: Credentials,
  credential: Credential,
): Promise<Judged> {
  const principal = await judgeCredential(inquiry, access, credential);
  if (principal.kind === 'deny') return principal;
  const isTaken = principal.kind === 'api_key' ? access.apiKey : access.jwt;
  if (isTaken) return principal;
  return deny('identify', access.both ? 'missing_credential' : 'credential_not_accepted');
}

/** A key and a token together: the key gives workspace and plan, the token the user. */
async function identifyBoth(inquiry: Inquiry, one: Credential, other: Credential): Promise<Judged> {
  const [keyLike, tokenLike] = isKeyLike(one) ? [one, other] : [other, one];
  if (one.kind === 'malformed' || other.kind === 'malformed') {
    return deny('identify', 'malformed_credential');
  }
  if (!isKeyLike(keyLike) || isKeyLike(tokenLike)) return deny('identify', 'duplicate_credential');
  const access = { jwt: true, apiKey: true };
  const key = await judgeCredential(inquiry, access, keyLike);
  if (key.kind === 'deny') return key;
  const token = await judgeCredential(inquiry, access, tokenLike);
  if (token.kind === 'deny') return token;
  const { policy } = inquiry;
  const scopes = commonScopes(policy, key, token);
  const roles = [...new Set([...key.roles, ...token.roles])];
  return {
    ...token,
    key: key.key,
    prefix: key.prefix,
    workspace: key.workspace,
    team: key.team,
    plan: key.plan ?? token.plan,
    environment: key.environment ?? token.environment,
    judgedEnvironments: [...key.judgedEnvironments, ...token.judgedEnvironments],
    scopes,
    roles: cutRoles(roles, scopes, policy.roles, policy.catalogue),
  };
}

/** What both may do; a side that does not speak of scopes or roles leaves the question to the other. */
function commonScopes(policy: Policy, key: Principal, token: Principal): readonly string[] {
  if (!token.isScoped) return key.scopes;
  if (!key.isScoped) return token.scopes;
  return cutGrants(key.scopes, token.scopes, policy.catalogue);
}

function isKeyLike(credential: Credential): boolean {
  return credential.kind === 'key' || credential.kind === 'bad_key';
}

function judgeCredential(
  inquiry: Inquiry,
  access: Pick<Credentials, 'apiKey' | 'jwt'>,
  credential: Credential,
): Answer<Judged> {
  switch (credential.kind) {
    case 'malformed':
      return deny('identify', 'malformed_credential');
    case 'bad_key':
      return deny('identify', 'unknown_key');
    case 'stray':
      return deny('identify', access.apiKey && !access.jwt ? 'unknown_key' : 'token_invalid');
    case 'key':
      return identifyKey(inquiry, credential.text, credential.prefix);
    case 'token':
      return identifyToken(inquiry, credential.text, credential.issuers);
  }
}

/** The API key of a request that was refused for its plain http: it has to be taken for stolen. */
export async function findExposedKey(
  inquiry: Inquiry,
  request: Request,
): Promise<ExposedKey | undefined> {
  const credentials = findCredentials(inquiry.policy, request);
  if ('kind' in credentials) return undefined;
  const sent = credentials.find((one) => one.kind === 'key');
  if (!sent) return undefined;
  const found = await findKey(inquiry, sent.text);
  return { shown: shownPrefix(sent.prefix.prefix, sent.text), id: found?.key.id };
}

async function identifyKey(inquiry: Inquiry, text: string, prefix: Prefix): Promise<Judged> {
  const found = await findKey(inquiry, text);
  if (!found) return deny('identify', 'unknown_key');
  const { key } = found;
  const { policy, ports, nowMs } = inquiry;
  const owner = key.kind === 'personal' ? await findOwner(ports, key) : undefined;
  if (owner && !owner.active && (key.status !== 'revoked' || key.lostOwner)) {
    return deny('identify', 'owner_deactivated', { key });
  }
  const refusal = judgeKey(found, policy.keyRules, nowMs);
  if (refusal) return refusal;
  if (prefix.environment && key.environment && prefix.environment !== key.environment) {
    return deny('identify', 'wrong_environment', { key });
  }
  const roles = await findRoles(inquiry, key, owner);
  return keyPrincipal({ catalogue: policy.catalogue, roles }, key, prefix, owner);
}

function findOwner(ports: Ports, { owner, workspace }: ApiKey): Answer<Owner | undefined> {
  return owner === undefined ? undefined : ports.findOwner({ workspace, id: owner });
}

/** The policy's roles; with the custom ones of the key's workspace where the policy lacks a role that is named. */
async function findRoles(
  { ports, policy }: Pick<Inquiry, 'ports' | 'policy'>,
  key: ApiKey,
  owner: Owner | undefined,
): Promise<Roles> {
  const { roles, catalogue } = policy;
  const isDeclared = (name: string) => roles.byName.has(name);
  if (key.roles.every(isDeclared) && (owner?.roles.every(isDeclared) ?? true)) return roles;
  return extendRoles(roles, await ports.findRoles(key.workspace), catalogue);
}

/** The key that a text is, declared in the policy or stored; its states are not judged. */
function findKey(
  { ports, policy }: Pick<Inquiry, 'ports' | 'policy'>,
  text: string,
): Answer<FoundKey | undefined> {
  const hash = hashKey(text);
  return policy.declaredKeys.get(hash) ?? ports.findKey(hash);
}

function keyPrincipal(
  policy: Pick<Policy, 'catalogue' | 'roles'>,
  key: ApiKey,
  prefix: Prefix,
  owner: Owner | undefined,
): Principal {
  const scopes = keyScopes(policy, key, prefix, owner);
  const environment = key.environment ?? prefix.environment;
  return {
    kind: 'api_key',
    username: key.username,
    subject: key.owner ?? key.id,
    workspace: key.workspace,
    team: key.team,
    scopes,
    isScoped: key.scopes.length > 0 || key.roles.length > 0,
    roles: cutRoles(key.roles, scopes, policy.roles, policy.catalogue),
    roleBook: policy.roles,
    plan: key.plan,
    environment,
    judgedEnvironments: [environment],
    key,
    prefix,
  };
}

async function identifyToken(
  { ports, policy, route, nowMs }: Inquiry,
  text: string,
  readers: readonly Issuer[],
): Promise<Judged> {
  const token = await ports.verifyToken(text, preferred(readers, route), nowMs);
  if (token.kind === 'deny') return token;
  if (route.issuers && !route.issuers.has(token.issuer.name)) {
    return deny('identify', 'token_issuer');
  }
  const principal = tokenPrincipal(token, policy.catalogue, policy.roles);
  return principal ?? deny('identify', 'token_invalid', { detail: 'no usable username' });
}

/** The issuers that read a place, the ones that the route accepts first. */
function preferred(readers: readonly Issuer[], route: Route): readonly Issuer[] {
  const { issuers } = route;
  if (!issuers || readers.length < 2) return readers;
  const accepted = readers.filter((issuer) => issuers.has(issuer.name));
  return [...accepted, ...readers.filter((issuer) => !issuers.has(issuer.name))];
}
