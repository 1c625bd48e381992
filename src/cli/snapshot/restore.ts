import { Command, Option } from 'commander';
import { StandstillError } from '../../base/errors.js';
import { formatBytes } from '../../base/units.js';
import { Host } from '../../host/host.js';
import type { VmSnapshot } from '../../snapshot/snapshot.js';
import type { CheckResult } from '../../vm/vm.js';
import { EXIT_NOT_OK, EXIT_OK } from '../exit-codes.js';
import { wholeNumber } from '../flags.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform, type Watch } from '../perform.js';
import type { Style } from '../terminal.js';
import { baseOption } from './bases.js';
import { hex64 } from './info.js';
import { runTo } from './run-to.js';

interface RestoreFlags extends OutputFlags {
  steps?: number;
  base?: string[];
}

export const restoreCommand = (leave: Leave): Command =>
  new Command('restore')
    .summary('run a snapshot on to a step and tell the digest there')
    .description(
      'Creates a VM that begins at a snapshot file, every byte of which is checked, lets its guest program run on to a ' +
        "step, and tells the digest of its RAM there and whether the program's invariants hold.",
    )
    .argument('<file>', 'snapshot file')
    .addOption(
      new Option('--steps <number>', 'the step to halt at, counted from the beginning of the guest')
        .argParser(wholeNumber('--steps', 0, Number.MAX_SAFE_INTEGER))
        .default(undefined, "the snapshot's own"),
    )
    .addOption(baseOption('what a differential file builds on, repeatable'))
    .addHelpText(
      'after',
      closing(
        '0 done; 1 damaged, a guest fault, violated invariants, a step that has passed, or refused by the system; 2 usage; 130 Ctrl-C, 143 SIGTERM.',
        ['standstill snapshot restore a.snap --steps 2000000'],
      ),
    )
    .action((file: string, flags: RestoreFlags) => perform(flags, leave, (watch) => restore(file, flags, watch)));

async function restore(path: string, flags: RestoreFlags, watch: Watch): Promise<Outcome> {
  const { signal, onProgress, say } = watch;
  await using host = await Host.create();
  say(`loading ${path}`);
  const snapshot = await host.loadSnapshot(path, { bases: flags.base, verify: true, signal, onProgress });
  const step = stepOf(flags, snapshot);
  const vm = await host.restore(snapshot, { signal, onProgress });
  await runTo(vm, step, watch);
  say('reading its memory');
  const digest = hex64((await vm.digest({ signal, onProgress })).value);
  const check = await vm.check({ signal });
  return {
    json: {
      schemaVersion: 1,
      path,
      id: await snapshot.id,
      program: snapshot.program,
      ramBytes: snapshot.ramBytes,
      stepsInFile: snapshot.steps,
      steps: step,
      digest,
      invariantsOk: check.ok,
      violation: check.violation,
    },
    text: ({ style }) => render(snapshot, step, digest, check, style),
    exitCode: check.ok ? EXIT_OK : EXIT_NOT_OK,
  };
}

function stepOf({ steps }: RestoreFlags, snapshot: VmSnapshot): number {
  if (steps === undefined || steps >= snapshot.steps) return steps ?? snapshot.steps;
  const message = `Expected a step of ${snapshot.steps} at least, where the snapshot is, for --steps but received ${steps}`;
  throw new StandstillError('ERR_STEP_PASSED', message);
}

function render(snapshot: VmSnapshot, step: number, digest: string, check: CheckResult, style: Style): string {
  const { program, ramBytes, steps } = snapshot;
  const run = `${program} with ${formatBytes(ramBytes)} of RAM, ${(step - steps).toLocaleString('en')} steps`;
  const held = check.ok ? style.green('hold') : style.red(`VIOLATED: ${check.violation}`);
  return [
    `${style.green('✔')} ${style.bold('Restored')}: ${run} from step ${steps.toLocaleString('en')} on`,
    `  ${style.dim('step      ')}  ${step.toLocaleString('en')}`,
    `  ${style.dim('digest    ')}  ${digest}`,
    `  ${style.dim('invariants')}  ${held}\n`,
  ].join('\n');
}
