import { createSecureContext } from 'node:tls';
import { experimental, type ServerCredentials } from '@grpc/grpc-js';

/** Certificates of the listener, PEM; with `clientCa` a client certificate is demanded. */
export type ServerTls = {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa?: Buffer | undefined;
  /** Accepted DNS or URI names of a client certificate; any when undefined. */
  readonly clientNames?: readonly string[] | undefined;
};

/** Credentials of a listener whose certificates may be replaced while it serves. */
export type RenewableCredentials = {
  readonly credentials: ServerCredentials;
  /**
   * New connections get these certificates from now on; those that stand keep theirs. Throws, and changes nothing,
   * when they cannot be used: a key that is not the certificate's, or bytes that are no PEM. Whether client
   * certificates are demanded, and under which names, stays as it was.
   */
  readonly renew: (tls: ServerTls) => void;
};

/** Makes the credentials of a TLS listener. Throws when its certificates cannot be used. */
export function createTlsCredentials(first: ServerTls): RenewableCredentials {
  requireUsable(first);
  let tls = first;
  const identity = createSource(() => ({ certificate: tls.cert, privateKey: tls.key }));
  const authorities = createSource(() => ({ caCertificate: tls.clientCa ?? Buffer.alloc(0) }));
  const provider = {
    addIdentityCertificateListener: identity.add,
    removeIdentityCertificateListener: identity.remove,
    addCaCertificateListener: authorities.add,
    removeCaCertificateListener: authorities.remove,
  };
  const demandsClients = first.clientCa !== undefined;
  return {
    credentials: experimental.createCertificateProviderServerCredentials(
      provider,
      demandsClients ? provider : null,
      demandsClients,
    ),
    renew: (next) => {
      requireUsable(next);
      tls = next;
      authorities.tell();
      identity.tell();
    },
  };
}

/** Where grpc-js hears of one kind of certificate. */
function createSource<T>(read: () => T) {
  const listeners = new Set<(update: T) => void>();
  return {
    add: (listener: (update: T) => void) => {
      listeners.add(listener);
      // grpc-js first asks what there is, and only then watches: told any sooner, it would not hear.
      queueMicrotask(() => listener(read()));
    },
    remove: (listener: (update: T) => void) => listeners.delete(listener),
    tell: () => {
      for (const listener of listeners) listener(read());
    },
  };
}

/** grpc-js would only write a line and refuse every connection. */
function requireUsable({ cert, key, clientCa }: ServerTls): void {
  createSecureContext({ cert, key, ...(clientCa && { ca: clientCa }) });
}
