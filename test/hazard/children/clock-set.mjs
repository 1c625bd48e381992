// usage: clock-set.mjs <host folder> <bundle> <public key> <file> <jump>: a maintenance in which the host's wall clock jumps by
// what is then written to the file, as libfaketime reads it. Prints what came of it.
import { writeFileSync } from 'node:fs';
import { Host } from 'standstill';
import { eventually } from './standstill.mjs';

const [directory, bundle, key, offsetFile, offset] = process.argv.slice(2);
const host = await Host.create({ directory, trustedKeys: [key] });
const vm = await host.createVm({ program: 'ticker', memory: '1 MiB' });
vm.start();
await eventually('a VM that runs', () => vm.stats().steps > 0);

const wallBefore = Date.now();
const onEvent = ({ type, phase }) => {
  if (type === 'phase' && phase === 'patch') writeFileSync(offsetFile, offset);
};
const { ok, problems, result, update, vms } = await host.applyMaintenance({ patches: [{ bundle }], onEvent });
const jumpedMs = Date.now() - wallBefore;
const { steps, clock } = vm.stats();
await eventually('a VM that runs on', () => vm.stats().steps > steps);
const later = vm.stats().clock;
console.log(
  JSON.stringify({
    ...{ ok, problems, result, update: update.outcome, jumpedMs },
    ...{ memory: vms[0].memory, syncedBy: vms[0].syncedBy, lagNs: vms[0].clockLagAfterNs },
    wallGrew: later.guestWallNs >= clock.guestWallNs,
    atMs: host.log.entries.map(({ atNs }) => atNs / 1e6),
    version: (await host.components.verify('agent')).version,
  }),
);
await host.close();
