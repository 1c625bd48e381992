import { randomInt } from 'node:crypto';
import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { StandstillError, unexpected } from '../../base/errors.js';
import { formatBytes } from '../../base/units.js';
import type { VmSnapshot } from '../../snapshot/snapshot.js';
import { EmulatedVm } from '../../vm/emulated-vm.js';
import type { VmOptions } from '../../vm/options.js';
import { collect, wholeNumber } from '../flags.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform, type Watch } from '../perform.js';
import { memoryOf, RANDOM_SEED_LIMIT } from '../run-options.js';
import { baseOption, loadBase } from './bases.js';
import { describeFile } from './info.js';
import { runTo } from './run-to.js';

interface CreateFlags extends OutputFlags {
  program: string;
  param?: string[];
  memory: string;
  steps: number;
  seed?: number;
  out: string;
  compress?: true;
  base?: string[];
}

export const createCommand = (leave: Leave): Command =>
  new Command('create')
    .summary('run a guest program to a step and save it')
    .description('Creates a VM, lets its guest program run to a step, and saves a snapshot of it.')
    .requiredOption('--program <name>', 'guest program')
    .option('--param <name=value>', "parameter of the program, repeatable, as 'workingSet=16MiB'", collect)
    .option('--memory <size>', "RAM of the VM, bytes or text such as '64MiB'", '64MiB')
    .addOption(
      new Option('--steps <number>', 'the step to halt at')
        .argParser(wholeNumber('--steps', 0, Number.MAX_SAFE_INTEGER))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--seed <number>', 'decides the guest')
        .argParser(wholeNumber('--seed', 0, Number.MAX_SAFE_INTEGER))
        .default(undefined, 'random, printed'),
    )
    .requiredOption('--out <file>', 'where to write the snapshot, whole or not at all')
    .option('--compress', 'deflate it')
    .addOption(baseOption('write only what differs from this one; repeatable for what that one builds on'))
    .addHelpText(
      'after',
      closing('0 done; 1 a guest fault, or refused by the system; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill snapshot create --program kv-store --steps 1000000 --seed 7 --out a.snap',
        'standstill snapshot create --program kv-store --steps 1100000 --seed 7 --base a.snap --out b.snap',
      ]),
    )
    .action((flags: CreateFlags) => perform(flags, leave, (watch) => create(flags, watch)));

async function create(flags: CreateFlags, watch: Watch): Promise<Outcome> {
  using vm = await EmulatedVm.create(vmOptionsOf(flags));
  await assertPlace(flags.out);
  const base = flags.base === undefined ? undefined : await loadBase(flags.base, watch);
  assertSameSize(base, vm);
  await runTo(vm, flags.steps, watch);
  watch.say(`writing ${flags.out}`);
  const { signal, onProgress } = watch;
  const snapshot = await vm.snapshot({ signal, onProgress });
  await snapshot.save(flags.out, { compress: flags.compress, base, signal, onProgress });
  return await describeFile(flags.out);
}

const vmOptionsOf = ({ program, param = [], memory, seed }: CreateFlags): VmOptions => ({
  program,
  params: Object.fromEntries(param.map(paramOf)),
  memory: memoryOf(memory),
  seed: seed ?? randomInt(RANDOM_SEED_LIMIT),
});

/** 'putFraction=0.5' is a number, 'workingSet=16MiB' is text. */
function paramOf(text: string): [string, string | number] {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw unexpected('ERR_INVALID_OPTION', '<name>=<value>', '--param', text);
  const value = text.slice(at + 1);
  return [text.slice(0, at), Number.isNaN(Number(value)) ? value : Number(value)];
}

/** What is sure to fail at the end fails before the guest runs. */
async function assertPlace(out: string): Promise<void> {
  if ((await stat(out).catch(() => null))?.isDirectory()) {
    throw new StandstillError('ERR_SNAPSHOT_IO', `Expected a file for --out but received the folder ${out}`);
  }
  const folder = dirname(resolve(out));
  await access(folder, constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    const message = `Expected a folder that can be written for --out but received ${error.code} for ${folder}`;
    throw new StandstillError('ERR_SNAPSHOT_IO', message, { cause: error });
  });
}

function assertSameSize(base: VmSnapshot | undefined, { ramBytes }: EmulatedVm): void {
  if (base === undefined || base.ramBytes === ramBytes) return;
  const message = `Expected RAM of ${formatBytes(ramBytes)}, as the VM has, for --base but received ${formatBytes(base.ramBytes)}`;
  throw new StandstillError('ERR_SNAPSHOT_MISMATCH', message);
}
