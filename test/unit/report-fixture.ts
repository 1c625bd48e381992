import type { MaintenanceReport, VmReport } from '../../src/maintenance/report.js';

/** One VM's part of a report in which all is well. */
export const vmReportOf = (changes: Partial<VmReport> = {}): VmReport => ({
  name: 'vm-1',
  program: 'ticker',
  ramBytes: 1024 ** 2,
  wasRunning: true,
  memory: 'preserved',
  digestBefore: '0123456789abcdef',
  digestAfter: '0123456789abcdef',
  bytesRead: 1024 ** 2,
  bytesReadInFreeze: 2 * 1024 ** 2,
  changedPages: null,
  stepsBefore: 10,
  stepsAfter: 10,
  invariantsOk: true,
  violation: null,
  blackoutNs: 1000,
  phases: { requestNs: 10, haltNs: 10, digestNs: 400, patchNs: 540, resumeNs: 50, syncNs: 20 },
  requestedAfterNs: 0,
  clockLagBeforeNs: 1000,
  clockLagAfterNs: 1,
  syncedBy: 'step',
  resumedBy: 'caller',
  ticker: null,
  ...changes,
});

export const reportOf = (changes: Partial<MaintenanceReport> = {}): MaintenanceReport => ({
  schemaVersion: 1,
  ok: true,
  problems: [],
  seed: 1,
  budgetMs: 30_000,
  budgetKept: true,
  resumedBy: 'caller',
  proof: 'full',
  vms: [vmReportOf()],
  patches: [],
  ...changes,
});
