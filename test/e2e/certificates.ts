import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key: PEM, and the files they stand in. */
export type Certificate = {
  readonly certPath: string;
  readonly keyPath: string;
  readonly cert: Buffer;
  readonly key: Buffer;
};

/** Makes certificates by `openssl` in a folder. */
export type Authority = Certificate & {
  /** Signs a certificate with these alternative names, as `DNS:a`, whatever they hold. */
  readonly issue: (name: string, ...alternatives: readonly string[]) => Certificate;
};

const DAYS = ['-days', '2'];
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes a certificate authority of its own. */
export function makeAuthority(folder: string, name: string): Authority {
  const self = placesIn(folder, name);
  openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-keyout',
    self.keyPath,
    '-out',
    self.certPath,
    ...DAYS,
    '-subj',
    `/CN=${name}`,
  );
  return {
    ...read(self),
    issue: (leaf, ...alternatives) => {
      const places = placesIn(folder, leaf);
      const requestPath = join(folder, `${leaf}.csr`);
      const extensionPath = join(folder, `${leaf}.ext`);
      writeFileSync(extensionPath, sectionOf(alternatives));
      openssl(
        'req',
        '-new',
        ...NEW_KEY,
        '-keyout',
        places.keyPath,
        '-out',
        requestPath,
        '-subj',
        `/CN=${leaf}`,
      );
      const by = ['-CA', self.certPath, '-CAkey', self.keyPath, '-CAcreateserial'];
      openssl(
        'x509',
        '-req',
        '-in',
        requestPath,
        ...by,
        '-out',
        places.certPath,
        ...DAYS,
        '-extfile',
        extensionPath,
      );
      return read(places);
    },
  };
}

function sectionOf(alternatives: readonly string[]): string {
  const lines = alternatives.map((one, at) => one.replace(':', `.${at} = `));
  return ['subjectAltName = @names', '[names]', ...lines, ''].join('\n');
}

function placesIn(folder: string, name: string) {
  return { certPath: join(folder, `${name}.crt`), keyPath: join(folder, `${name}.key`) };
}

function read(places: { readonly certPath: string; readonly keyPath: string }): Certificate {
  return { ...places, cert: readFileSync(places.certPath), key: readFileSync(places.keyPath) };
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
