import type * as z from 'zod';
import type { Actor } from '../core/actor.ts';
import type { Deny } from '../core/decision.ts';
import type { Policy, Workspace } from '../core/policy.ts';
import type { Principal } from '../core/principal.ts';
import type { KeptAnswer } from '../core/record-store.ts';
import type { Fault } from './fault.ts';
import type { ApiParts } from './parts.ts';

/** A scope of Postern itself, or what stands in its place for a row that needs none. */
export type Need =
  | `${'api_keys' | 'workspaces' | 'users'}:${'read' | 'write'}`
  | 'audit:read'
  /** Any sound credential. */
  | 'any';

/** What a handler answers. `etag` is the version of what the body shows. */
export type Answer = {
  readonly status: 200 | 201 | 204;
  readonly body?: object | undefined;
  /** A page for people, in place of a body. */
  readonly html?: string | undefined;
  readonly etag?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
};
export type Outcome = Answer | Fault | Deny;

/** An answer that is kept under an Idempotency-Key. */
export type Idempotency = {
  /** Seals an answer, to be committed with the change that it tells of. */
  readonly seal: (answer: Answer) => KeptAnswer;
  /** What was kept meanwhile by another request of the same key. */
  readonly replay: () => Promise<Outcome>;
};

/** What every handler gets: one policy and one moment from beginning to end. */
export type OpenCall = {
  readonly parts: ApiParts;
  readonly policy: Policy;
  readonly nowMs: number;
  readonly requestId: string;
  /** Makes ids of events, which sort in the order in which they were made. */
  readonly makeEventId: (nowMs: number) => string;
  /** The client's address, where it is known. */
  readonly address?: string | undefined;
  /** Path and query, without the parameters in which a credential may stand. */
  readonly url: URL;
  readonly header: (name: string) => string | undefined;
  /** Empty where none was sent. */
  readonly rawBody: Uint8Array;
};

/** One authenticated request. `query` and `body` have passed the row's schemas. */
export type Call<Q = unknown, B = unknown> = OpenCall & {
  readonly actor: Actor;
  /** The gate's view of the actor, absent for the admin, and its workspace. */
  readonly principal?: Principal | undefined;
  readonly workspace?: Workspace | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Q;
  readonly body: B;
  readonly ifMatch?: number | '*' | undefined;
  readonly idempotency?: Idempotency | undefined;
};

type Described = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** `/v1/api-keys/{id}`; a parameter is 1 to 64 of `[\w.-]`, else the answer is 404. */
  readonly path: string;
  readonly tag: string;
  /** One line for the OpenAPI document. */
  readonly summary: string;
  /** The name of the operation in the OpenAPI document, unique: `createKey`. */
  readonly id: string;
  /** The statuses of success, with the schema of each body; null for none. */
  readonly answers: { readonly [status in 200 | 201 | 204]?: z.ZodType | null };
};

/** A row that a credential opens. */
export type GuardedRow = Described & {
  readonly scope: Need;
  readonly query?: z.ZodObject | undefined;
  readonly body?: z.ZodType | undefined;
  /** Whether the body may be missing; it is then read as `{}`. */
  readonly isBodyOptional?: boolean | undefined;
  /** Whether the row takes an Idempotency-Key. */
  readonly isIdempotent?: boolean | undefined;
  /** Whether the row takes If-Match. */
  readonly isConditional?: boolean | undefined;
  /** `gate`: refusals look as the gate's, by Accept; else they are problems. */
  readonly refusals?: 'gate' | undefined;
  readonly handle: (call: Call) => Promise<Outcome>;
};

/** A row without a credential: open to everybody, or to who signs the body. */
export type OpenRow = Described & {
  readonly scope: 'open' | 'signature';
  /** Documents the body; the handler reads it itself. */
  readonly body?: z.ZodType | undefined;
  readonly handle: (call: OpenCall) => Promise<Outcome>;
};

export type Row = GuardedRow | OpenRow;

export function isOpenRow(row: Row): row is OpenRow {
  return row.scope === 'open' || row.scope === 'signature';
}

type Typed<Q extends z.ZodObject, B extends z.ZodType> = Omit<
  GuardedRow,
  'query' | 'body' | 'handle'
> & {
  readonly query?: Q | undefined;
  readonly body?: B | undefined;
  readonly handle: (call: Call<z.output<Q>, z.output<B>>) => Promise<Outcome>;
};

/** Declares a row whose handler is typed by the row's own schemas. */
export function row<Q extends z.ZodObject, B extends z.ZodType>(typed: Typed<Q, B>): GuardedRow {
  return typed as unknown as GuardedRow;
}
