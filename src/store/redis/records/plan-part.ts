import type { Condition, Op } from './apply.ts';

/** A part of a commit: what must stand for it, and what it writes. */
export type PlanPart = { readonly conditions: readonly Condition[]; readonly ops: readonly Op[] };
