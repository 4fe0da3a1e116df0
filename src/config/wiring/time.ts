const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a duration as Envoy (`0.25s`), Istio and Kubernetes (`250ms`, `1m30s`) write it. */
export function readTimeMs(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, figure, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)/g)) {
    sum += Number(figure) * (UNITS_MS[unit] ?? 0);
  }
  return sum;
}
