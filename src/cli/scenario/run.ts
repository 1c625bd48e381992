import { isStandstillError } from '../../base/errors.js';
import type { Fleet } from '../../fleet/fleet.js';
import { readScenario } from '../../scenario/parse.js';
import { patchSpec } from '../../scenario/run/ground.js';
import { prepareRun } from '../../scenario/run/run.js';
import { randomSeed } from '../../scenario/run/seed.js';
import { serveOn, startDashboard, tellDashboard, type UiFlag } from '../dashboard.js';
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
  ui?: UiFlag;
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
  let exitCode: number = EXIT_NOT_OK;
  try {
    const { style } = terminalOf(process.stderr, flags.color);
    const title = `${scenario.name} ${style.dim(`seed ${seed}`)}`;
    using view = viewOf(title, style, flags.json !== true && flags.quiet !== true);
    const options = { seed, signal: interrupt.signal, onEvent: view.take };
    await using prepared = await prepareRun(scenario, options, (made) => {
      fleet = made;
    });
    const means = { metadata: prepared.metadata, patches: scenario.patches.map(patchSpec) };
    await using dashboard = await startDashboard(flags.ui, prepared.fleet, means);
    tellDashboard(dashboard, view.say);
    const record = await prepared.run();
    view[Symbol.dispose]();
    writeReports(record, flags.report ?? [], '--report');
    const json = () => `${JSON.stringify(record, null, 2)}\n`;
    process.stdout.write(flags.json ? json() : renderRun(record, terminalOf(process.stdout, flags.color)));
    exitCode = record.result === 'passed' ? EXIT_OK : EXIT_NOT_OK;
    await serveOn(dashboard, interrupt.signal);
  } catch (error) {
    if (interrupt.exitCode === undefined || !isStandstillError(error, 'ERR_ABORTED')) throw error;
    process.stderr.write('Interrupted: all guests were ended, the temporary folders are removed.\n');
    exitCode = interrupt.exitCode;
  }
  const blockedThreads = (fleet?.hosts ?? []).reduce((sum, host) => sum + host.abandonedThreads, 0);
  await leave(exitCode, blockedThreads);
}
