import { crc32, deflateSync, inflateSync } from 'node:zlib';

/** Pixels of three bytes each, row by row. */
type Pixels = { readonly width: number; readonly height: number; readonly bytes: Buffer };

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const RGB_BYTES = 3;
const TRUE_COLOUR = 2;
const PALETTE = 3;
const COLOURS_MAX = 256;

/**
 * Writes a picture anew with 256 colours, a third of its size: flat areas keep theirs, the edges of letters get the nearest.
 * Takes a PNG (ISO/IEC 15948) of 8 bits and three channels, not interlaced, as Chromium makes them; throws for any other.
 */
export function shrinkPng(picture: Buffer): Buffer {
  const pixels = readPng(picture);
  const { width, height, bytes } = pixels;
  const palette = choosePalette(bytes);
  const known = new Map<number, number>();
  const rows = Buffer.alloc(height * (width + 1));
  for (let at = 0; at < width * height; at += 1) {
    const colour = bytes.readUIntBE(at * RGB_BYTES, RGB_BYTES);
    const index = known.get(colour) ?? nearest(palette, colour);
    known.set(colour, index);
    // Before each row stands the number of its filter, 0 for none.
    rows[at + Math.floor(at / width) + 1] = index;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, PALETTE], 8);
  const colours = Buffer.concat(palette.map((colour) => Buffer.from(channels(colour))));
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
}

function readPng(picture: Buffer): Pixels {
  const chunks = [...chunksOf(picture)];
  const header = chunks.find(([type]) => type === 'IHDR')?.[1];
  if (header?.[8] !== 8 || header[9] !== TRUE_COLOUR || header[12] !== 0) {
    throw new Error('a picture is no PNG of three channels');
  }
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const parts = chunks.filter(([type]) => type === 'IDAT').map(([, content]) => content);
  const filtered = inflateSync(Buffer.concat(parts));
  return { width, height, bytes: unfilter(filtered, width * RGB_BYTES, height) };
}

function* chunksOf(picture: Buffer): Generator<readonly [string, Buffer]> {
  for (let at = SIGNATURE.length; at < picture.length; ) {
    const length = picture.readUInt32BE(at);
    const type = picture.toString('latin1', at + 4, at + 8);
    yield [type, picture.subarray(at + 8, at + 8 + length)];
    at += length + 12;
  }
}

/** Undoes the filter of each row (section 9.2). */
function unfilter(filtered: Buffer, stride: number, height: number): Buffer {
  const bytes = Buffer.alloc(stride * height);
  const at = (row: number, column: number) =>
    row < 0 || column < 0 ? 0 : (bytes[row * stride + column] ?? 0);
  for (let row = 0; row < height; row += 1) {
    const filter = filtered[row * (stride + 1)] ?? 0;
    for (let column = 0; column < stride; column += 1) {
      const left = at(row, column - RGB_BYTES);
      const above = at(row - 1, column);
      const corner = row === 0 ? 0 : at(row - 1, column - RGB_BYTES);
      const byte = filtered[row * (stride + 1) + 1 + column] ?? 0;
      bytes[row * stride + column] = byte + predict(filter, left, above, corner);
    }
  }
  return bytes;
}

function predict(filter: number, left: number, above: number, corner: number): number {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return above;
    case 3:
      return (left + above) >> 1;
    case 4: {
      const guess = left + above - corner;
      const far = (value: number) => Math.abs(guess - value);
      if (far(left) <= far(above) && far(left) <= far(corner)) return left;
      return far(above) <= far(corner) ? above : corner;
    }
    default:
      return 0;
  }
}

/** The commonest colour of each neighbourhood, of the commonest neighbourhoods. */
function choosePalette(bytes: Buffer): readonly number[] {
  const counts = new Map<number, number>();
  for (let at = 0; at < bytes.length; at += RGB_BYTES) {
    const colour = bytes.readUIntBE(at, RGB_BYTES);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const places = new Map<number, { colour: number; count: number }>();
  for (const [colour, count] of [...counts].sort(([, one], [, other]) => other - one)) {
    const place = colour & 0xfcfcfc;
    const known = places.get(place) ?? { colour, count: 0 };
    places.set(place, { ...known, count: known.count + count });
  }
  return [...places.values()]
    .sort((one, other) => other.count - one.count)
    .slice(0, COLOURS_MAX)
    .map(({ colour }) => colour);
}

function nearest(palette: readonly number[], colour: number): number {
  const own = channels(colour);
  let found = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [index, candidate] of palette.entries()) {
    const far = channels(candidate).reduce(
      (sum, channel, at) => sum + (channel - (own[at] ?? 0)) ** 2,
      0,
    );
    if (far < least) [found, least] = [index, far];
  }
  return found;
}

function channels(colour: number): readonly [number, number, number] {
  return [(colour >> 16) & 0xff, (colour >> 8) & 0xff, colour & 0xff];
}
