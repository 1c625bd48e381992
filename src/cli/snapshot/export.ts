import { resolve } from 'node:path';
import { Command } from 'commander';
import { StandstillError, unexpected } from '../../base/errors.js';
import { formatBytes } from '../../base/units.js';
import { VmSnapshot } from '../../snapshot/snapshot.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform, type Watch } from '../perform.js';
import { baseOption } from './bases.js';
import { hex64 } from './info.js';

interface ExportFlags extends OutputFlags {
  elf?: string;
  raw?: string;
  base?: string[];
}

export const exportCommand = (leave: Leave): Command =>
  new Command('export')
    .summary('write the RAM of a snapshot as an ELF core or as it is')
    .description(
      'Writes the RAM of a snapshot file for other tools: as an ELF core, which debuggers open, or as it is, byte for ' +
        'byte, whose CRC-64/NVME is the digest.',
    )
    .argument('<file>', 'snapshot file')
    .option('--elf <file>', 'write an ELF64 core')
    .option('--raw <file>', 'write the bytes alone')
    .addOption(baseOption('what a differential file builds on, repeatable'))
    .addHelpText(
      'after',
      closing('0 done; 1 damaged, or refused by the system; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill snapshot export a.snap --elf a.core',
        'standstill snapshot export b.snap --base a.snap --raw b.ram',
      ]),
    )
    .action((file: string, flags: ExportFlags) => {
      assertTargets(file, flags);
      if (flags.elf !== undefined || flags.raw !== undefined) {
        return perform(flags, leave, (watch) => exportFile(file, flags, watch));
      }
      throw new StandstillError('ERR_INVALID_OPTION', 'Expected --elf or --raw for an export but received neither');
    });

/** Nothing that is read or written is overwritten by an export. */
function assertTargets(file: string, { elf, raw, base = [] }: ExportFlags): void {
  const taken = new Set([file, ...base].map((path) => resolve(path)));
  for (const target of [elf, raw]) {
    if (target === undefined) continue;
    if (taken.has(resolve(target))) {
      throw unexpected('ERR_INVALID_OPTION', 'a file of its own', 'an export', target);
    }
    taken.add(resolve(target));
  }
}

async function exportFile(path: string, flags: ExportFlags, { signal, onProgress, say }: Watch): Promise<Outcome> {
  const watch = { signal, onProgress };
  say(`loading ${path}`);
  const snapshot = await VmSnapshot.load(path, { bases: flags.base, ...watch });
  for (const target of [flags.elf, flags.raw]) {
    if (target === undefined) continue;
    say(`writing ${target}`);
    await (target === flags.elf ? snapshot.exportElf(target, watch) : snapshot.exportRaw(target, watch));
  }
  const digest = hex64(await snapshot.digest(watch));
  const { elf, raw } = flags;
  return {
    json: { schemaVersion: 1, path, id: await snapshot.id, digest, elf: elf ?? null, raw: raw ?? null },
    text: ({ style }) => {
      const written = [elf, raw].filter((target) => target !== undefined).join(' and ');
      const subject = `${formatBytes(snapshot.ramBytes)} of RAM at step ${snapshot.steps.toLocaleString('en')}`;
      return `${style.green('✔')} ${style.bold('Exported')}: ${subject} to ${written}\n  digest ${digest}\n`;
    },
  };
}
