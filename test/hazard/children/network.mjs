// usage: network.mjs [keep]: a guest in a network of its own that asks the address of the cloud's metadata service; prints
// what came of it as a JSON line and ends, or waits to be killed with the guest frozen.
import { setTimeout as sleep } from 'node:timers/promises';
import { Host, MetadataServer } from 'standstill';

const ASK = `
  const url = 'http://169.254.169.254/metadata/instance/compute/name?api-version=2021-02-01&format=text';
  fetch(url, { headers: { Metadata: 'true' } }).then((r) => r.text()).then((name) => console.log('is ' + name));
  require('node:http').createServer((q, r) => r.end('served')).listen(8080, '127.0.0.1');`;

const metadata = new MetadataServer({ noticeMs: 0, settleMs: 0 });
const host = await Host.create({ metadata });
try {
  const vm = await host.createProcessVm({
    ...{ name: 'agent', command: process.execPath, args: ['-e', ASK], cwd: '/' },
    ...{ network: 'own', publish: [{ guest: 8080 }], ready: { line: 'is ' } },
  });
  vm.start();
  await vm.ready();
  const [{ host: port }] = vm.publishedPorts;
  const { pid, processes, outsideGroup } = vm.stats();
  const served = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  const text = vm.logTail().map((line) => line.text);
  if (process.argv[2] === 'keep') vm.pause({ timeoutMs: 30_000 });
  const report = process.argv[2] === 'keep' ? null : await host.applyMaintenance({ handshakeTimeoutMs: 30_000 });
  const memory = report?.vms[0].memory;
  console.log(JSON.stringify({ pid, port, processes, outsideGroup, served, text, memory, freezer: vm.freezer.kind }));
  if (process.argv[2] === 'keep') await sleep(3_600_000);
} catch ({ code, message }) {
  console.log(JSON.stringify({ code, message }));
}
await host.close();
await metadata.close();
