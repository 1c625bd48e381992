import { isStandstillError } from '../base/errors.js';
import { machineMemoryBytes } from '../base/machine.js';
import { formatBytes, MIB } from '../base/units.js';
import { isPublished } from '../process/options.js';
import { findProgram, nativeParams } from '../vm/programs.js';
import { checkExpectations } from './check-expectations.js';
import { checkFiles } from './check-files.js';
import { type Named, referTo, unique } from './check-names.js';
import { checkSchedule } from './check-schedule.js';
import { type Finding, placeOf } from './issues.js';
import { hostNames, patchName, probeNames, setName, vmNames } from './names.js';
import { domainsOf } from './resolve.js';
import { type ScenarioFile, VMS_MAX } from './schema.js';

/** The sections of a file that are good by themselves; what is checked against one that is not, is not checked. */
export type Sections = Partial<ScenarioFile>;

/** What is wrong between the parts of a file: names twice or of nothing, more than there is, what can never happen. */
export function checkScenario(sections: Sections, path: string): Finding[] {
  const names = namesOf(sections);
  return [
    ...checkNames(sections),
    ...checkDomains(sections),
    ...checkVms(sections, names),
    ...checkNetworks(sections),
    ...checkSchedule(sections, names),
    ...checkFaults(sections, names),
    ...checkProbes(sections, names),
    ...checkExpectations(sections, names),
    ...checkFiles(sections, path),
  ];
}

/** The names that there are, undefined where the section that has them is not good. */
function namesOf({ hosts, sets, vms, patches, probes }: Sections): Named {
  return {
    host: hosts === undefined ? undefined : hostNames(hosts),
    set: sets?.map(setName),
    // The name of an entry with a count means all of it.
    vm: vms === undefined ? undefined : [...new Set(vms.flatMap((vm) => [vm.name, ...vmNames(vm)]))],
    patch: patches?.map(patchName),
    probe: probes === undefined ? undefined : probeNames(probes),
  };
}

function checkNames({ hosts, sets, vms, patches, probes }: Sections): Finding[] {
  const listed = typeof hosts === 'object' ? hosts : [];
  const each = (section: string, names: readonly string[]) =>
    names.map((name, index) => ({ name, path: [section, index, 'name'] }));
  return [
    ...unique('host', each('hosts', hostNames(listed))),
    ...unique('set', each('sets', (sets ?? []).map(setName))),
    ...unique(
      'VM',
      (vms ?? []).flatMap((vm, index) => vmNames(vm).map((name) => ({ name, path: ['vms', index, 'name'] }))),
    ),
    ...unique('patch', each('patches', (patches ?? []).map(patchName))),
    ...unique('probe', each('probes', probeNames(probes ?? []))),
  ];
}

function checkDomains({ hosts, updateDomains, faultDomains, sets }: Sections): Finding[] {
  if (hosts === undefined) return [];
  const count = hostNames(hosts).length;
  const fleet = domainsOf({ hosts, updateDomains, faultDomains });
  const wrong: Finding[] = [];
  const atMost = (path: Finding['path'], given: number | undefined, limit: number, each: string) => {
    if (given === undefined || given <= limit) return;
    const message = `Expected at most ${limit}, one for each ${each}, for '${path.join('.')}' but received ${given}`;
    wrong.push({ path, message, hint: null });
  };
  atMost(['updateDomains'], updateDomains, count, 'host');
  atMost(['faultDomains'], faultDomains, count, 'host');
  for (const [index, set] of (sets ?? []).entries()) {
    if (typeof set === 'string') continue;
    const each = 'domain of the fleet';
    atMost(['sets', index, 'updateDomains'], set.updateDomains, Math.min(fleet.updateDomains, count), each);
    atMost(['sets', index, 'faultDomains'], set.faultDomains, Math.min(fleet.faultDomains, count), each);
  }
  return wrong;
}

function checkVms({ vms }: Sections, names: Named): Finding[] {
  if (vms === undefined) return [];
  const findings: Finding[] = [];
  for (const [index, { set, guest }] of vms.entries()) {
    if (set !== undefined) findings.push(...referTo('set', names, ['vms', index, 'set'], set));
    if ('program' in guest) findings.push(...checkParams(guest, ['vms', index, 'guest', 'params']));
  }
  const count = vms.reduce((sum, vm) => sum + (vm.count ?? 1), 0);
  if (count > VMS_MAX) {
    const message = `Expected at most ${VMS_MAX} VMs in all for 'vms' but received ${count}`;
    findings.push({ path: [], key: 'vms', message, hint: null });
  }
  const ramBytes = vms.reduce((sum, { guest, count = 1 }) => sum + count * ('memory' in guest ? guest.memory : 0), 0);
  const limitBytes = machineMemoryBytes();
  if (ramBytes > limitBytes) {
    const own = `this machine's ${formatBytes(limitBytes)}`;
    const message = `Expected at most ${own} for the memory of all VMs but received ${formatBytes(ramBytes)}`;
    const fits = Math.floor(limitBytes / count / MIB);
    findings.push({ path: [], key: 'vms', message, hint: `${count} VMs of ${fits}MiB each would take it all` });
  }
  return findings;
}

