import { dirname, isAbsolute, join } from 'node:path';

/** A path of a policy as the file system takes it: relative ones begin where the policy lies. */
export function besidePolicy(policyPath: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(policyPath), path);
}
