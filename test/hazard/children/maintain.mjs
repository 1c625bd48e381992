// usage: maintain.mjs <host folder> <bundle> <public key> <options as JSON>: one maintenance of a host with an agent at
// 1.0.0 and a VM. Prints what came of it, what is current, and whether the VM runs.
import { Host } from 'standstill';
import { eventually } from './standstill.mjs';

const [directory, bundle, key, json] = process.argv.slice(2);
const { blockMs = 0, ...options } = JSON.parse(json);
const host = await Host.create({ directory, trustedKeys: [key] });
const vm = await host.createVm({ program: 'kv-store', memory: '1 MiB' });
vm.start();

function block(ms) {
  const until = process.hrtime.bigint() + BigInt(ms) * 1_000_000n;
  while (process.hrtime.bigint() < until);
}

// The event loop is blocked once the request to switch is with the worker.
const onEvent = ({ type, phase }) => {
  if (type === 'phase' && phase === 'patch' && blockMs > 0) setTimeout(() => block(blockMs), 20);
};
const end = await host.applyMaintenance({ patches: [{ bundle }], onEvent, ...options }).then(
  ({ ok, result, resumedBy, update, patches }) => ({ ok, result, resumedBy, update: update.outcome, patches }),
  ({ code, message }) => ({ code, message }),
);
const { steps } = vm.stats();
await eventually('a VM that runs', () => vm.stats().steps > steps);
const { version } = await host.components.verify('agent');
const journal = host.components.journal().map(({ step }) => step);
console.log(JSON.stringify({ ...end, version, journal }));
await host.close();
