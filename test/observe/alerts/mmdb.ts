import { parseAddress } from '../../../src/core/address.ts';

/** A value of an MMDB record: maps, texts and whole numbers are what databases of places hold. */
type Value = string | number | { readonly [name: string]: Value } | readonly Value[];

/** Networks in CIDR form, each with its record; they must not overlap. */
export type Networks = { readonly [cidr: string]: Value };

/** A node of the tree; `isNode` tells it from a record. */
type Node = { readonly isNode: true; sides: [left: Branch, right: Branch] };
type Branch = Node | Value | undefined;

const MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
/** Zeros between the tree and the data. */
const GAP = 16;
const TYPE = { text: 2, uint32: 6, map: 7, array: 11 } as const;

/** Writes an MMDB file (MaxMind DB format 2.0) of IPv6 with IPv4 in `::/96`; records of 32 bits. */
export function writeMmdb(networks: Networks, builtSeconds = 1_780_000_000): Buffer {
  const root = newNode();
  for (const [cidr, record] of Object.entries(networks)) plant(root, bitsOf(cidr), record);
  const nodes = listNodes(root);
  const data: Buffer[] = [];
  let dataBytes = 0;
  const place = (branch: Branch): number => {
    if (branch === undefined) return nodes.size;
    if (isNode(branch)) return nodes.get(branch) ?? 0;
    const written = encode(branch);
    data.push(written);
    dataBytes += written.byteLength;
    return nodes.size + GAP + dataBytes - written.byteLength;
  };
  const tree = Buffer.alloc(nodes.size * 8);
  for (const [node, at] of nodes) {
    for (const side of [0, 1] as const)
      tree.writeUInt32BE(place(node.sides[side]), at * 8 + side * 4);
  }
  const metadata = encode({
    ...{ node_count: nodes.size, record_size: 32, ip_version: 6 },
    ...{ binary_format_major_version: 2, binary_format_minor_version: 0 },
    ...{ build_epoch: builtSeconds, database_type: 'Test', languages: ['en'] },
    description: { en: 'made by a test' },
  });
  return Buffer.concat([tree, Buffer.alloc(GAP), ...data, MARKER, metadata]);
}

function bitsOf(cidr: string): readonly number[] {
  const [text = '', length = ''] = cidr.split('/');
  const address = parseAddress(text);
  if (!address) throw new Error(`no address: ${cidr}`);
  const bytes =
    address.family === 4 ? [...Array<number>(12).fill(0), ...address.bytes] : [...address.bytes];
  const bits = bytes.flatMap((byte) =>
    Array.from({ length: 8 }, (_, at) => (byte >> (7 - at)) & 1),
  );
  return bits.slice(0, Number(length) + (address.family === 4 ? 96 : 0));
}

function plant(root: Node, bits: readonly number[], record: Value): void {
  let node = root;
  for (const [at, bit] of bits.entries()) {
    const side = bit === 0 ? 0 : 1;
    if (at === bits.length - 1) node.sides[side] = record;
    else {
      const next = node.sides[side];
      const child = isNode(next) ? next : newNode();
      node.sides[side] = child;
      node = child;
    }
  }
}

function newNode(): Node {
  return { isNode: true, sides: [undefined, undefined] };
}

function isNode(branch: Branch): branch is Node {
  return typeof branch === 'object' && 'isNode' in branch && branch.isNode === true;
}

function listNodes(root: Node): ReadonlyMap<Node, number> {
  const nodes = new Map<Node, number>();
  const visit = (node: Node) => {
    nodes.set(node, nodes.size);
    for (const branch of node.sides) if (isNode(branch)) visit(branch);
  };
  visit(root);
  return nodes;
}

function encode(value: Value): Buffer {
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return Buffer.concat([control(TYPE.text, text.byteLength), text]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([control(TYPE.uint32, 4), bytes]);
  }
  if (Array.isArray(value)) {
    return Buffer.concat([control(TYPE.array, value.length), ...value.map(encode)]);
  }
  const entries = Object.entries(value as { readonly [name: string]: Value });
  const fields = entries.flatMap(([name, one]) => [encode(name), encode(one)]);
  return Buffer.concat([control(TYPE.map, entries.length), ...fields]);
}

/** The byte (or bytes) before a value: its type and size. */
function control(type: number, size: number): Buffer {
  const short = size < 29 ? size : 29;
  const head = type <= 7 ? [(type << 5) | short] : [short, type - 7];
  return Buffer.from(size < 29 ? head : [...head, size - 29]);
}
