import type { KeyFilter, ListedKey, Page, PageRequest } from '../../core/record-store.ts';
import { HOUR_MS } from '../batch.ts';
import { numberOf, readListedKey, textOf } from './rows.ts';
import { allOf, type Condition, type Sql } from './sql.ts';

const KEY_BY_ROW = `SELECT k.id, k.version, k.record, u.used, u.seen_ms
  FROM key k JOIN key_use u ON u.row = k.row WHERE k.row = ?`;
const SHOWN_CHARS = 2;
/** Up to so many matches of a range are sorted; where there are more, walking over the keys finds a page sooner. */
const SORTED_MAX = 20_000;
const SHOWN_INDEX = 'key_shown';
const SHOWN_FROM = `key k INDEXED BY ${SHOWN_INDEX}`;
const LAST_CHAR = '\u{10ffff}';
const MAX_ROW = Number.MAX_SAFE_INTEGER;

/** One way through the keys: tables with the index to use, conditions, and the column that numbers the keys. */
export type KeyPath = {
  readonly from: string;
  readonly conditions: readonly Condition[];
  readonly row: 'k.row' | 'u.row';
};

/** A page of keys, the newest first. Reads by an index whatever the filter, so that a page costs a page. */
export function listKeys(sql: Sql, filter: KeyFilter, page: PageRequest): Page<ListedKey> {
  const before = page.after === undefined ? MAX_ROW : rowAfter(sql, page.after);
  const wanted = page.limit + 1;
  const rows = keyPaths(sql, filter)
    .flatMap((path) => {
      const { text, params } = keyQuery(path);
      return sql.all(text, [...params, before, wanted]);
    })
    .map((row) => numberOf(row, 'row'))
    .sort((one, other) => other - one);
  const items = rows.slice(0, page.limit).flatMap((row) => readKeyAt(sql, row) ?? []);
  return { items, next: rows.length > page.limit ? items.at(-1)?.record.id : undefined };
}

/** The query of a path; two more values are the row that the page begins below and how many rows are wanted. */
export function keyQuery({ from, conditions, row }: KeyPath): Condition {
  const { text, params } = allOf([...conditions, { text: `${row} < ?`, params: [] }]);
  return {
    text: `SELECT ${row} AS row FROM ${from} WHERE ${text} ORDER BY ${row} DESC LIMIT ?`,
    params,
  };
}

/** A key by its row; undefined when it was removed. */
export function readKeyAt(sql: Sql, row: number): ListedKey | undefined {
  const found = sql.get(KEY_BY_ROW, [row]);
  return found && readListedKey(found);
}

/** Where a page begins that goes on after a key; after one that was removed, at the older ones by their ids. */
function rowAfter(sql: Sql, id: string): number {
  const at = sql.get('SELECT row FROM key WHERE id = ?', [id]);
  if (at) return numberOf(at, 'row');
  const older = sql.get('SELECT row FROM key WHERE id < ? ORDER BY id DESC LIMIT 1', [id]);
  return older ? numberOf(older, 'row') + 1 : 0;
}

/** The paths that together meet each key of a filter once. */
export function keyPaths(sql: Sql, filter: KeyFilter): readonly KeyPath[] {
  const always = keyConditions(filter);
  const whole = (index: string): readonly KeyPath[] => [
    { from: joined(`key k INDEXED BY ${index}`, filter), conditions: always, row: 'k.row' },
  ];
  if (filter.owner !== undefined) return whole('key_owner');
  const narrow = narrowPath(sql, filter, always);
  if (narrow) return [narrow];
  const shown = shownPaths(sql, filter, always);
  if (shown) return shown;
  if (filter.workspace !== undefined) return whole(workspaceIndex(filter));
  if (filter.prefix !== undefined) return prefixPaths(sql, filter, always);
  if (filter.status !== undefined) return whole('key_status');
  if (filter.kind !== undefined) return whole('key_kind');
  if (filter.environment !== undefined) return whole('key_environment');
  if (filter.unusedSinceMs !== undefined) return [{ ...unusedPath(filter), conditions: always }];
  return [{ from: 'key k NOT INDEXED', conditions: [], row: 'k.row' }];
}

function workspaceIndex({ status, kind, environment }: KeyFilter): string {
  if (status !== undefined) return 'key_workspace_status';
  if (kind !== undefined) return 'key_workspace_kind';
  return environment === undefined ? 'key_workspace' : 'key_workspace_environment';
}

/** Ranges that hold few keys: those that ended, and those that nobody used for long. */
function narrowPath(
  sql: Sql,
  filter: KeyFilter,
  conditions: readonly Condition[],
): KeyPath | undefined {
  const { status, unusedSinceMs, nowMs } = filter;
  if (unusedSinceMs !== undefined) {
    const hour = Math.floor(unusedSinceMs / HOUR_MS);
    const inRange = { text: 'u.seen_hour <= ?', params: [hour] };
    if (isNarrow(sql, 'key_use u INDEXED BY key_seen', inRange)) {
      const { from } = unusedPath(filter, 'INDEXED BY key_seen');
      return { from, conditions: [...conditions, inRange], row: 'u.row' };
    }
  }
  if (status !== 'expired') return undefined;
  const isOver = { text: "k.status = 'active' AND k.expires_ms <= ?", params: [nowMs] };
  if (!isNarrow(sql, 'key k INDEXED BY key_expires', isOver)) return undefined;
  return {
    from: joined('key k INDEXED BY key_expires', filter),
    conditions: [isOver, ...conditions],
    row: 'k.row',
  };
}

