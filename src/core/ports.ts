import type { ApiKey, KeyHash } from './api-key.ts';
import type { FailureBook } from './failures-book.ts';
import type { LimitGroup, Receipt, Taken, Usage } from './limit.ts';
import type { Workspace } from './policy.ts';
import type { RecordName } from './record-store.ts';
import type { RoleDefinition } from './role.ts';
import type { Issuer, TokenAnswer } from './token.ts';

/** An answer that a port may have at hand or may have to fetch; a rejection means the port failed. */
export type Answer<T> = T | Promise<T>;

/** What the owner of a personal key may do now. */
export type Owner = {
  readonly active: boolean;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
};

/** A key found by the hash of one of its secrets; `until` is the end of a rotated one (epoch ms). */
export type FoundKey = {
  readonly key: ApiKey;
  readonly until?: number | undefined;
};

/** Finds the key of a hash; undefined when nobody holds it. O(1). */
export type FindKey = (hash: KeyHash) => Answer<FoundKey | undefined>;

/** Finds a workspace by id. */
export type FindWorkspace = (id: string) => Answer<Workspace | undefined>;

/** Finds the user that owns a personal key; undefined for one that no store knows, and then nothing cuts the key. */
export type FindOwner = (name: RecordName) => Answer<Owner | undefined>;

/** The custom roles of a workspace, by name. The same object as long as none of them changes. */
export type FindRoles = (
  workspace: string | undefined,
) => Answer<ReadonlyMap<string, RoleDefinition> | undefined>;

/**
 * Verifies a token's form, issuer, signature, times and audience against `issuers`, in order.
 * Rejects when the keys to judge it by cannot be had.
 */
export type VerifyToken = (
  token: string,
  issuers: readonly Issuer[],
  nowMs: number,
) => Answer<TokenAnswer>;

/** Checks and takes all groups in one atomic step, all or nothing. */
export type TakeLimits = (groups: readonly LimitGroup[], nowMs: number) => Answer<Taken>;

/** Corrects what a receipt was charged, once the cost is known; 0 gives everything back. */
export type SettleLimits = (receipt: Receipt, cost: number) => Answer<void>;

/** Tells how groups stand without taking anything; each usage as a caller would see it before a request. */
export type ReadLimits = (groups: readonly LimitGroup[], nowMs: number) => Answer<readonly Usage[]>;

/** The outside world, on one page. */
export type Ports = {
  readonly findKey: FindKey;
  readonly findWorkspace: FindWorkspace;
  readonly findOwner: FindOwner;
  readonly findRoles: FindRoles;
  readonly verifyToken: VerifyToken;
  readonly takeLimits: TakeLimits;
  /** Gives back what was taken for a request that was answered before; without it, it stays taken. */
  readonly settleLimits?: SettleLimits | undefined;
  /** What this process remembers of failed authentications; without it, no rule counts them and nobody is held back. */
  readonly failures?: FailureBook | undefined;
};

/** A port failed or was late: the request cannot be judged at the moment. */
export class PortFailure extends Error {
  override readonly name = 'PortFailure';
}

/** The same ports, each wrapped as a function of its name and itself says. */
export function wrapPorts(ports: Ports, wrap: WrapPort): Ports {
  return {
    findKey: wrap('findKey', ports.findKey),
    findWorkspace: wrap('findWorkspace', ports.findWorkspace),
    findOwner: wrap('findOwner', ports.findOwner),
    findRoles: wrap('findRoles', ports.findRoles),
    verifyToken: wrap('verifyToken', ports.verifyToken),
    takeLimits: wrap('takeLimits', ports.takeLimits),
    settleLimits: ports.settleLimits && wrap('settleLimits', ports.settleLimits),
    failures: ports.failures,
  };
}

type WrapPort = <A extends readonly unknown[], T>(
  name: keyof Ports,
  port: (...args: A) => Answer<T>,
) => (...args: A) => Answer<T>;

/** The same ports, whose every failure is a `PortFailure` that names the port. */
export function guardPorts(ports: Ports): Ports {
  return wrapPorts(ports, guardPort);
}

/** The same function, whose every failure, thrown or rejected, is a `PortFailure` that names it. */
export function guardPort<A extends readonly unknown[], T>(
  name: string,
  port: (...args: A) => Answer<T>,
): (...args: A) => Answer<T> {
  const fail = (cause: unknown): never => {
    throw new PortFailure(`the port ${name} failed`, { cause });
  };
  return (...args) => {
    try {
      const answer = port(...args);
      return answer instanceof Promise ? answer.catch(fail) : answer;
    } catch (cause) {
      return fail(cause);
    }
  };
}
