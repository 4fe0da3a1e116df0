import { isUtf8 } from 'node:buffer';
import protobuf from 'protobufjs';
import type { Headers } from '../core/request.ts';

/** What a CheckRequest says, the fields that Postern reads (attribute_context.proto). */
export type CheckQuestion = {
  /** Whether there is an HTTP request to judge at all. */
  readonly isHttp: boolean;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  /** From `header_map` or `headers`; bytes as characters of the same number. */
  readonly headers: Headers;
  readonly sourceAddress: string | undefined;
  readonly destinationAddress: string | undefined;
  readonly contextExtensions: ReadonlyMap<string, string>;
  /** Whether every text was valid UTF-8, as protocol buffers demand. */
  readonly isText: boolean;
  /** Whether headers came in `headers`, where those of one name are joined, and not in `header_map`. */
  readonly isJoined: boolean;
};

const NO_CONTEXT: ReadonlyMap<string, string> = new Map();

/** What a message that cannot be decoded amounts to. */
export const NO_QUESTION: CheckQuestion = {
  isHttp: false,
  method: '',
  path: '',
  host: '',
  scheme: '',
  headers: new Map(),
  sourceAddress: undefined,
  destinationAddress: undefined,
  contextExtensions: NO_CONTEXT,
  isText: true,
  isJoined: false,
};

type Filling = {
  -readonly [field in Exclude<keyof CheckQuestion, 'headers'>]: CheckQuestion[field];
} & { headers: Map<string, string[]>; context: Map<string, string> | undefined };
type Input = { readonly reader: protobuf.Reader; readonly bytes: Buffer; readonly into: Filling };
/** Reads one field if it knows it; a field that it does not know is passed over. */
type Field = (input: Input, field: number) => boolean;

/**
 * Decodes a CheckRequest. Fields that Postern does not read are passed over, newer ones too. It walks with the
 * library's reader but makes no message objects: their many small buffers cost more than the decision.
 * Throws for bytes that are no message.
 */
export function decodeCheck(bytes: Uint8Array): CheckQuestion {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
  const into: Filling = { ...NO_QUESTION, headers: new Map(), context: undefined };
  const input = { reader: protobuf.Reader.create(buffer), bytes: buffer, into };
  readFields(input, buffer.length, readCheckRequest);
  if (into.context) into.contextExtensions = into.context;
  return into;
}

/** Reads fields up to `end`; each kind of message says what it does with its own. */
function readFields(input: Input, end: number, field: Field): void {
  const { reader } = input;
  while (reader.pos < end) {
    const tag = reader.uint32();
    const isKnown = (tag & 7) === LENGTH_DELIMITED && field(input, tag >>> 3);
    if (!isKnown) reader.skipType(tag & 7);
  }
  if (reader.pos !== end) throw new RangeError('a field is longer than its message');
}

const LENGTH_DELIMITED = 2;

function readMessage(input: Input, field: Field): true {
  readFields(input, endOf(input), field);
  return true;
}

/** The end of the bytes that begin here. */
function endOf({ reader, bytes }: Input): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > bytes.length) throw new RangeError('a field is longer than the message');
  return end;
}

const readCheckRequest: Field = (input, field) => field === 1 && readMessage(input, readAttributes);

const readAttributes: Field = (input, field) => {
  if (field === 1) return readMessage(input, readSource);
  if (field === 2) return readMessage(input, readDestination);
  if (field === 4) return readMessage(input, readRequest);
  return field === 10 && readContext(input);
};

/** Peer.address.socket_address.address; a pipe has none. */
const readSource: Field = (input, field) =>
  field === 1 && readMessage(input, (_, kind) => kind === 1 && readMessage(input, sourceText));

const sourceText: Field = (input, field) => {
  if (field !== 2) return false;
  input.into.sourceAddress = readText(input);
  return true;
};

const readDestination: Field = (input, field) =>
  field === 1 && readMessage(input, (_, kind) => kind === 1 && readMessage(input, destinationText));

const destinationText: Field = (input, field) => {
  if (field !== 2) return false;
  input.into.destinationAddress = readText(input);
  return true;
};

const readRequest: Field = (input, field) => {
  if (field !== 2) return false;
  input.into.isHttp = true;
  return readMessage(input, readHttp);
};

const readHttp: Field = (input, field) => {
  const { into } = input;
  if (field === 2) into.method = readText(input);
  else if (field === 3) readHeaderEntry(input);
  else if (field === 4) into.path = readText(input);
  else if (field === 5) into.host = readText(input);
  else if (field === 6) into.scheme = readText(input);
  else if (field === 13) readMessage(input, readHeaderMap);
  else return false;
  return true;
};

const readHeaderMap: Field = (input, field) => {
  if (field !== 1) return false;
  let name = '';
  let value = '';
  readMessage(input, (_, part) => {
    if (part === 1) name = readText(input);
    else if (part === 2) value = readText(input);
    else if (part === 3) value = readLatin1(input) || value;
    else return false;
    return true;
  });
  addHeader(input.into, name, value);
  return true;
};

function readHeaderEntry(input: Input): void {
  input.into.isJoined = true;
  const [name, value] = readEntry(input);
  addHeader(input.into, name, NOT_ASCII.test(value) ? latin1(value) : value);
}

/** The bytes of a text as characters of the same number, as `header_map` brings them. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function readContext(input: Input): true {
  const [name, value] = readEntry(input);
  input.into.context ??= new Map();
  input.into.context.set(name, value);
  return true;
}

/** An entry of a map of texts. */
function readEntry(input: Input): readonly [string, string] {
  let name = '';
  let value = '';
  readMessage(input, (_, part) => {
    if (part === 1) name = readText(input);
    else if (part === 2) value = readText(input);
    else return false;
    return true;
  });
  return [name, value];
}

function addHeader({ headers }: Filling, sent: string, value: string): void {
  const name = sent.toLowerCase();
  const values = headers.get(name);
  if (values) values.push(value);
  else headers.set(name, [value]);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const NOT_ASCII = /[^\x00-\x7f]/;
const REPLACEMENT = '\uFFFD';

function readText(input: Input): string {
  const { reader, bytes, into } = input;
  const end = endOf(input);
  const text = bytes.toString('utf8', reader.pos, end);
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(reader.pos, end))) into.isText = false;
  reader.pos = end;
  return text;
}

/** The bytes as characters of the same number: comparing never depends on a charset. */
function readLatin1(input: Input): string {
  const { reader, bytes } = input;
  const end = endOf(input);
  const text = bytes.toString('latin1', reader.pos, end);
  reader.pos = end;
  return text;
}
