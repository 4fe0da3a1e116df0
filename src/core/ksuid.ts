import { BASE62_DIGITS } from './base62.ts';

const EPOCH_SECONDS = 1_400_000_000;
const CHARS = 27;
const PAYLOAD_BYTES = 16;

/** Makes a KSUID: 32 bits of seconds since 2014-05-13 and 128 random bits, 27 base62 characters that sort by time. */
export function mintKsuid(bytes: Uint8Array, nowMs: number): string {
  if (bytes.byteLength < PAYLOAD_BYTES) throw new Error('a KSUID needs 16 random bytes');
  let rest = BigInt(Math.floor(nowMs / 1000) - EPOCH_SECONDS);
  for (const byte of bytes.subarray(0, PAYLOAD_BYTES)) rest = (rest << 8n) | BigInt(byte);
  let text = '';
  while (text.length < CHARS) {
    text = BASE62_DIGITS[Number(rest % 62n)] + text;
    rest /= 62n;
  }
  return text;
}

/**
 * Makes ids for what happens many times a second: one KSUID for each second, and a number within it. They sort
 * among KSUIDs by time. `draw` gives 16 random bytes for each second.
 */
export function createEventIds(draw: () => Uint8Array): (nowMs: number) => string {
  let second = -1;
  let stem = '';
  let count = 0;
  return (nowMs) => {
    const now = Math.floor(nowMs / 1000);
    if (now !== second) {
      second = now;
      stem = mintKsuid(draw(), nowMs);
      count = 0;
    }
    count += 1;
    return `${stem}-${String(count).padStart(7, '0')}`;
  };
}
