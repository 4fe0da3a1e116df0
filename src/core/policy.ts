import type { Address, AddressSet } from './address.ts';
import type { AlertRules } from './alert.ts';
import type { ApiKey, KeyHash, KeyRules, Prefix } from './api-key.ts';
import type { ReadPlace } from './credential.ts';
import type { Reason } from './decision.ts';
import type { Figures } from './limit.ts';
import type { OriginSet, RefererRule } from './origin.ts';
import type { Roles } from './role.ts';
import type { Catalogue } from './scope.ts';
import type { Spelling } from './target.ts';
import type { ClaimSource, Issuer } from './token.ts';
import type { StripPlan } from './upstream.ts';
import type { Written } from './written.ts';

/** How the client's address is found behind proxies; mirrors Envoy's `xff_num_trusted_hops`. */
export type ClientIp =
  | { readonly kind: 'peer' }
  | { readonly kind: 'trusted_hops'; readonly hops: number }
  | { readonly kind: 'xff_from_right'; readonly position: number };

/** What a route takes: public is exclusive, so a public route cannot hold a credential rule. */
export type Access =
  | { readonly kind: 'public' }
  | {
      readonly kind: 'credentials';
      readonly apiKey: boolean;
      readonly jwt: boolean;
      readonly anonymous: boolean;
      /** An API key and a token together. */
      readonly both: boolean;
    };

export const CREDENTIAL_KINDS = ['api_key', 'jwt', 'anonymous'] as const;
export type CredentialKind = (typeof CREDENTIAL_KINDS)[number];

export const SUBJECTS = ['workspace', 'username', 'key', 'client', 'ip'] as const;
/** What a limit counts against; a principal without it falls to the next. */
export type SubjectKind = (typeof SUBJECTS)[number];

/** A plan; each kind of credential has its own figures where the policy says so. */
export type Plan = {
  readonly name: string;
  readonly by?: SubjectKind | undefined;
  readonly figures: { readonly [kind in CredentialKind]: Figures };
  /** The uncompiled figures, for workspaces that override some. */
  readonly written: { readonly [kind in CredentialKind]: WrittenFigures };
};

/** Figures as a policy writes them. */
export type WrittenFigures = {
  readonly per_second?: number | undefined;
  readonly per_minute?: number | undefined;
  readonly per_hour?: number | undefined;
  readonly per_day?: number | undefined;
  readonly per_month?: number | undefined;
  readonly burst?: number | undefined;
  readonly quota?: { readonly requests: number; readonly per: 'day' | 'month' } | undefined;
};

export type Workspace = {
  readonly id: string;
  readonly slug?: string | undefined;
  readonly plan?: string | undefined;
  readonly status: 'active' | 'suspended' | 'past_due';
  readonly allowedIps?: AddressSet | undefined;
  readonly overrides?: WrittenFigures | undefined;
  /** Plan name to its figures under this workspace's overrides; a stored workspace has none of them compiled. */
  readonly overridden?: ReadonlyMap<string, Plan> | undefined;
};

export type RouteLimit = {
  readonly name: string;
  readonly by: SubjectKind;
  /** `refused`: counts 401s only. */
  readonly on: 'all' | 'refused';
  readonly figures: Figures;
};

export type Cors = {
  /** `keys`: any well-formed Origin may ask, the key's own origins decide. */
  readonly origins: OriginSet | 'keys';
  /** Values of the response headers, joined at load; undefined mirrors what the preflight asks. */
  readonly methods: string | undefined;
  readonly headers: string;
  readonly expose: string;
  readonly credentials: boolean;
  readonly maxAgeSeconds?: number | undefined;
};

export type ClaimRule = { readonly source: ClaimSource; readonly accepted: readonly unknown[] };

/** `star`: any one segment; `workspace`: one that must be the principal's workspace. */
export type Segment = string | { readonly any: 'star' | 'workspace' };

export type PathPattern = {
  readonly segments: readonly Segment[];
  /** Ends in `/**`: the path itself and everything below. */
  readonly below: boolean;
};

export type HostPattern = {
  readonly labels: readonly Segment[];
  /** `*.example.com`: one or more labels before. */
  readonly subdomains: boolean;
  readonly port: string;
};

/** Scopes demanded by method; `other` for methods that are not listed. */
export type MethodScopes = {
  readonly byMethod: ReadonlyMap<string, readonly string[]>;
  readonly other: readonly string[];
};

