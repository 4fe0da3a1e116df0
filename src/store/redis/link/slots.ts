export const SLOTS = 16_384;

/** The slot of a key on a Cluster: CRC16 of what stands between the first braces, else of the whole key. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  return crc16(Buffer.from(hashed)) % SLOTS;
}

/** CRC-16/XMODEM, as the Cluster specification has it. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) ^ (TABLE[((crc >> 8) ^ byte) & 0xff] ?? 0)) & 0xffff;
  return crc;
}

const TABLE = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

/** Slots from `first` to `last` lie on a master. */
export type SlotRange = { readonly first: number; readonly last: number; readonly address: string };

/**
 * Reads the answer of CLUSTER SLOTS. A node without a host stands at the host that was asked, one without a name at its
 * address. Undefined for an answer
 * of another shape.
 */
export function readSlotRanges(reply: unknown, askedHost: string): SlotRange[] | undefined {
  if (!Array.isArray(reply)) return undefined;
  const ranges = reply.map((range) => readSlotRange(range, askedHost));
  return ranges.every((range) => range !== undefined) ? ranges : undefined;
}

function readSlotRange(range: unknown, askedHost: string): SlotRange | undefined {
  if (!Array.isArray(range)) return undefined;
  const [first, last, master] = range;
  if (!isSlot(first) || !isSlot(last) || !Array.isArray(master)) return undefined;
  const [host, port, , facts] = master;
  if (!Number.isInteger(port)) return undefined;
  const known = host === NAMELESS ? ipOf(facts) : host;
  return { first, last, address: `${known || askedHost}:${port}` };
}

/** What a node tells that should tell its name and has none; its address stands among the facts about it. */
const NAMELESS = '?';

function ipOf(facts: unknown): string | undefined {
  if (!Array.isArray(facts)) return undefined;
  const at = facts.indexOf('ip');
  return at === -1 ? undefined : String(facts[at + 1]);
}

/** Whether a text leads anywhere. */
export function isHost(text: string): boolean {
  return text !== '' && text !== NAMELESS;
}

function isSlot(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < SLOTS;
}

/** `host:port` in its parts; the host may be an IPv6 address. */
export function readAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}
