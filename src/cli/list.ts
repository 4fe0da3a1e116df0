import { parseTimestamp } from '../core/key-record.ts';
import { parseDuration } from '../schema/duration.ts';
import { isDone, tellRefusal } from './answer.ts';
import type { Given, Options } from './arguments.ts';
import type { Client } from './client.ts';
import { type Command, JSON_OPTION } from './command.ts';
import { CONNECTION, openClient } from './connect.ts';
import { printableJson } from './printable.ts';
import type { Filter } from './resource.ts';
import type { Session } from './session.ts';
import { type Column, isShown, openTable, type Shown } from './table.ts';
import { UsageError } from './usage.ts';

/** Options of every list. */
export const LIST_OPTIONS: Options = {
  limit: { value: 'N', help: 'how many at most (default 50)' },
  all: { help: 'all of them' },
  cursor: { value: 'CURSOR', help: 'go on from the next_cursor of a list before' },
};

/** Filters by time. */
export const BY_TIME: readonly Filter[] = [
  {
    option: 'from',
    query: 'from',
    value: '24h',
    help: 'from so long ago on, or a time',
    form: 'time',
  },
  { option: 'to', query: 'to', value: 'TIME', help: 'until so long ago, or a time', form: 'time' },
];

const PAGE = 200;
const DEFAULT_LIMIT = 50;

/** What is listed, and how it is shown. */
export type Listing = {
  readonly path: string;
  readonly filters: readonly Filter[];
  readonly columns: readonly Column[];
  /** Options of the command, for naming the wrong one. */
  readonly options: Options;
};

/** A command that lists, and does nothing else. */
export function listCommand(
  name: string,
  summary: string,
  { path, filters, columns }: Omit<Listing, 'options'>,
): Command {
  const byFilter = Object.fromEntries(filters.map(({ option, ...rest }) => [option, rest]));
  const options = { ...byFilter, ...LIST_OPTIONS, ...JSON_OPTION, ...CONNECTION };
  const listing = { path, filters, columns, options };
  return {
    name,
    summary,
    options,
    run: async (given, session) => {
      await using client = await openClient(given, session);
      return await printList(client, listing, given, session);
    },
  };
}

/** Prints a list page by page while it comes: rows under a heading, or one JSON document. */
export async function printList(
  client: Client,
  listing: Listing,
  given: Given,
  session: Session,
): Promise<number> {
  const filters = queryOf(listing.filters, given, session.now());
  const printer = given.flags.has('json') ? printJson(session) : printRows(listing, session);
  let rest = readLimit(given);
  let cursor = given.text['cursor'];
  while (rest > 0 && session.isHeard()) {
    const query = { ...filters, limit: String(Math.min(rest, PAGE)), cursor };
    const answer = await client.call('GET', listing.path, { query });
    if (!isDone(answer)) {
      const isJson = given.flags.has('json') && !printer.hasBegun();
      return tellRefusal(answer, session, { options: listing.options, isJson });
    }
    const page = readPage(answer.body);
    printer.add(page.rows);
    rest -= page.rows.length;
    if (page.next !== undefined && page.next === cursor) throw new Error('the list does not end');
    cursor = page.next;
    if (cursor === undefined) break;
  }
  printer.end(cursor);
  return 0;
}

type Printer = {
  readonly add: (rows: readonly Shown[]) => void;
  readonly end: (next: string | undefined) => void;
  readonly hasBegun: () => boolean;
};

function printRows({ columns }: Listing, session: Session): Printer {
  const table = openTable(columns, session.out);
  let count = 0;
  return {
    add: (rows) => {
      if (count + rows.length > 0) table.add(rows);
      count += rows.length;
    },
    end: (next) => {
      if (count === 0) session.err('none');
      if (next !== undefined) session.err(`the first ${count}; --all or --limit N shows more`);
    },
    hasBegun: () => count > 0,
  };
}

/** One document, whose members are printed as they come. */
function printJson(session: Session): Printer {
  let last: string | undefined;
  let hasBegun = false;
  return {
    add: (rows) => {
      for (const row of rows) {
        session.out(last === undefined ? '{"data":[' : `${last},`);
        hasBegun = true;
        last = printableJson(row, 0);
      }
    },
    end: (next) => {
      const tail = `],"next_cursor":${printableJson(next ?? null)}}`;
      session.out(last === undefined ? `{"data":[${tail}` : `${last}\n${tail}`);
    },
    hasBegun: () => hasBegun,
  };
}

function readPage(body: unknown): {
  readonly rows: readonly Shown[];
  readonly next?: string | undefined;
} {
  const data = isShown(body) ? body['data'] : undefined;
  if (!isShown(body) || !Array.isArray(data)) throw new Error('the answer is no list');
  const next = body['next_cursor'];
  return { rows: data.filter(isShown), next: typeof next === 'string' ? next : undefined };
}

function readLimit({ text, flags }: Given): number {
  const limit = text['limit'];
  if (limit === undefined) return flags.has('all') ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT;
  if (flags.has('all')) throw new UsageError('--limit and --all: give one');
  if (!/^[1-9]\d{0,8}$/.test(limit)) throw new UsageError('--limit: expected a number above zero');
  return Number(limit);
}

/** The query of filters; a duration means that long ago. */
function queryOf(filters: readonly Filter[], { text }: Given, nowMs: number) {
  const entries = filters.map(({ option, query, form }): [string, string | undefined] => {
    const value = text[option];
    if (value === undefined || form !== 'time') return [query, value];
    const ageMs = parseDuration(value);
    if (ageMs === undefined && parseTimestamp(value) === undefined) {
      throw new UsageError(`--${option}: expected a duration such as 30d, or an RFC 3339 time`);
    }
    return [query, ageMs === undefined ? value : new Date(nowMs - ageMs).toISOString()];
  });
  return Object.fromEntries(entries);
}