export type Route = {
  readonly name: string;
  readonly host?: HostPattern | undefined;
  readonly paths: readonly PathPattern[];
  /** Undefined: any but CONNECT and TRACE. */
  readonly methods?: ReadonlySet<string> | undefined;
  readonly context: readonly (readonly [string, string])[];
  readonly access: Access;
  /** Accepted issuers, and after them the others, so that a token of another issuer gets its own reason. */
  readonly issuers?: ReadonlySet<string> | undefined;
  readonly environments?: ReadonlySet<string> | undefined;
  readonly workspaces?: ReadonlySet<string> | undefined;
  readonly scopes?: MethodScopes | undefined;
  readonly anyScope?: readonly string[] | undefined;
  readonly role?: string | undefined;
  readonly claims: readonly ClaimRule[];
  readonly ips?: AddressSet | undefined;
  readonly referers?: RefererRule | undefined;
  readonly cors?: Cors | undefined;
  /** `none`: no plan limits; undefined: the principal's plan. */
  readonly plan?: Plan | 'none' | undefined;
  readonly limits: readonly RouteLimit[];
  readonly cost: number;
  readonly httpsOnly: boolean;
  readonly audit: AuditEvents;
  /** Every use raises an alert. */
  readonly isSensitive: boolean;
  readonly stripCredentials: boolean;
  /** Constant headers to upstream; names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly pathAllow: ReadonlySet<Spelling>;
  /** The scheme of the 401 challenge: `Bearer`, or `ApiKey` where no Bearer is read. */
  readonly challenge: 'Bearer' | 'ApiKey';
};

export type AuditEvents = 'all' | 'refusals' | 'none';

export const IDENTITY_FIELDS = [
  'username',
  'subject',
  'method',
  'key_id',
  'workspace',
  'team',
  'client',
  'scopes',
  'roles',
  'plan',
  'environment',
  'issuer',
] as const;
export type IdentityField = (typeof IDENTITY_FIELDS)[number];

export type Upstream = {
  /** In canonical form (`canonicalName`), `x-auth-`. */
  readonly prefix: string;
  /** Header name of each identity field, lower case. */
  readonly names: { readonly [field in IdentityField]: string };
  /** Every name Postern may set outside the prefix, in canonical form, so that a client's copy is removed. */
  readonly owned: ReadonlySet<string>;
};

export type Errors = {
  readonly docs?: string | undefined;
  readonly messages: ReadonlyMap<Reason, string>;
  readonly unmatched: 403 | 404;
  readonly resourceMetadata?: string | undefined;
};

/** Who is blocked; `untilMs` undefined means for good. */
export type Blocks = {
  readonly addresses: readonly {
    readonly set: AddressSet;
    readonly untilMs?: number | undefined;
  }[];
  /** `key`, `username`, `workspace`, `client` and a value, joined by a line feed, to the end of the block. */
  readonly principals: ReadonlyMap<string, number | undefined>;
};

/** A whole policy, compiled: nothing on the request path reads configuration again. */
export type Policy = {
  readonly product: string;
  /** Short hash of the policy's source, for metadata and audit. */
  readonly hash: string;
  readonly clientIp: ClientIp;
  readonly caseInsensitivePaths: boolean;
  readonly routes: readonly Route[];
  /** Candidates by first path segment, in policy order; `''` holds those that match any. */
  readonly routesBySegment: ReadonlyMap<string, readonly Route[]>;
  readonly prefixes: readonly Prefix[];
  readonly browser: 'allow' | 'flag' | 'deny';
  readonly declaredKeys: ReadonlyMap<KeyHash, DeclaredKey>;
  readonly places: readonly ReadPlace[];
  readonly strip: StripPlan;
  /** What is audited where no route was found. */
  readonly audit: AuditEvents;
  readonly issuers: readonly Issuer[];
  readonly catalogue: Catalogue;
  readonly roles: Roles;
  readonly plans: ReadonlyMap<string, Plan>;
  readonly defaultPlan?: Plan | undefined;
  readonly limitBy: SubjectKind;
  readonly workspaces: ReadonlyMap<string, Workspace>;
  readonly blocks: Blocks;
  readonly upstream: Upstream;
  readonly errors: Errors;
  readonly rateLimitHeaders: { readonly legacy: boolean; readonly ietf: boolean };
  readonly mask: { readonly username: boolean; readonly address: boolean };
  readonly keyRules: KeyRules;
  /** What happens to a key that a secret scanner found, and who may report it; undefined: nobody. */
  readonly leaked?: Leaked | undefined;
  readonly alerts: AlertRules;
  /** How long the store keeps audit events. */
  readonly auditKeepMs: number;
  /** The parts that the management API shows, as they are written. */
  readonly written: Written;
};

export type Leaked = {
  readonly action: 'revoke' | 'flag';
  /** Where the public keys of the reporter stand: a URL or a file, as of `jwks`. */
  readonly publicKeys: string;
};

/** A key declared in the policy; a secret that was rotated out ends at `untilMs`. */
export type DeclaredKey = { readonly key: ApiKey; readonly until?: number | undefined };

export type { Address };
