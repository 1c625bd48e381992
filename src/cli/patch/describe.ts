import { formatBytes, formatNs, NS_PER_MS } from '../../base/units.js';
import type { BundleHead } from '../../components/bundle.js';
import type { Outcome } from '../perform.js';
import { renderTable } from '../render/table.js';

/** What a bundle says of itself, for people and for programs. */
export function describeHead(bundle: string, { manifest, signature }: BundleHead): Outcome {
  const bytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const dependencies = Object.entries(manifest.dependencies).map(([name, range]) => `${name} ${range}`);
  const rows: [string, string][] = [
    ['patch', manifest.id],
    ['component', `${manifest.component} ${manifest.from} → ${manifest.to}`],
    ['impact', `${manifest.impact}, ${formatNs(manifest.expectedDurationMs * NS_PER_MS)} expected`],
    ['depends on', dependencies.length === 0 ? 'nothing' : dependencies.join(', ')],
    ['files', `${manifest.files.length}, ${formatBytes(bytes)}`],
    ['signed by', signature?.keyId ?? 'nobody'],
    ...(manifest.description === '' ? [] : [['description', manifest.description] as [string, string]]),
  ];
  return {
    json: { schemaVersion: 1, bundle, manifest, signature: signature ?? null },
    text: ({ style }) =>
      `${style.bold(bundle)}\n${renderTable(
        [
          { head: '', align: 'left', cell: ([name]: [string, string]) => style.dim(name) },
          { head: '', align: 'left', cell: ([, value]: [string, string]) => value },
        ],
        rows,
        style,
      ).trimStart()}\n`,
  };
}
