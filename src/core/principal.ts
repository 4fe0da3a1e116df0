import type { ApiKey, Prefix } from './api-key.ts';
import type { Roles } from './role.ts';
import type { Claims, Issuer } from './token.ts';

/** Who calls, by whatever credential: what rules, limits, upstream and audit need of a caller. */
export type Principal = {
  readonly kind: 'api_key' | 'jwt' | 'anonymous';
  readonly username?: string | undefined;
  readonly subject?: string | undefined;
  readonly workspace?: string | undefined;
  readonly team?: string | undefined;
  readonly client?: string | undefined;
  /** Effective scopes: grants, which may be wildcards. */
  readonly scopes: readonly string[];
  /** Whether the credential itself speaks of scopes or roles, before any ceiling cut them. */
  readonly isScoped: boolean;
  /** Roles that the effective scopes cover. */
  readonly roles: readonly string[];
  /** The roles that it may name: the policy's, and the custom ones of its workspace. */
  readonly roleBook?: Roles | undefined;
  readonly plan?: string | undefined;
  /** What its limits and its upstream are told. */
  readonly environment?: string | undefined;
  /** What a route's `environments` judges: the key's, and the token's where its issuer maps one. */
  readonly judgedEnvironments: readonly (string | undefined)[];
  readonly key?: ApiKey | undefined;
  /** The prefix that the key was sent with. */
  readonly prefix?: Prefix | undefined;
  readonly issuer?: Issuer | undefined;
  readonly claims?: Claims | undefined;
};

export const ANONYMOUS: Principal = {
  kind: 'anonymous',
  scopes: [],
  isScoped: false,
  roles: [],
  judgedEnvironments: [],
};
