import type { CounterState } from './limit.ts';
import type { KeptAnswer, Notice } from './record-store.ts';
import type { AuditEvent, RecordKind, RecordOf, StoredKey } from './records.ts';

/**
 * What a store keeps, in the order in which it is copied: whom a key belongs to comes before the key, so that no key
 * ever stands without those who cut it.
 */
export const ITEM_KINDS = [
  'setting',
  'workspace',
  'role',
  'user',
  'team',
  'key',
  'notice',
  'counter',
  'usage',
  'event',
  'answer',
] as const;
export type ItemKind = (typeof ITEM_KINDS)[number];

/** One thing that a store keeps. */
export type StoredItem =
  | {
      readonly kind: 'key';
      readonly record: StoredKey;
      readonly version: number;
      /** Its number in the order in which keys came. */
      readonly arrival: number;
      readonly lastUsedAtMs?: number | undefined;
    }
  | {
      readonly [K in Exclude<RecordKind, 'key'>]: {
        readonly kind: K;
        readonly record: RecordOf[K];
        readonly version: number;
      };
    }[Exclude<RecordKind, 'key'>]
  | { readonly kind: 'setting'; readonly name: string; readonly value: string }
  | ({ readonly kind: 'notice' } & Notice)
  | CounterItem
  | {
      /** So many uses of a key in an hour (counted from the epoch) had this outcome; empty for those allowed. */
      readonly kind: 'usage';
      readonly keyId: string;
      readonly hour: number;
      readonly reason: string;
      readonly count: number;
    }
  | {
      readonly kind: 'event';
      readonly event: AuditEvent;
      /** Whether no change caused it. */
      readonly isTold: boolean;
      /** How many events of the same millisecond stand before it. */
      readonly at: number;
    }
  | { readonly kind: 'answer'; readonly answer: KeptAnswer };

/** Items of some kinds. */
export type ItemOf<K extends ItemKind> = Extract<StoredItem, { readonly kind: K }>;

/** A counter of limits: by its name with the windows that outlive a restart, or by digests as the store keeps it. */
export type CounterItem =
  | {
      readonly kind: 'counter';
      readonly counter: string;
      readonly windows: CounterState['windows'];
    }
  | {
      readonly kind: 'counter';
      readonly digests: { readonly subject: string; readonly counter: string };
      readonly text: string;
    };

/** How many of each kind a store keeps. */
export type Tally = Readonly<Record<ItemKind, number>>;

/** A copy that was begun and not ended is marked by a setting of this name, which is itself never copied. */
export const UNFINISHED_SETTING = 'unfinished_copy';

/**
 * A store as it is copied, from or to. Answers that ended and counters whose windows are over at `nowMs` (epoch ms) do
 * not count as kept. Rejects when the store fails; every method may then be called again.
 */
export type StoreCopy = {
  /** Counters that are kept by digests do not tell their names, and cannot go where names are needed. */
  readonly countersBy: 'name' | 'digest';
  readonly tally: (nowMs: number) => Promise<Tally>;
  /** All items of these kinds, in parts and in the order of `ITEM_KINDS`; keys and events in the order of their coming. */
  readonly dump: (
    kinds: readonly ItemKind[],
    nowMs: number,
  ) => AsyncIterable<readonly StoredItem[]>;
  /**
   * Adds items of one kind; those that stand already, as after the same call, stay. Rejects where a record of the same
   * name and another version stands.
   */
  readonly restore: (items: readonly StoredItem[], nowMs: number) => Promise<void>;
  /** Whether a copy into this store was begun and not ended. */
  readonly isUnfinished: () => Promise<boolean>;
  readonly begin: () => Promise<void>;
  /** Ends a copy: whoever has this store open forgets what it remembers. */
  readonly finish: () => Promise<void>;
  readonly close: () => Promise<void>;
};
