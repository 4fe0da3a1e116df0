import { z } from 'zod';

/** cert-manager, as far as it is used: no package of its types is at hand. */
const duration = z.string().regex(/^\d+h\d+m\d+s$/);
const metadata = z.strictObject({
  name: z.string(),
  namespace: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
});
const issuer = z.strictObject({
  apiVersion: z.literal('cert-manager.io/v1'),
  kind: z.literal('ClusterIssuer'),
  metadata,
  spec: z.union([
    z.strictObject({ selfSigned: z.strictObject({}) }),
    z.strictObject({ ca: z.strictObject({ secretName: z.string() }) }),
  ]),
});
const certificate = z.strictObject({
  apiVersion: z.literal('cert-manager.io/v1'),
  kind: z.literal('Certificate'),
  metadata,
  spec: z.strictObject({
    isCA: z.literal(true).optional(),
    commonName: z.string().max(64).optional(),
    secretName: z.string(),
    dnsNames: z.array(z.string()).optional(),
    usages: z.array(z.enum(['digital signature', 'server auth', 'client auth'])).optional(),
    duration,
    renewBefore: duration.optional(),
    privateKey: z.strictObject({
      algorithm: z.literal('ECDSA'),
      size: z.literal(256),
      rotationPolicy: z.literal('Always'),
    }),
    issuerRef: z.strictObject({
      group: z.literal('cert-manager.io'),
      kind: z.literal('ClusterIssuer'),
      name: z.string(),
    }),
  }),
});

/** Istio's mesh configuration, which its own CRD leaves open. Fields and defaults: MeshConfig of Istio 1.27. */
const istioOperator = z.strictObject({
  apiVersion: z.literal('install.istio.io/v1alpha1'),
  kind: z.literal('IstioOperator'),
  metadata,
  spec: z.strictObject({
    meshConfig: z.strictObject({
      pathNormalization: z.strictObject({
        normalization: z.enum(['NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES']),
      }),
      defaultConfig: z.strictObject({
        gatewayTopology: z.strictObject({ numTrustedProxies: z.int().min(0) }),
      }),
      extensionProviders: z.array(
        z.strictObject({
          name: z.string().regex(/^[a-z0-9-]{1,63}$/),
          envoyExtAuthzGrpc: z.strictObject({
            service: z.string(),
            port: z.int(),
            timeout: z.string().regex(/^[\d.]+s$/),
            failOpen: z.literal(false),
            statusOnError: z.string().regex(/^[45]\d\d$/),
          }),
        }),
      ),
    }),
  }),
});

/** The schemas of what no package knows, by kind. */
export const OWN_SCHEMAS: { readonly [kind: string]: z.ZodType } = {
  ClusterIssuer: issuer,
  Certificate: certificate,
  IstioOperator: istioOperator,
};

/** The experimental filter of an HTTPRoute: its type is known to the package, its name in the list of filters is not. */
export const externalAuth = z.strictObject({
  type: z.literal('ExternalAuth'),
  externalAuth: z.strictObject({
    protocol: z.literal('GRPC'),
    backendRef: z.strictObject({ name: z.string(), namespace: z.string(), port: z.int() }),
    grpc: z.strictObject({}),
  }),
});
