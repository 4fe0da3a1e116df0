import { readJsonPatch } from './json-patch.ts';
import { aboutKind, type Rule } from './rule.ts';
import { at, itemsOf } from './spot.ts';

/** What of the files cannot be judged. */
export const PATCH_RULES = [
  aboutKind('unread_patch', 'EnvoyPatchPolicy', (spec) =>
    itemsOf(at(spec, 'jsonPatches')).flatMap((item) => {
      const read = readJsonPatch(item);
      return read?.kind === 'unread' ? [read.fault] : [];
    }),
  ),
] as const satisfies readonly Rule[];
