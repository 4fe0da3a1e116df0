import type { Policy } from '../core/policy.ts';
import { compilePolicy } from './compile.ts';
import type { Environment } from './environment.ts';
import { type Loaded, loadPolicy } from './load.ts';
import { loadAside } from './load-aside.ts';
import { loosened } from './loosened.ts';
import { type Problem, writeProblem } from './problem.ts';
import { readSettings, restartNeeds, type Settings } from './settings.ts';
import { openWatch } from './watch.ts';

/** A policy that replaced the one before. */
export type PolicyChange = {
  readonly policy: Policy;
  readonly settings: Settings;
  /** What the new policy allows and the old one did not, in words. */
  readonly loosened: readonly string[];
  readonly warnings: readonly Problem[];
  /** Keys of the policy whose change takes a restart; until then the old ones hold. */
  readonly restart: readonly string[];
};

/** Where a policy comes from, and who hears of its changes. */
export type PolicySource = {
  readonly path: string;
  readonly env: Environment;
  readonly now?: () => number;
  readonly pollMs?: number;
  /** Has the last word on a policy that is sound by itself: what else stands against it, one problem a line. */
  readonly accept?: (policy: Policy) => Promise<readonly string[]>;
  readonly onChange?: (change: PolicyChange) => void;
  /** A reload failed for these problems, one a line; the policy before it stays. */
  readonly onProblem?: (problems: readonly string[]) => void;
};

/** A policy that is kept up to date with its files. */
export type OpenPolicy = AsyncDisposable & {
  /** The policy in force. */
  readonly policy: () => Policy;
  readonly settings: Settings;
  readonly warnings: readonly Problem[];
  /** Reads the policy again (SIGHUP); resolves when it is in force or refused. */
  readonly reload: () => Promise<void>;
};

const POLL_MS = 2000;

/** Opens a policy, or answers its problems. Later problems keep the last good policy and are reported. */
export async function openPolicy(
  source: PolicySource,
): Promise<OpenPolicy | { readonly problems: readonly Problem[] }> {
  const now = source.now ?? Date.now;
  const loaded = loadPolicy({ path: source.path, env: source.env, nowMs: now() });
  const { config } = loaded;
  if (!config) return { problems: loaded.problems };
  const settings = readSettings(config);
  const policy = await compilePolicy({ config, hash: loaded.hash });
  return keepFresh(source, { loaded, settings, policy });
}

function keepFresh(
  source: PolicySource,
  first: { readonly loaded: Loaded; readonly settings: Settings; readonly policy: Policy },
): OpenPolicy {
  const closing = new AbortController();
  let { policy } = first;
  let known = knownOf(first.loaded);
  let running = Promise.resolve();

  const reloadOnce = async () => {
    if (closing.signal.aborted) return;
    const { path, env, now = Date.now } = source;
    const order = { path, env, nowMs: now(), known };
    const found = await loadAside(order, closing.signal);
    watching.follow(found.stamps);
    if (found.unchanged) return;
    known = knownOf(found);
    if (!found.config) {
      source.onProblem?.(found.problems.map(writeProblem));
      return;
    }
    const settings = readSettings(found.config);
    const next = await compilePolicy({ ...found, config: found.config });
    if (!(await isAccepted(source, next))) return;
    const looser = await loosened(policy, next);
    if (closing.signal.aborted) return;
    policy = next;
    const restart = restartNeeds(first.settings, settings);
    source.onChange?.({ policy, settings, loosened: looser, warnings: found.warnings, restart });
  };
  const reload = () => {
    running = running.then(reloadOnce).catch((cause) => {
      if (!closing.signal.aborted)
        source.onProblem?.([`the policy cannot be reloaded: ${wordOf(cause)}`]);
    });
    return running;
  };
  const watching = openWatch(() => void reload(), source.pollMs ?? POLL_MS);
  watching.follow(first.loaded.stamps);
  return {
    policy: () => policy,
    settings: first.settings,
    warnings: first.loaded.warnings,
    reload,
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      watching.close();
      await running;
    },
  };
}

async function isAccepted(source: PolicySource, policy: Policy): Promise<boolean> {
  const objections = (await source.accept?.(policy)) ?? [];
  if (objections.length > 0) source.onProblem?.(objections);
  return objections.length === 0;
}

function knownOf({ hash, placeholders }: Loaded): Pick<Loaded, 'hash' | 'placeholders'> {
  return { hash, placeholders };
}

function wordOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
