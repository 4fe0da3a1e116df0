/** Items of so many members each, out of the flat list that a script answers. */
export function inTuples<T>(members: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.floor(members.length / size) }, (_, at) =>
    members.slice(at * size, (at + 1) * size),
  );
}
