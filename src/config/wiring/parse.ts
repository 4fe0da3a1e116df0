import {
  isMap,
  isScalar,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  type Scalar,
} from 'yaml';
import { type PolicyDocument, placeOf } from '../document.ts';
import type { SourceText } from '../file-set.ts';
import { type Anchors, findAnchors, keyText } from '../node.ts';
import type { Problem } from '../problem.ts';

/** One YAML document of a wiring file, or one that stands as a text in another. */
export type WiringDocument = Pick<PolicyDocument, 'file' | 'lines'> & {
  readonly root: unknown;
  readonly anchors: Anchors;
  /** Where it begins in its file, when it stands in another document; lines and columns before it. */
  readonly shift: { readonly lines: number; readonly columns: number };
};

export type ParsedWiring = {
  readonly documents: readonly WiringDocument[];
  readonly problems: readonly Problem[];
};

const NESTED = 'the YAML is nested too deeply';
/** How the library says so, where it does not throw. */
const TOO_DEEP = /call stack|too deep/i;
const NO_SHIFT = { lines: 0, columns: 0 };
/** Texts of a ConfigMap that are configuration: by the end of their names, or Istio's mesh. */
const CONFIGURATION = /\.(?:ya?ml|json)$|^mesh$/;

/**
 * Parses a wiring file: YAML or JSON, of any number of documents, and the configuration that a ConfigMap holds as text.
 * Syntax errors are problems, and then there are no documents.
 */
export function parseWiring(source: SourceText): ParsedWiring {
  const parsed = parseText(source, NO_SHIFT);
  const inner = parsed.documents.flatMap((document) => textsOf(document, source));
  return {
    documents: [...parsed.documents, ...inner.flatMap(({ documents }) => documents)],
    problems: parsed.problems,
  };
}

function parseText({ file, text }: SourceText, shift: WiringDocument['shift']): ParsedWiring {
  const lines = new LineCounter();
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      merge: true,
      prettyErrors: false,
      strict: true,
      uniqueKeys: false,
    });
    const all = [...parsed];
    const faults = all.flatMap(({ errors }) => errors);
    const problems = faults.map((fault) => ({
      ...placeOf({ file, lines }, fault.pos[0]),
      path: '',
      message: TOO_DEEP.test(fault.message) ? NESTED : fault.message,
    }));
    if (problems.length > 0) return { documents: [], problems };
    const documents = all.map(({ contents }) => documentOf({ file, lines, shift }, contents));
    return { documents, problems: [] };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const problem = { file, line: 1, column: 1, path: '', message: NESTED };
    return { documents: [], problems: [problem] };
  }
}

function documentOf(
  place: Pick<WiringDocument, 'file' | 'lines' | 'shift'>,
  root: ParsedNode | null,
): WiringDocument {
  return { ...place, root, anchors: findAnchors(root) };
}

/** The documents that stand as block texts in a ConfigMap; a text that cannot be parsed is none. */
function textsOf({ root, lines }: WiringDocument, source: SourceText): readonly ParsedWiring[] {
  if (!isMap(root) || root.get('kind') !== 'ConfigMap') return [];
  const data = root.get('data');
  if (!isMap(data)) return [];
  return data.items.flatMap((pair) => {
    const { value } = pair;
    if (!isScalar(value) || value.type !== 'BLOCK_LITERAL') return [];
    if (typeof value.value !== 'string' || !CONFIGURATION.test(keyText(pair) ?? '')) return [];
    const shift = shiftOf(value, lines, source.text);
    return [parseText({ file: source.file, text: value.value }, shift)];
  });
}

/** A block text begins in the line after its `|`, and what stands before each line is its indentation. */
function shiftOf(block: Scalar, lines: LineCounter, text: string): WiringDocument['shift'] {
  const [start = 0] = block.range ?? [];
  const first = lines.linePos(start).line;
  const content = text.slice(lines.lineStarts[first] ?? 0);
  return { lines: first, columns: /^(?:[ \t]*\r?\n)*( *)/.exec(content)?.[1]?.length ?? 0 };
}
