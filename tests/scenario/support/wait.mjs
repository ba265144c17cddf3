// Waiting on conditions, never on time: every wait has a deadline and says what it waited for.
import { setTimeout as sleep } from 'node:timers/promises';

export class DeadlineError extends Error {}

// Asks `probe` again and again until it yields something truthy, which is returned.
export async function until(what, probe, ms) {
  const end = Date.now() + ms;
  let pause = 2;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() >= end) throw new DeadlineError(`not within ${ms} ms: ${what}`);
    await sleep(pause);
    pause = Math.min(pause * 2, 50);
  }
}

// A promise that must settle in time.
export function within(what, ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A small generator of random numbers (mulberry32), so that a seed repeats a test.
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
