import { isStandstillError, messageOf, StandstillError } from '../base/errors.js';
import { packageVersion } from '../base/package.js';
import type { Check, CheckStatus, Finding } from './check.js';
import { ENGINE_CHECK_ID, ENGINE_CHECKS } from './checks/engine.js';
import { KERNEL_CHECKS } from './checks/kernel.js';
import { MACHINE_CHECKS } from './checks/machine.js';
import { PROCESS_CHECKS } from './checks/process.js';
import { TOOL_CHECKS } from './checks/tools.js';

export const CHECKS: readonly Check[] = [
  ...ENGINE_CHECKS,
  ...MACHINE_CHECKS,
  ...KERNEL_CHECKS,
  ...PROCESS_CHECKS,
  ...TOOL_CHECKS,
];

const UNTRIED: Finding = {
  status: 'missing',
  found: 'not tried, as it takes the native engine',
  consequence: 'nothing is known of it',
  remedy: 'mend the native engine',
};

/** What `standstill doctor --json` prints. Keys may be added. */
export interface DoctorReport {
  schemaVersion: 1;
  standstill: string;
  /** A maintenance of emulated VMs works here. */
  ok: boolean;
  checks: CheckReport[];
}

export interface CheckReport {
  id: string;
  title: string;
  status: CheckStatus;
  required: boolean;
  found: string;
  consequence: string;
  remedy: string | null;
  values: NonNullable<Finding['values']>;
}

/** Tries what this machine offers, one thing after the other, in some seconds. Rejects with ERR_ABORTED. */
export async function examine(
  signal: AbortSignal,
  onCheck: (title: string, done: number, total: number) => void,
  checks: readonly Check[] = CHECKS,
): Promise<DoctorReport> {
  const reports: CheckReport[] = [];
  for (const [done, check] of checks.entries()) {
    if (signal.aborted)
      throw new StandstillError('ERR_ABORTED', 'The examination was aborted', { cause: signal.reason });
    onCheck(check.title, done, checks.length);
    reports.push(await reportOf(check));
  }
  const ok = reports.every(({ required, status }) => !required || status !== 'missing');
  return { schemaVersion: 1, standstill: packageVersion(), ok, checks: reports };
}

async function reportOf({ id, title, isRequired, look, whereMissing }: Check): Promise<CheckReport> {
  const { values = {}, ...finding } = await look().catch((error): Finding => {
    const isUntried = id !== ENGINE_CHECK_ID && isStandstillError(error, 'ERR_ADDON_NOT_BUILT');
    return isUntried ? UNTRIED : { status: 'missing', found: messageOf(error), ...whereMissing };
  });
  return { id, title, required: isRequired, ...finding, values };
}
