import type { Figures, LimitGroup, Usage } from '../../../core/limit.ts';

/** What one of several processes may admit by itself: groups with a part of their figures in place of the whole. */
export type Sharing = {
  readonly shareOf: (group: LimitGroup) => LimitGroup;
  /** Usages of shares as callers know them: limits and policies are the plan's, what remains is the share's. */
  readonly told: (usages: readonly Usage[], groups: readonly LimitGroup[]) => readonly Usage[];
};

type Part = { readonly replicas: number; readonly figures: Figures };

/** Shares limits evenly; the parts of figures are made once for each number of replicas. */
export function createSharing(replicas: () => number): Sharing {
  const parts = new WeakMap<Figures, Part>();
  const partOf = (figures: Figures, count: number): Figures => {
    const known = parts.get(figures);
    if (known?.replicas === count) return known.figures;
    const made = figuresOf(figures, count);
    parts.set(figures, { replicas: count, figures: made });
    return made;
  };
  return {
    shareOf: (group) => ({ ...group, figures: partOf(group.figures, wholeCount(replicas())) }),
    told: (usages, groups) => {
      const wholes = groups.flatMap(({ figures }) => wholesOf(figures));
      return usages.map((usage, at) => ({ ...usage, ...wholes[at] }));
    },
  };
}

function wholeCount(replicas: number): number {
  return replicas >= 1 ? Math.floor(replicas) : 1;
}

/** A bucket's size is divided; its rate becomes exactly one part by a refill that takes as many times longer. */
function figuresOf({ windows, bucket }: Figures, replicas: number): Figures {
  const part = (limit: number) => (limit === 0 ? 0 : Math.max(1, Math.floor(limit / replicas)));
  return {
    windows: windows.map((window) => ({ ...window, limit: part(window.limit) })),
    bucket: bucket && {
      ...bucket,
      size: part(bucket.size),
      lengthMs: bucket.lengthMs * replicas,
    },
  };
}

/** The figures that shares hide, in the order of usages. */
function wholesOf({ windows, bucket }: Figures): readonly Partial<Usage>[] {
  const wholes: Partial<Usage>[] = windows.map(({ limit }) => ({ limit }));
  return bucket ? [...wholes, { burst: bucket.size }] : wholes;
}
