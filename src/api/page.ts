import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Actor } from '../core/actor.ts';
import type { Page, PageRequest } from '../core/record-store.ts';
import { type Fault, fault } from './fault.ts';
import type { Answer, Call } from './row.ts';

const LIMIT_MAX = 200;

/** The query parameters of every list; spread them into a row's query schema. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, 'expected a number from 1 to 200')
    .transform(Number)
    .refine((limit) => limit <= LIMIT_MAX, 'expected a number from 1 to 200')
    .prefault('50')
    .meta({ description: 'Items on a page, 1 to 200.', type: 'integer' }),
  cursor: z
    .string()
    .max(2048)
    .optional()
    .meta({ description: 'next_cursor of the page before, under the same filters.' }),
};

type PageQuery = { readonly limit: number; readonly cursor?: string | undefined };

/** What a list shows: declared objects first, each by `show`, then stored ones page by page. */
export type Listing<T, D extends object = object> = {
  /** Shown before anything stored; already filtered. */
  readonly declared: readonly D[];
  /** Undefined: they are shown as they are. */
  readonly showDeclared?: (item: D) => object;
  readonly stored: (page: PageRequest) => Promise<Page<T>>;
  readonly show: (item: T) => object;
};

/** A place in a list: how many declared items were shown, or the item of the store that was the last. */
type Place = { readonly declared: number; readonly after?: string | undefined };

const PLACE = z.strictObject({
  filters: z.string(),
  declared: z.int().min(0),
  after: z.string().min(1).max(1024).optional(),
});

/** The schema of a page, for a row's answers. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.strictObject({ data: z.array(item), next_cursor: z.string().nullable() });
}

/** Answers one page of a list, with a `Link` to the next (RFC 8288). */
export async function answerPage<T, D extends object = object>(
  call: Call<PageQuery>,
  listing: Listing<T, D>,
): Promise<Answer | Fault> {
  const filters = filtersOf(call);
  const place = readCursor(call.query.cursor, filters);
  if (!place) return fault('malformed_cursor');
  const { limit } = call.query;
  const declared = listing.declared.slice(place.declared, place.declared + limit);
  const room = limit - declared.length;
  const page: Page<T> =
    room > 0 ? await listing.stored({ limit: room, after: place.after }) : { items: [] };
  const { show, showDeclared = (item: D) => item } = listing;
  const data = [...declared.map(showDeclared), ...page.items.map(show)];
  const isMore = room === 0 || page.next !== undefined;
  const next = isMore && { declared: place.declared + declared.length, after: page.next };
  const cursor = next ? writeCursor(next, filters) : null;
  const headers = cursor === null ? undefined : { link: linkTo(call.url, cursor) };
  return { status: 200, body: { data, next_cursor: cursor }, headers };
}

/**
 * The workspace that a list shows: what the actor asks for among what it sees. `nothing` when it asks for
 * another workspace than its own, whose objects do not exist for it.
 */
export function listedWorkspace(
  actor: Actor,
  asked: string | undefined,
): { readonly workspace?: string | null | undefined } | 'nothing' {
  if (actor.kind === 'admin') return { workspace: asked };
  if (asked !== undefined && asked !== actor.workspace) return 'nothing';
  return { workspace: actor.workspace ?? null };
}

/** A list of nothing. */
export const NOTHING: Answer = { status: 200, body: { data: [], next_cursor: null } };

/** A digest of the list and its filters, so that a cursor serves no other list. */
function filtersOf({ url, actor }: Pick<Call, 'url' | 'actor'>): string {
  const asked = [...url.searchParams].filter(([name]) => name !== 'cursor' && name !== 'limit');
  const workspace = actor.kind === 'admin' ? '*' : (actor.workspace ?? '');
  const text = JSON.stringify([url.pathname, workspace, asked.sort()]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

function readCursor(cursor: string | undefined, filters: string): Place | undefined {
  if (cursor === undefined) return { declared: 0 };
  try {
    const parsed = PLACE.safeParse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    return parsed.success && parsed.data.filters === filters ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

function writeCursor(place: Place, filters: string): string {
  return Buffer.from(JSON.stringify({ filters, ...place })).toString('base64url');
}

function linkTo(url: URL, cursor: string): string {
  const next = new URL(url);
  next.searchParams.set('cursor', cursor);
  return `<${next.pathname}${next.search}>; rel="next"`;
}