function isNarrow(sql: Sql, from: string, { text, params }: Condition): boolean {
  const counted = sql.get(
    `SELECT count(*) AS count FROM (SELECT 1 FROM ${from} WHERE ${text} LIMIT ${SORTED_MAX + 1})`,
    params,
  );
  return Number(counted?.['count']) <= SORTED_MAX;
}

/** Walks over the uses of keys, which lie close together, and meets a key itself only where it must. */
function unusedPath(filter: KeyFilter, index = 'NOT INDEXED'): Omit<KeyPath, 'conditions'> {
  const { unusedSinceMs: _, nowMs: __, ...ofKey } = filter;
  const needsKey = Object.values(ofKey).some((value) => value !== undefined);
  const key = needsKey ? ' CROSS JOIN key k ON k.row = u.row' : '';
  return { from: `key_use u ${index}${key}`, row: 'u.row' };
}

function joined(from: string, { unusedSinceMs }: KeyFilter): string {
  return unusedSinceMs === undefined ? from : `${from} CROSS JOIN key_use u ON u.row = k.row`;
}

/**
 * `key_prefix` is the prefix of a policy and two characters. There are few prefixes: where one begins with the
 * text, all its keys match; where the text goes on after it, only some of them do.
 */
function prefixPaths(
  sql: Sql,
  filter: KeyFilter,
  conditions: readonly Condition[],
): readonly KeyPath[] {
  const text = filter.prefix ?? '';
  const path = (index: string, more: Condition): KeyPath => ({
    from: joined(`key k INDEXED BY ${index}`, filter),
    conditions: [more, ...conditions],
    row: 'k.row',
  });
  return prefixesInUse(sql).flatMap((prefix) => {
    const ofPrefix = { text: 'k.prefix = ?', params: [prefix] };
    if (prefix.startsWith(text)) return [path('key_prefix', ofPrefix)];
    if (!text.startsWith(prefix)) return [];
    const isWhole = text.length === prefix.length + SHOWN_CHARS;
    const shown = isWhole
      ? { text: 'k.key_prefix = ?', params: [text] }
      : { text: 'k.key_prefix >= ? AND k.key_prefix < ?', params: [text, text + LAST_CHAR] };
    return [path(SHOWN_INDEX, allOf([ofPrefix, shown]))];
  });
}

/** The paths of a text that goes on after every prefix it begins with, where they hold few keys. */
function shownPaths(
  sql: Sql,
  filter: KeyFilter,
  conditions: readonly Condition[],
): readonly KeyPath[] | undefined {
  if (filter.prefix === undefined || filter.workspace === undefined) return undefined;
  const paths = prefixPaths(sql, filter, conditions);
  const isFew = paths.every(
    ({ from, conditions: [shown] }) =>
      shown !== undefined && from.includes(SHOWN_INDEX) && isNarrow(sql, SHOWN_FROM, shown),
  );
  return isFew ? paths : undefined;
}

/** The prefixes that keys have, each found by one step in the index. */
function prefixesInUse(sql: Sql): readonly string[] {
  const found: string[] = [];
  let next = sql.get("SELECT prefix FROM key WHERE prefix >= '' ORDER BY prefix LIMIT 1");
  while (next) {
    const prefix = textOf(next, 'prefix');
    found.push(prefix);
    next = sql.get('SELECT prefix FROM key WHERE prefix > ? ORDER BY prefix LIMIT 1', [prefix]);
  }
  return found;
}

/** What a key must fulfil, whatever the path to it. */
function keyConditions(filter: KeyFilter): readonly Condition[] {
  const equal = (column: string, value: string | null | undefined): Condition[] =>
    value === undefined ? [] : [{ text: `k.${column} = ?`, params: [value ?? ''] }];
  const { prefix, unusedSinceMs } = filter;
  return [
    ...equal('workspace', filter.workspace),
    ...equal('kind', filter.kind),
    ...equal('owner', filter.owner),
    ...equal('environment', filter.environment),
    ...statusConditions(filter),
    ...(prefix === undefined
      ? []
      : [{ text: 'substr(k.key_prefix, 1, length(?)) = ?', params: [prefix, prefix] }]),
    ...(unusedSinceMs === undefined ? [] : [{ text: 'u.seen_ms < ?', params: [unusedSinceMs] }]),
  ];
}

function statusConditions({ status, nowMs }: KeyFilter): readonly Condition[] {
  switch (status) {
    case undefined:
      return [];
    case 'expired':
      return [{ text: "k.status = 'active' AND k.expires_ms <= ?", params: [nowMs] }];
    case 'active':
      return [
        {
          text: "k.status = 'active' AND (k.expires_ms IS NULL OR k.expires_ms > ?)",
          params: [nowMs],
        },
      ];
    default:
      return [{ text: 'k.status = ?', params: [status] }];
  }
}
