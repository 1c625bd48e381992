// usage: freezers.mjs <freezer>…: freezes a guest by each; prints a JSON line with what each did.
import { ProcessVm } from 'standstill';

const outcomes = {};
for (const freezer of process.argv.slice(2)) {
  try {
    const vm = await ProcessVm.create({ command: 'sleep', args: ['1000'], cwd: '/', freezer });
    vm.start();
    vm.pause({ timeoutMs: 20_000 });
    const before = await vm.memoryImage();
    const moved = before.compare(await vm.memoryImage());
    vm.resume();
    outcomes[freezer] = { ...vm.freezer, moved, state: vm.state };
    vm.close();
  } catch ({ code, message }) {
    outcomes[freezer] = { code, message };
  }
}
console.log(JSON.stringify(outcomes));
