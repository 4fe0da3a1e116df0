/** A step of a place in JSON: a member, an item of a list, or the items of a list that have a name. */
export type JsonStep =
  | { readonly kind: 'member'; readonly name: string }
  | { readonly kind: 'item' }
  | { readonly kind: 'named'; readonly name: string };

const ITEM: JsonStep = { kind: 'item' };
const SEGMENT = /(?:\.\.)?\[[^\]]*\]|\.{1,2}(?:\*|[A-Za-z_][\w-]*)/y;
const BRACKETS = /^(?:\.\.)?\[\s*(.*?)\s*\]$/;
const QUOTED = /^'([^'\\]*)'$|^"([^"\\]*)"$/;
const HAS_NAME = /^\s*@\.name\s*==\s*(.*?)\s*$/;

/**
 * Reads a JSONPath (RFC 9535) of members, items and of filters by name: `$..LIST[?(@.name=='NAME')].FIELD`, where `$` may
 * be missing. How deep `..` reaches is not told. Undefined for anything else.
 */
export function readJsonPath(text: string): readonly JsonStep[] | undefined {
  const steps: JsonStep[] = [];
  let end = text.startsWith('$') ? 1 : 0;
  while (end < text.length) {
    SEGMENT.lastIndex = end;
    const [segment] = SEGMENT.exec(text) ?? [];
    const step = segment === undefined ? undefined : stepOf(segment);
    if (!step) return undefined;
    steps.push(step);
    end = SEGMENT.lastIndex;
  }
  return steps.length === 0 ? undefined : steps;
}

/** Reads a JSON pointer (RFC 6901); one below another place may lack its first `/`. */
export function readPointer(text: string): readonly JsonStep[] {
  const written = text.startsWith('/') ? text.slice(1) : text;
  if (written === '') return [];
  return written.split('/').map((part): JsonStep => {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    return /^(?:\d+|-)$/.test(name) ? ITEM : { kind: 'member', name };
  });
}

function stepOf(segment: string): JsonStep | undefined {
  const inner = BRACKETS.exec(segment)?.[1];
  if (inner === undefined) return memberOf(segment.replace(/^\.+/, ''));
  if (/^(?:-?\d+|\*)$/.test(inner)) return ITEM;
  if (inner.startsWith('?')) return namedOf(inner.slice(1));
  const name = quotedText(inner);
  return name === undefined ? undefined : { kind: 'member', name };
}

function memberOf(name: string): JsonStep {
  return name === '*' ? ITEM : { kind: 'member', name };
}

function namedOf(condition: string): JsonStep | undefined {
  const inner = /^\((.*)\)$/.exec(condition.trim())?.[1] ?? condition;
  const name = quotedText(HAS_NAME.exec(inner)?.[1] ?? '');
  return name === undefined ? undefined : { kind: 'named', name };
}

function quotedText(text: string): string | undefined {
  const [, single, double] = QUOTED.exec(text) ?? [];
  return single ?? double;
}
