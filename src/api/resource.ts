import type * as z from 'zod';
import { type Lost, retryLost } from './change.ts';
import { pageOf } from './page.ts';
import { type Call, type GuardedRow, type Need, type Outcome, row } from './row.ts';

type Schemas = {
  readonly shown: z.ZodType;
  /** The query of the list. */
  readonly listed: z.ZodObject;
  /** The query of the requests that name one. */
  readonly named: z.ZodObject | undefined;
  readonly draft: z.ZodType;
  readonly patch: z.ZodType;
};
type Named<S extends Schemas> = NonNullable<S['named']>;

type Reading<Q extends z.ZodObject> = {
  /** One line for the OpenAPI document. */
  readonly summary: string;
  readonly handle: (call: Call<z.output<Q>>) => Promise<Outcome>;
};
type Changing<Q, B = unknown> = {
  readonly summary: string;
  /** One attempt; it is made again when another change came between. */
  readonly handle: (call: Call<Q, B>) => Promise<Outcome | Lost>;
};

/** Something that the API creates, lists, shows, changes and deletes. */
export type Resource<S extends Schemas> = {
  /** `/v1/users` */
  readonly path: string;
  /** The parameter that names one of them: `id` makes `/v1/users/{id}`. */
  readonly param: 'id' | 'name';
  /** Plural, and singular as operations are named: `listUsers`, `createUser`. */
  readonly tag: string;
  readonly one: string;
  readonly scopes: { readonly read: Need; readonly write: Need };
  readonly schemas: S;
  readonly create: Changing<unknown, z.output<S['draft']>>;
  readonly list: Reading<S['listed']>;
  readonly show: Reading<Named<S>>;
  readonly update: Changing<z.output<Named<S>>, z.output<S['patch']>>;
  readonly remove: Changing<z.output<Named<S>>>;
};

/** The five rows of a resource. */
export function resourceRows<S extends Schemas>(resource: Resource<S>): readonly GuardedRow[] {
  return [...rowsOfAll(resource), ...rowsOfOne(resource)];
}

function rowsOfAll<S extends Schemas>(resource: Resource<S>): readonly GuardedRow[] {
  const { path, tag, one, scopes, create, list } = resource;
  const { shown, listed, draft } = resource.schemas;
  return [
    row({
      method: 'POST',
      path,
      tag,
      id: `create${one}`,
      scope: scopes.write,
      body: draft as S['draft'],
      isIdempotent: true,
      answers: { 201: shown },
      ...retried(create),
    }),
    row({
      method: 'GET',
      path,
      tag,
      id: `list${tag}`,
      scope: scopes.read,
      query: listed as S['listed'],
      answers: { 200: pageOf(shown) },
      ...list,
    }),
  ];
}

function rowsOfOne<S extends Schemas>(resource: Resource<S>): readonly GuardedRow[] {
  const { tag, one, scopes, show, update, remove } = resource;
  const { shown, named, patch } = resource.schemas;
  const common = {
    path: `${resource.path}/{${resource.param}}`,
    tag,
    query: named as Named<S> | undefined,
  };
  return [
    row({
      ...common,
      method: 'GET',
      id: `get${one}`,
      scope: scopes.read,
      answers: { 200: shown },
      ...show,
    }),
    row({
      ...common,
      method: 'PATCH',
      id: `update${one}`,
      scope: scopes.write,
      body: patch as S['patch'],
      isConditional: true,
      answers: { 200: shown },
      ...retried(update),
    }),
    row({
      ...common,
      method: 'DELETE',
      id: `delete${one}`,
      scope: scopes.write,
      isConditional: true,
      answers: { 204: null },
      ...retried(remove),
    }),
  ];
}

function retried<Q, B>({ summary, handle }: Changing<Q, B>) {
  return { summary, handle: (call: Call<Q, B>) => retryLost(call, () => handle(call)) };
}
