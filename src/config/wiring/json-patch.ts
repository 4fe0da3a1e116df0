import type { Fault } from './fault.ts';
import type { Patch } from './guard.ts';
import { type JsonStep, readJsonPath, readPointer } from './json-path.ts';
import { at, isThere, type Spot, textAt } from './spot.ts';

/** What a JSON patch of an EnvoyPatchPolicy does to ext_authz; undefined where it does nothing to it. */
export type ReadPatch =
  | { readonly kind: 'read'; readonly patch: Patch }
  | { readonly kind: 'unread'; readonly fault: Fault }
  | undefined;

const EXT_AUTHZ = /^envoy\.filters\.http\.ext_authz(?:\/|$)/;
const UNREAD_PATH =
  "what it changes is not seen here: write jsonPath as ..http_filters[?(@.name=='NAME')].typed_config, and the setting as path";
const ONLY_FOUND =
  'it changes only what Envoy Gateway has set already: write the setting as path, not as the end of jsonPath';
const UNREAD_OP = 'what it changes is not seen here: use add, replace or remove';

/** A place that an operation names; `isBelow`: it need not be there yet. */
type Place = {
  readonly path: readonly string[];
  readonly filter: string | undefined;
  readonly isBelow: boolean;
};

/**
 * Reads one patch of a listener. Envoy Gateway puts `path`, a JSON pointer, below every place that `jsonPath` finds, and
 * does nothing where it finds none.
 */
export function readJsonPatch(item: Spot): ReadPatch {
  const operation = at(item, 'operation');
  if (!isOfListener(item) || textAt(at(operation, 'op')) === 'test') return undefined;
  const place = placeOf(operation);
  if (!place) return unread(at(operation, 'jsonPath'), UNREAD_PATH);
  const { path, filter } = place;
  if (path.length === 0 || (filter !== undefined && !EXT_AUTHZ.test(filter))) return undefined;
  const isInReach = filter !== undefined || path.includes('http_filters');
  const read = changeOf(operation, place);
  return read?.kind === 'unread' && !isInReach ? undefined : read;
}

function placeOf(operation: Spot): Place | undefined {
  const jsonPath = at(operation, 'jsonPath');
  const found = isThere(jsonPath) ? readJsonPath(textAt(jsonPath) ?? '') : [];
  if (!found) return undefined;
  const below = readPointer(textAt(at(operation, 'path')) ?? '');
  const steps = [...found, ...below];
  const path = steps.map((step) => (step.kind === 'member' ? step.name : '*'));
  return { path, filter: filterOf(steps), isBelow: below.length > 0 };
}

function changeOf(operation: Spot, { path, filter, isBelow }: Place): ReadPatch {
  const patch = { dialect: 'envoy_gateway', path, filter } as const;
  const op = at(operation, 'op');
  if (textAt(op) === 'remove') {
    const value = { ...operation, node: undefined };
    return { kind: 'read', patch: { ...patch, value, isRemoval: true } };
  }
  if (textAt(op) !== 'add' && textAt(op) !== 'replace') return unread(op, UNREAD_OP);
  const value = at(operation, 'value');
  if (path.at(-1) === 'typed_config' && filter !== undefined) {
    return { kind: 'read', patch: { ...patch, path: [], value } };
  }
  if (!isBelow) return unread(at(operation, 'jsonPath'), ONLY_FOUND);
  return isThere(value) ? { kind: 'read', patch: { ...patch, value } } : undefined;
}

/** A patch that names no type is taken for one of a listener, where filters stand. */
function isOfListener(item: Spot): boolean {
  const type = textAt(at(item, 'type'));
  return type === undefined || type.endsWith('.Listener');
}

/** The name of the filter that a place lies in, where it is given by its name. */
function filterOf(steps: readonly JsonStep[]): string | undefined {
  const last = steps.findLast(({ kind }) => kind !== 'member');
  return last?.kind === 'named' ? last.name : undefined;
}

function unread(spot: Spot, message: string): ReadPatch {
  return { kind: 'unread', fault: { spot, message } };
}
