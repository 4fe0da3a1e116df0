import { spawn } from 'node:child_process';
import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../free-port.ts';
import { findPrometheus, PROMETHEUS_REMEDY } from '../../prometheus.ts';
import { endProcess } from '../../run-envoy.ts';

/** One series of an answer: its labels, and pairs of seconds and a number as text. */
export type Series = {
  readonly metric: { readonly [label: string]: string };
  readonly values: readonly (readonly [number, string])[];
};

/** A real Prometheus on the loopback address. */
export type RunningPrometheus = {
  readonly url: string;
  /** Runs a query over a time, in seconds since 1970. Throws with its words when it refuses. */
  readonly query: (
    expr: string,
    over: { readonly from: number; readonly to: number; readonly step: number },
  ) => Promise<readonly Series[]>;
  /** The scrapes that work, by job, and the rules that do not, each with why. */
  readonly state: () => Promise<{
    readonly up: readonly string[];
    readonly brokenRules: readonly string[];
  }>;
  readonly stop: () => Promise<void>;
};

export type ScrapeTarget = { readonly job: string; readonly url: string };

const RULES = join(import.meta.dirname, '..', '..', '..', '..', 'deploy', 'prometheus');
const READY_MS = 20_000;
const POLL_MS = 50;
const LOG_CHARS_MAX = 20_000;

/** Starts a Prometheus that scrapes each second, with the rules of deploy/prometheus; its files go into `folder`. */
export async function runPrometheus(
  folder: string,
  targets: readonly ScrapeTarget[],
): Promise<RunningPrometheus> {
  const binary = findPrometheus('prometheus');
  if (binary === undefined) throw new Error(`There is no Prometheus: ${PROMETHEUS_REMEDY}.`);
  const file = join(folder, 'prometheus.json');
  writeFileSync(file, JSON.stringify(configuration(targets)));
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(
    binary,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      `--web.listen-address=${new URL(url).host}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-LOG_CHARS_MAX);
  });
  const deadlineMs = Date.now() + READY_MS;
  while (!(await isReady(url))) {
    if (child.exitCode !== null || Date.now() > deadlineMs) {
      await endProcess(child);
      throw new Error(`Prometheus did not start:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return {
    url,
    query: (expr, over) => query(url, expr, over),
    state: () => state(url),
    stop: () => endProcess(child),
  };
}

function configuration(targets: readonly ScrapeTarget[]): object {
  return {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: globSync('*.rules.yaml', { cwd: RULES }).map((name) => join(RULES, name)),
    scrape_configs: targets.map(({ job, url }) => ({
      job_name: job,
      metrics_path: new URL(url).pathname,
      static_configs: [{ targets: [new URL(url).host] }],
    })),
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/-/ready`);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

async function query(
  url: string,
  expr: string,
  { from, to, step }: { readonly from: number; readonly to: number; readonly step: number },
): Promise<readonly Series[]> {
  const body = new URLSearchParams({
    query: expr,
    start: String(from),
    end: String(to),
    step: String(step),
  });
  const answer = await ask<{ readonly result: readonly Series[] }>(
    `${url}/api/v1/query_range`,
    { method: 'POST', body },
    expr,
  );
  return answer.result;
}

async function state(url: string): ReturnType<RunningPrometheus['state']> {
  type Rule = { readonly name: string; readonly lastError?: string };
  const [targets, rules] = await Promise.all([
    ask<{
      readonly activeTargets: readonly {
        readonly scrapePool: string;
        readonly health: string;
      }[];
    }>(`${url}/api/v1/targets`),
    ask<{ readonly groups: readonly { readonly rules: readonly Rule[] }[] }>(`${url}/api/v1/rules`),
  ]);
  const up = targets.activeTargets.filter(({ health }) => health === 'up');
  const all = rules.groups.flatMap((group) => group.rules);
  return {
    up: up.map(({ scrapePool }) => scrapePool).sort(),
    brokenRules: all
      .filter(({ lastError }) => lastError !== undefined && lastError !== '')
      .map(({ name, lastError }) => `${name}: ${lastError}`),
  };
}

async function ask<T>(url: string, init: RequestInit = {}, about = url): Promise<T> {
  const response = await fetch(url, init);
  const answer = (await response.json()) as { readonly data?: T; readonly error?: string };
  if (answer.data === undefined) throw new Error(`Prometheus refuses ${about}: ${answer.error}`);
  return answer.data;
}
