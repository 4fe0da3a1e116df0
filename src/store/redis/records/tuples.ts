/** Items of so many texts each, out of the flat list that a script answers. */
export function inTuples(texts: readonly string[], size: number): readonly (readonly string[])[] {
  return Array.from({ length: Math.floor(texts.length / size) }, (_, at) =>
    texts.slice(at * size, (at + 1) * size),
  );
}
