import { describe, expect, test } from 'vitest';
import type { CheckReading } from '../../../src/observe/metrics/check.ts';
import { createHistory, type History, NOTE_MS } from '../../../src/observe/ops/history.ts';
import { trafficOf } from '../../../src/observe/ops/traffic.ts';
import { counted, STARTED_MS } from './stage.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A history in which `perMinute` requests are allowed each minute. */
function open(perMinute: number) {
  const clock = { nowMs: STARTED_MS, offMs: 0 };
  const read = async (): Promise<CheckReading> =>
    counted(Math.round(((clock.nowMs - STARTED_MS) / MINUTE_MS) * perMinute));
  const now = () => clock.nowMs + clock.offMs;
  const history = createHistory({ read, now, startedMs: STARTED_MS });
  const pass = async (ms: number) => {
    for (let left = ms; left >= NOTE_MS; left -= NOTE_MS) {
      clock.nowMs += NOTE_MS;
      await history.note();
    }
    clock.nowMs += ms % NOTE_MS;
  };
  return { history, pass, clock };
}

/** How far each window reaches back, in minutes, and the requests in it. */
async function reaches(history: History) {
  const { sinceStart, lastHour, lastDay } = await history.windows();
  return [lastHour, lastDay, sinceStart].map((window) => [
    (window.to.atMs - window.from.atMs) / MINUTE_MS,
    trafficOf(window).requests,
  ]);
}

describe('windows', () => {
  test.each([
    { name: 'at the start are empty', minutes: 0, hour: [0, 0], day: [0, 0] },
    {
      name: 'of a young process reach to its start',
      minutes: 10.5,
      hour: [10.5, 105],
      day: [10.5, 105],
    },
    { name: 'of an hour', minutes: 60, hour: [60, 600], day: [60, 600] },
    { name: 'reach a minute further at most', minutes: 90.5, hour: [60.5, 605], day: [90.5, 905] },
    { name: 'of a day', minutes: 1440, hour: [60, 600], day: [1440, 14_400] },
    {
      name: 'of days reach five minutes further at most',
      minutes: 4322,
      hour: [60, 600],
      day: [1442, 14_420],
    },
  ])('$name', async ({ minutes, hour, day }) => {
    const { history, pass } = open(10);
    await pass(minutes * MINUTE_MS);
    expect(await reaches(history)).toEqual([hour, day, [minutes, minutes * 10]]);
  });

  test('a last hour of sixty minutes adds up to it', async () => {
    const { history, pass } = open(10);
    await pass(3 * HOUR_MS + 30_000);
    const { minutes, lastHour } = await history.windows();
    const requests = minutes.map((minute) => trafficOf(minute).requests);
    expect(requests).toEqual([...Array.from({ length: 60 }, () => 10), 5]);
    expect(minutes[0]?.from).toBe(lastHour.from);
    expect(minutes.at(-1)?.to).toBe(lastHour.to);
  });

  test('a clock that was set back makes no window negative, nor loses a request', async () => {
    const { history, pass, clock } = open(10);
    await pass(2 * HOUR_MS);
    clock.offMs = -3 * HOUR_MS;
    await pass(HOUR_MS);
    const { lastHour, lastDay, sinceStart } = await history.windows();
    expect(trafficOf(lastHour).requests).toBeGreaterThanOrEqual(600);
    expect(trafficOf(lastDay).requests).toBe(1800);
    expect(trafficOf(sinceStart).requests).toBe(1800);
  });

  test('a machine that slept tells from when a window really reaches', async () => {
    const { history, pass, clock } = open(10);
    await pass(10 * MINUTE_MS);
    clock.offMs = 5 * HOUR_MS;
    const { lastHour } = await history.windows();
    expect(lastHour.from.atMs).toBe(STARTED_MS + 10 * MINUTE_MS);
  });
});
