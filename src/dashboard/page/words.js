// Entries of the log in words, for the list and for those who listen.
import { formatNames, formatNs } from './format.js';

const WORDS = {
  'host-created': ({ host }) => `Host ${host} is there`,
  'host-closed': ({ host }) => `Host ${host} is closed`,
  'vm-created': ({ vm, host }) => `${vm} was created on ${host}`,
  'vm-started': ({ vm }) => `${vm} runs`,
  'vm-paused': ({ vm }) => `${vm} is paused`,
  'vm-resumed': ({ vm }) => `${vm} runs on`,
  'vm-rolled-back': ({ vm }) => `${vm} went back to a snapshot`,
  'vm-faulted': ({ vm }) => `${vm} has stopped at a fault`,
  'vm-closed': ({ vm }) => `${vm} is closed`,
  'freeze-begin': ({ vms }) => `${formatNames(vms)} frozen`,
  'maintenance-begin': ({ host, vms }) => `Maintenance of ${host} begins, ${vms.length} VMs`,
  'maintenance-phase': ({ host, phase }) => `${host}: ${phase}`,
  'patch-end': ({ host, patch, ok }) => `${host}: patch ${patch} ${ok ? 'applied' : 'failed'}`,
  'maintenance-end': ({ host, ok, problems }) =>
    `Maintenance of ${host} is done${ok ? '' : `: ${problems.join('; ')}`}`,
  'maintenance-rejected': ({ host, message }) => `Maintenance of ${host} was not done: ${message}`,
  'impact-end': ({ vm, cause, haltedAtNs, resumedAtNs }) =>
    `${vm} stood still for ${formatNs(resumedAtNs - haltedAtNs)} (${cause})`,
  'event-scheduled': ({ event }) => `${event.type} of ${formatNames(event.resources)} is scheduled`,
  'event-acknowledged': ({ vm }) => `${vm} acknowledges its event`,
  'event-notice-passed': () => 'The notice of an event has passed',
  'event-started': ({ event }) => `${event.type} of ${formatNames(event.resources)} has started`,
  'event-impact-begin': ({ vms }) => `The impact on ${formatNames(vms)} begins`,
  'event-impact-end': ({ vms }) => `The impact on ${formatNames(vms)} is over`,
  'event-impact-failed': ({ message }) => `The impact of an event failed: ${message}`,
  'event-removed': ({ reason }) => `An event is over: ${reason}`,
  'service-enabled': ({ vm }) => `${vm} asks for its events`,
  'service-disabled': ({ vm }) => `${vm} has not asked for a day`,
  'probe-unhealthy': ({ probe, message }) => `Probe ${probe} is unhealthy: ${message}`,
  'fleet-opened': ({ hosts }) => `A fleet of ${hosts.length} hosts`,
  'set-created': ({ name }) => `Availability set ${name}`,
  'rollout-started': () => 'A rollout begins',
  'rollout-resumed': () => 'The rollout goes on',
  'domain-begin': ({ updateDomain, direction }) =>
    `Update domain ${updateDomain} is ${direction === 'forward' ? 'patched' : 'taken back'}`,
  'host-patch-end': ({ host, ok }) => `${host} is ${ok ? 'patched' : 'not well'}`,
  'domain-end': ({ updateDomain, ok }) => `Update domain ${updateDomain} is ${ok ? 'well' : 'not well'}`,
  'rollback-begin': () => 'The rollout is taken back',
  'rollout-stopped': ({ reason }) => `The rollout has stopped: ${reason}`,
  'rollout-done': () => 'The rollout is done',
  'rollout-rolled-back': () => 'The rollout was taken back',
  'rollout-abandoned': () => 'The rollout was given up',
};

/** Each by itself would be too much to list; they are in the timelines. */
const UNLISTED = new Set(['impact-begin', 'vm-placed', 'host-patch-begin', 'health', 'probe']);
/** What somebody who does not see the page is told at once. */
const SPOKEN = new Set(
  [
    'vm-paused vm-resumed vm-faulted vm-closed maintenance-begin maintenance-end maintenance-rejected',
    'event-scheduled event-started event-removed rollout-started domain-begin domain-end rollout-stopped rollout-done',
    'rollout-rolled-back probe-unhealthy',
  ].flatMap((types) => types.split(' ')),
);

export const isListed = ({ type, cause }) => !UNLISTED.has(type) && cause !== 'inspection';
export const isSpoken = ({ type }) => SPOKEN.has(type);
export const wordsOf = (entry) => WORDS[entry.type]?.(entry) ?? entry.type;
