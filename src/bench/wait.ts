/** Lets the guest run for 20 to 70 µs, at random, on a CPU of its own: samples must not fall into step with it. */
export function busyGap(): void {
  busyWaitUs(20 + Math.random() * 50);
}

export function busyWaitUs(durationUs: number): void {
  const until = performance.now() + durationUs / 1000;
  while (performance.now() < until);
}

/** What a promise takes, in nanoseconds, as JavaScript sees it. */
export async function timed<Value>(work: () => Promise<Value>): Promise<{ value: Value; ns: number }> {
  const fromNs = process.hrtime.bigint();
  const value = await work();
  return { value, ns: Number(process.hrtime.bigint() - fromNs) };
}
