import type { VmReport } from '../maintenance/report.js';

export type Part = 'running' | 'halt' | 'digest' | 'patch' | 'resume';

/** A stretch of a row, in nanoseconds from the freeze's first request. */
export interface Segment {
  readonly part: Part;
  readonly fromNs: number;
  readonly toNs: number;
}

/**
 * A VM's row. The report has the digests' time in one figure: where both are in the freeze they read the same bytes, so
 * that each is drawn as half; a deferred proof's closing one is behind the running guest.
 */
export function segmentsOf(vm: VmReport, endNs: number): Segment[] {
  if (!vm.wasRunning) return [];
  const { requestNs, haltNs, digestNs, patchNs, resumeNs } = vm.phases;
  const hasDigests = vm.proof !== 'none';
  const opening = vm.digestAfter === null || vm.proof === 'deferred' ? digestNs : digestNs / 2;
  const lengths: [Part, number][] = [
    ['running', vm.requestedAfterNs + requestNs],
    ['halt', haltNs],
    ['digest', hasDigests ? opening : 0],
    ['patch', patchNs],
    ['digest', hasDigests ? digestNs - opening : 0],
    ['resume', resumeNs],
    ['running', Number.POSITIVE_INFINITY],
  ];
  let atNs = 0;
  return lengths.map(([part, lengthNs]) => {
    const fromNs = atNs;
    atNs = Math.min(endNs, atNs + lengthNs);
    return { part, fromNs, toNs: atNs };
  });
}
