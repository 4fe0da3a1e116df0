import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key: PEM, and the files they stand in. */
export type Certificate = {
  readonly certPath: string;
  readonly keyPath: string;
  readonly cert: Buffer;
  readonly key: Buffer;
};

export type Authority = Certificate & {
  /** Signs a certificate with these alternative names, as `DNS:a` or `URI:b`, whatever they hold. */
  readonly issue: (name: string, ...alternatives: readonly string[]) => Certificate;
};

const DAY_MS = 86_400_000;
const ECDSA_WITH_SHA256 = '06082a8648ce3d040302';
const COMMON_NAME = '0603550403';
const SUBJECT_ALT_NAME = '0603551d11';
const BASIC_CONSTRAINTS = '0603551d13';
/** Context tags of a GeneralName (RFC 5280 section 4.2.1.6). */
const NAME_TAGS: { readonly [kind: string]: number } = {
  email: 0x81,
  DNS: 0x82,
  URI: 0x86,
  IP: 0x87,
};

/** Makes a certificate authority of its own, whose files stand in a folder. */
export function makeAuthority(folder: string, name: string): Authority {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const isAuthority = extension(BASIC_CONSTRAINTS, sequence(der(0x01, Buffer.from([0xff]))), true);
  const root = certificate(
    { name, key: pair.publicKey, extension: isAuthority },
    name,
    pair.privateKey,
  );
  return {
    ...keep(folder, name, root, pair.privateKey),
    issue: (leaf, ...alternatives) => {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const names = extension(SUBJECT_ALT_NAME, sequence(...alternatives.map(generalName)), false);
      const signed = certificate(
        { name: leaf, key: own.publicKey, extension: names },
        name,
        pair.privateKey,
      );
      return keep(folder, leaf, signed, own.privateKey);
    },
  };
}

type Subject = { readonly name: string; readonly key: KeyObject; readonly extension: Buffer };

/** A certificate (RFC 5280 section 4.1), signed by the key of an issuer. */
function certificate(subject: Subject, issuer: string, signer: KeyObject): Buffer {
  const algorithm = sequence(Buffer.from(ECDSA_WITH_SHA256, 'hex'));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    commonName(issuer),
    sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    commonName(subject.name),
    subject.key.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(subject.extension)),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, signer)]);
  return sequence(body, algorithm, der(0x03, signature));
}

function commonName(name: string): Buffer {
  const part = sequence(Buffer.from(COMMON_NAME, 'hex'), der(0x0c, Buffer.from(name)));
  return sequence(der(0x31, part));
}

function time(atMs: number): Buffer {
  const text = new Date(atMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  return der(0x18, Buffer.from(text));
}

function extension(id: string, value: Buffer, isCritical: boolean): Buffer {
  const critical = isCritical ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(Buffer.from(id, 'hex'), ...critical, der(0x04, value));
}

function generalName(text: string): Buffer {
  const colon = text.indexOf(':');
  const value = text.slice(colon + 1);
  const tag = NAME_TAGS[text.slice(0, colon)];
  if (tag === undefined) throw new Error(`no kind of name: ${text}`);
  return der(
    tag,
    tag === NAME_TAGS['IP'] ? Buffer.from(value.split('.').map(Number)) : Buffer.from(value),
  );
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

/** Tag, length and content (X.690). */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const sizes =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...sizes]), content]);
}

function keep(folder: string, name: string, signed: Buffer, privateKey: KeyObject): Certificate {
  const lines = signed.toString('base64').replace(/.{64}/g, '$&\n').trim();
  const cert = Buffer.from(`-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`);
  const key = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const certPath = join(folder, `${name}.crt`);
  const keyPath = join(folder, `${name}.key`);
  writeFileSync(certPath, cert);
  writeFileSync(keyPath, key);
  return { certPath, keyPath, cert, key };
}
