import { formatBytes } from '../../base/units.js';
import { inspectSnapshotFile, type SnapshotFileInfo } from '../../snapshot/inspect.js';
import type { Outcome } from '../perform.js';
import { renderRamMap } from '../render/ram-map.js';
import type { Style, Terminal } from '../terminal.js';

/** What a file says of itself, as the result of a command. */
export async function describeFile(path: string): Promise<Outcome> {
  const info = await inspectSnapshotFile(path);
  return { json: infoToJson(info), text: (terminal) => renderInfo(info, terminal) };
}

export const hex64 = (value: bigint): string => value.toString(16).padStart(16, '0');

function infoToJson(info: SnapshotFileInfo): object {
  const { pageKinds: _, ...told } = info;
  return {
    schemaVersion: 1,
    ...told,
    baseId: info.baseId ?? null,
    digest: hex64(info.digest),
    seed: info.seed <= Number.MAX_SAFE_INTEGER ? Number(info.seed) : String(info.seed),
    guestWallNs: String(info.guestWallNs),
  };
}

function renderInfo(info: SnapshotFileInfo, terminal: Terminal): string {
  const { style } = terminal;
  const title = `${style.bold('Snapshot')} ${info.path}`;
  return `\n${[title, renderFacts(info, style), renderRamMap(info, terminal)].join('\n\n')}\n\n`;
}

function renderFacts(info: SnapshotFileInfo, style: Style): string {
  const params = Object.entries(info.params).map(([name, value]) => `${name} ${value}`);
  const form = info.baseId === undefined ? 'stands alone' : 'differential';
  const size = `${formatBytes(info.fileBytes)}, ${formatBytes(info.diskBytes)} on disk`;
  const facts: [string, string][] = [
    ['program', `${info.program}${params.length === 0 ? '' : style.dim(` ${params.join(', ')}`)}`],
    ['seed', String(info.seed)],
    ['step', info.steps.toLocaleString('en')],
    ['RAM', formatBytes(info.ramBytes)],
    ['digest', hex64(info.digest)],
    ['id', info.id],
    ['base', info.baseId ?? 'none'],
    ['taken', `${info.takenAt.toISOString()} of VM ${info.vmName}`],
    ['file', `${size}, ${form}, ${info.compressed ? 'compressed' : 'uncompressed'}`],
    ['format', `version ${info.formatVersion}`],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${style.dim(name.padEnd(width))}  ${value}`).join('\n');
}
