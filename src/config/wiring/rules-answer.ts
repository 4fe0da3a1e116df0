import type { Fault } from './fault.ts';
import { type Guard, lacks, mend, settingOf } from './guard.ts';
import { aboutGuards } from './rule.ts';
import { at, isOn, isThere, numberAt, type Spot, textAt } from './spot.ts';
import { readTimeMs } from './time.ts';

/** Postern's inner budget and its margin: with less, trips to a store are cut short. */
const SHORT_MS = 170;
const LONG_MS = 1000;
/** Envoy's own waiting time before a second try, where nothing is said. */
const RETRY_BASE_MS = 1000;
const RETRY_FACTOR = 10;

const UNSET_TIMEOUT: { readonly [dialect in Guard['dialect']]: string } = {
  envoy: '200 ms then hold',
  istio: 'Istio then waits 600 s',
  envoy_gateway: 'Envoy Gateway then waits 10 s',
  gateway_api: 'the implementation chooses',
};

/** What happens when Postern does not answer, or late. */
export const ANSWER_RULES = [
  aboutGuards('failure_mode_allow', (guard) => {
    const spot = settingOf(guard, 'failure_mode_allow');
    if (!isOn(spot)) return undefined;
    return {
      spot,
      message: `requests pass unjudged while Postern does not answer: ${mend(guard, 'failure_mode_allow', 'false')}`,
    };
  }),
  aboutGuards('status_on_error', (guard) => {
    const spot = settingOf(guard, 'status_on_error');
    if (
      /^(?:5\d\d|ServiceUnavailable|InternalServerError|BadGateway|GatewayTimeout)$/.test(
        textAt(spot) ?? '',
      )
    )
      return undefined;
    if (!isThere(spot) && !lacks(guard, 'status_on_error')) return undefined;
    const value = guard.dialect === 'envoy' ? 'ServiceUnavailable' : '503';
    return at403(isThere(spot) ? spot : guard.spot, mend(guard, 'status_on_error', value));
  }),
  aboutGuards('missing_timeout', (guard) => {
    if (!lacks(guard, 'timeout')) return undefined;
    const unset = UNSET_TIMEOUT[guard.dialect];
    return {
      spot: guard.spot,
      message: `no timeout: ${unset}; ${mend(guard, 'timeout', '0.25s')}`,
    };
  }),
  aboutGuards('short_timeout', (guard) => {
    const ms = timeOf(settingOf(guard, 'timeout'));
    if (ms === undefined || ms === 0 || ms >= SHORT_MS) return undefined;
    return {
      spot: settingOf(guard, 'timeout'),
      message: `${ms} ms is less than the ${SHORT_MS} ms that a decision may take: ${mend(guard, 'timeout', '0.25s')}`,
    };
  }),
  aboutGuards('long_timeout', (guard) => {
    const ms = timeOf(settingOf(guard, 'timeout'));
    if (ms === undefined || (ms > 0 && ms <= LONG_MS)) return undefined;
    const wait = ms === 0 ? 'for ever' : `${ms / 1000} s`;
    return {
      spot: settingOf(guard, 'timeout'),
      message: `a Postern that hangs holds each request ${wait}: ${mend(guard, 'timeout', '0.25s')}`,
    };
  }),
  aboutGuards('no_retry', (guard) => {
    if (!lacks(guard, 'retry_policy')) return undefined;
    return {
      spot: guard.spot,
      message: `a connection that breaks costs a request: ${mend(guard, 'retry_policy', '{num_retries: 1, …}')}`,
    };
  }),
  aboutGuards('retry_back_off', judgeBackOff),
] as const;

function at403(spot: Spot, advice: string): Fault {
  return { spot, message: `an outage reads as a refusal (403): ${advice}` };
}

function timeOf(spot: Spot): number | undefined {
  const text = textAt(spot);
  return text === undefined ? undefined : readTimeMs(text);
}

/** Envoy begins a second try after `base_interval`, and takes `max_interval` for the time of one try. */
function judgeBackOff(guard: Guard): Fault | undefined {
  const retry = settingOf(guard, 'retry_policy');
  const timeoutMs = timeOf(settingOf(guard, 'timeout'));
  const isEnvoys = guard.dialect === 'envoy' || guard.dialect === 'istio';
  if (!isEnvoys || !isThere(retry) || timeoutMs === undefined) return undefined;
  if (numberAt(at(retry, 'num_retries')) === 0) return undefined;
  const backOff = at(retry, 'retry_back_off');
  const baseMs = timeOf(at(backOff, 'base_interval')) ?? RETRY_BASE_MS;
  const maxMs = timeOf(at(backOff, 'max_interval')) ?? baseMs * RETRY_FACTOR;
  const spot = isThere(backOff) ? backOff : retry;
  const advice = mend(guard, 'retry_policy', '{retry_back_off: …}');
  if (baseMs >= timeoutMs) {
    return { spot, message: `a second try begins after the timeout has passed: ${advice}` };
  }
  if (maxMs >= timeoutMs) return undefined;
  return { spot, message: `one try may take ${maxMs} ms only, less than the timeout: ${advice}` };
}
