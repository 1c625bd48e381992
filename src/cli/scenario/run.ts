import { isStandstillError } from '../../base/errors.js';
import type { Fleet } from '../../fleet/fleet.js';
import { readScenario } from '../../scenario/parse.js';
import { recordOf } from '../../scenario/run/run.js';
import { randomSeed } from '../../scenario/run/seed.js';
import { EXIT_NOT_OK, EXIT_OK } from '../exit-codes.js';
import { catchInterrupts } from '../interrupt.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { writeReports } from '../recording.js';
import { terminalOf } from '../terminal.js';
import { renderRun } from './render.js';
import { viewOf } from './view.js';

/** The flags of `standstill run scenario.yaml`, as commander hands them over. */
export interface RunScenarioFlags extends OutputFlags {
  seed?: number;
  report?: string[];
}

/** `standstill run scenario.yaml`: a scenario file, end to end. */
export async function runScenarioFile(path: string, flags: RunScenarioFlags, leave: Leave): Promise<void> {
  const scenario = await readScenario(path);
  const seed = flags.seed ?? scenario.seed ?? randomSeed();
  let fleet: Fleet | undefined;
  // A second signal does not wait; the temporary folders of the hosts go all the same.
  using interrupt = catchInterrupts(() => {
    for (const host of fleet?.hosts ?? []) host[Symbol.dispose]();
  });
  let exitCode: number;
  try {
    const { style } = terminalOf(process.stderr, flags.color);
    const record = await (async () => {
      using view = viewOf(
        `${scenario.name} ${style.dim(`seed ${seed}`)}`,
        style,
        flags.json !== true && flags.quiet !== true,
      );
      const options = { seed, signal: interrupt.signal, onEvent: view.take };
      return await recordOf(scenario, options, (made) => {
        fleet = made;
      });
    })();
    writeReports(record, flags.report ?? [], '--report');
    const json = () => `${JSON.stringify(record, null, 2)}\n`;
    process.stdout.write(flags.json ? json() : renderRun(record, terminalOf(process.stdout, flags.color)));
    exitCode = record.result === 'passed' ? EXIT_OK : EXIT_NOT_OK;
  } catch (error) {
    if (interrupt.exitCode === undefined || !isStandstillError(error, 'ERR_ABORTED')) throw error;
    process.stderr.write('Interrupted: all guests were ended, the temporary folders are removed.\n');
    exitCode = interrupt.exitCode;
  }
  const blockedThreads = (fleet?.hosts ?? []).reduce((sum, host) => sum + host.abandonedThreads, 0);
  await leave(exitCode, blockedThreads);
}
