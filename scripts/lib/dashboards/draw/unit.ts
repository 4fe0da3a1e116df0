const KIBI = 1024;
const DAY_SECONDS = 86_400;
const HOUR_SECONDS = 3600;

/** Writes a value in a unit, as briefly as a reader can bear. */
export function writeValue(value: number, unit: string | undefined): string {
  switch (unit) {
    case 'percentunit':
      return `${short(value * 100)} %`;
    case 'reqps':
      return `${short(value)} req/s`;
    case 'ops':
      return `${short(value)} /s`;
    case 's':
      return writeSeconds(value);
    case 'bytes':
      return writeBytes(value);
    default:
      return short(value);
  }
}

/** Three figures that count. */
function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1_000_000) return `${(value / 1_000_000).toFixed(1)} M`;
  if (size >= 10_000) return `${(value / 1000).toFixed(1)} k`;
  if (Number.isInteger(value)) return String(value);
  return size >= 100 ? value.toFixed(0) : value.toFixed(size >= 10 ? 1 : 2);
}

function writeSeconds(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0 s';
  if (size < 0.001) return `${short(value * 1_000_000)} µs`;
  if (size < 1) return `${short(value * 1000)} ms`;
  if (size < 2 * HOUR_SECONDS) return `${short(value)} s`;
  if (size < 2 * DAY_SECONDS) return `${short(value / HOUR_SECONDS)} hours`;
  return `${short(value / DAY_SECONDS)} days`;
}

function writeBytes(value: number): string {
  if (value < KIBI) return `${short(value)} B`;
  if (value < KIBI * KIBI) return `${short(value / KIBI)} KiB`;
  return `${short(value / KIBI / KIBI)} MiB`;
}