/** Ports are led to a network of a guest's own alone, and each of the host's to one guest. */
function checkNetworks({ vms = [] }: Sections): Finding[] {
  const findings: Finding[] = [];
  const taken = new Set<number>();
  for (const [index, { count = 1, guest }] of vms.entries()) {
    if ('program' in guest) continue;
    const { network, publish, ready } = guest;
    const path = ['vms', index, 'guest'];
    if (network === 'host' && publish.length > 0) {
      const message = `Expected the network 'own' for '${placeOf([...path, 'publish'])}' but received 'host'`;
      findings.push({ path: [...path, 'publish'], message, hint: "add 'network: own'" });
    }
    if (network === 'own' && ready !== undefined && 'http' in ready && !isPublished(ready.http, publish)) {
      const at = [...path, 'ready', 'http'];
      const message = `Expected a port that is published for '${placeOf(at)}' but received '${ready.http}'`;
      findings.push({ path: at, message, hint: null });
    }
    for (const [place, port] of publish.entries()) {
      if (port.host === 0) continue;
      if (count > 1 || taken.has(port.host)) {
        const at = [...path, 'publish', place];
        const message = `Expected a port of one VM for '${placeOf(at)}' but ${port.host} leads to several`;
        findings.push({ path: at, message, hint: `'{ guest: ${port.guest} }' takes one that is free for each` });
      }
      taken.add(port.host);
    }
  }
  return findings;
}

type Emulated = Extract<ScenarioFile['vms'][number]['guest'], { program: unknown }>;

function checkParams({ program, params }: Emulated, path: Finding['path']): Finding[] {
  return Object.entries(params).flatMap(([name, value]): Finding[] => {
    try {
      nativeParams(findProgram(program), { [name]: value });
      return [];
    } catch (error) {
      if (!isStandstillError(error)) throw error;
      const [message = '', hint = null] = error.message.split('; ');
      const known = `parameters of ${program}: ${findProgram(program)
        .params.map((param) => param.name)
        .join(', ')}`;
      if (error.code === 'ERR_UNKNOWN_PARAMETER') return [{ path, key: name, message, hint: hint ?? known }];
      return [{ path: [...path, name], message, hint }];
    }
  });
}

function checkFaults({ faults = [], metadata, vms }: Sections, names: Named): Finding[] {
  return faults.flatMap((fault, index) => {
    const path = ['faults', index];
    const findings: Finding[] = [];
    if ('patch' in fault) findings.push(...referTo('patch', names, [...path, 'patch'], fault.patch));
    if ('host' in fault && fault.host !== undefined)
      findings.push(...referTo('host', names, [...path, 'host'], fault.host));
    if ('vm' in fault) findings.push(...referTo('vm', names, [...path, 'vm'], fault.vm));
    if (fault.kind === 'flip-bit') findings.push(...checkEmulated(fault.vm, [...path, 'vm'], vms));
    if ('vms' in fault) findings.push(...fault.vms.flatMap((vm, at) => referTo('vm', names, [...path, 'vms', at], vm)));
    if (fault.kind === 'metadata' && metadata === false) {
      const message = `Expected 'metadata' of the scenario for '${path.join('.')}' but received none`;
      findings.push({ path, message, hint: "add 'metadata: true'" });
    }
    return findings;
  });
}

const checkProbes = ({ probes = [], vms }: Sections, names: Named): Finding[] =>
  probes.flatMap(({ check }, index) => {
    const path = ['probes', index, 'check'];
    return check === undefined ? [] : [...referTo('vm', names, path, check), ...checkEmulated(check, path, vms)];
  });

/** The RAM and the invariants of a real program are nothing that could be looked into. */
function checkEmulated(name: string, path: Finding['path'], vms: Sections['vms'] = []): Finding[] {
  const vm = vms.find((each) => each.name === name || vmNames(each).includes(name));
  if (vm === undefined || 'program' in vm.guest) return [];
  const message = `Expected an emulated VM for '${placeOf(path)}' but received '${name}', which is a process`;
  return [{ path, message, hint: null }];
}
