import type { ApiKey, KeyHash } from './api-key.ts';
import type { LimitGroup, Receipt, Taken } from './limit.ts';
import type { Workspace } from './policy.ts';
import type { Issuer, TokenAnswer } from './token.ts';

/** An answer that a port may have at hand or may have to fetch; a rejection means the port failed. */
export type Answer<T> = T | Promise<T>;

/** What the owner of a personal key may do now. */
export type Owner = {
  readonly active: boolean;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
};

/** A stored key; `until` is the end of a rotated secret (epoch ms), `owner` stands for personal keys of known users. */
export type FoundKey = {
  readonly key: ApiKey;
  readonly until?: number | undefined;
  readonly owner?: Owner | undefined;
};

/** Finds the key of a hash; undefined when nobody holds it. O(1). */
export type FindKey = (hash: KeyHash) => Answer<FoundKey | undefined>;

/** Finds a workspace by id. */
export type FindWorkspace = (id: string) => Answer<Workspace | undefined>;

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

/** The outside world, on one page. */
export type Ports = {
  readonly findKey: FindKey;
  readonly findWorkspace: FindWorkspace;
  readonly verifyToken: VerifyToken;
  readonly takeLimits: TakeLimits;
};

/** A port failed or was late: the request cannot be judged at the moment. */
export class PortFailure extends Error {
  override readonly name = 'PortFailure';
}

/** The same ports, whose every failure is a `PortFailure` that names the port. */
export function guardPorts(ports: Ports): Ports {
  return {
    findKey: guard('findKey', ports.findKey),
    findWorkspace: guard('findWorkspace', ports.findWorkspace),
    verifyToken: guard('verifyToken', ports.verifyToken),
    takeLimits: guard('takeLimits', ports.takeLimits),
  };
}

function guard<A extends readonly unknown[], T>(
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
