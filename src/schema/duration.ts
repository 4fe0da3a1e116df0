const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `500ms`, `5s`, `10m`, `24h` or `30d`; undefined for any other text. */
export function parseDuration(text: string): number | undefined {
  const parts = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  if (!parts) return undefined;
  return Number(parts[1]) * UNIT_MS[parts[2] as keyof typeof UNIT_MS];
}

/** Whole seconds of a duration that was checked before, rounded up; throws on any other text. */
export function durationSeconds(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs === undefined) throw new Error(`${JSON.stringify(text)} is no duration`);
  return Math.ceil(durationMs / 1000);
}
