import type { Route } from '../core/policy.ts';

/** The route that the API judges its callers on: one key or token is taken, and nothing is demanded. */
export const API_ROUTE: Route = {
  name: 'postern',
  paths: [],
  context: [],
  access: { kind: 'credentials', apiKey: true, jwt: true, anonymous: false, both: false },
  claims: [],
  limits: [],
  cost: 1,
  httpsOnly: false,
  audit: 'none',
  isSensitive: false,
  stripCredentials: true,
  headers: [],
  pathAllow: new Set(),
  challenge: 'Bearer',
};
