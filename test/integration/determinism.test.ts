import { guestPrograms, verifyDeterminism } from 'standstill';
import { describe, expect, it } from 'vitest';

const programs = guestPrograms().map((program) => program.name);
/** The one that sleeps takes about a thousand steps a second. */
const stepsOf = (program: string) => (program === 'idle' ? 100 : 300_000);

describe.each(programs)('%s', (program) => {
  it('is at the same place after the same steps, however it was paused', { timeout: 120_000 }, async () => {
    const options = { program, memory: '2 MiB', seed: 2n ** 63n + 5n, steps: stepsOf(program), pauses: 20 };
    const report = await verifyDeterminism(options);
    expect(report).toMatchObject({ ok: true, program, seed: '9223372036854775813', steps: options.steps });
    expect(report.runs.map((run) => run.name)).toEqual(['uninterrupted', 'paused', 'duty-cycle']);
    expect(new Set(report.runs.map((run) => run.digest)).size).toBe(1);
    expect(report.runs.every((run) => run.invariantsOk)).toBe(true);
    expect(() => JSON.stringify(report)).not.toThrow();
  });
});

it('differs from seed to seed', async () => {
  const digest = async (seed: number) =>
    (await verifyDeterminism({ program: 'kv-store', memory: '1 MiB', seed, steps: 10_000, pauses: 0 })).runs[0]?.digest;
  expect(await digest(1)).not.toBe(await digest(2));
});

it.each([
  [{ program: 'nonsense' }, 'ERR_UNKNOWN_PROGRAM'],
  [{ program: 'queue', steps: 0 }, 'ERR_INVALID_OPTION'],
  [{ program: 'queue', pauses: -1 }, 'ERR_INVALID_OPTION'],
  [{ program: 'queue', secondDutyCycle: 2 }, 'ERR_INVALID_OPTION'],
  [{ program: 'queue', step: 1 }, 'ERR_UNKNOWN_OPTION'],
])('refuses %j', async (options, code) => {
  await expect(verifyDeterminism(options)).rejects.toMatchObject({ code });
});
