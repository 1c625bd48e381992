// What becomes of one flipped bit? A key-value store is run up to a busy state, a bit of one record is flipped, and
// thousands of continuations of that one moment are explored: in some the record is overwritten before anyone reads it,
// in others the guest serves it and finds the damage. One that did is then replayed from its seed, and the very step at
// which it happens is found by bisection, going back and forth in time.
//
//   node examples/explore/explore.mjs [continuations, default 4000]
import { Host } from 'standstill';

const CONTINUATIONS = Number(process.argv[2] ?? 4000);
const WARM_UP_STEPS = 60_000;
const STEPS = 21_300; // of each: by then most have written their log once through
const BATCH = 100; // an exploration lists the first 100 findings, so batches of 100 list all of them

const host = await Host.create();
try {
  const store = await host.createVm({ program: 'kv-store', memory: '1 MiB', seed: 2026 });
  await store.runUntil(WARM_UP_STEPS);
  const healthy = await store.snapshot();

  const gpa = recordOf(healthy);
  store.flipBit(gpa, 4);
  const damaged = await store.snapshot();
  const pages = (await damaged.diff(healthy)).map((range) => range.firstPage);
  console.log(
    `One bit flipped at address ${gpa}, in page ${pages.join(', ')}; ${CONTINUATIONS} futures of it explored:`,
  );

  const outcomes = { masked: 0, latent: 0, met: 0 };
  let met;
  let elapsedNs = 0;
  for (let explored = 0; explored < CONTINUATIONS; explored += BATCH) {
    const runs = Math.min(BATCH, CONTINUATIONS - explored);
    const result = await store.explore(damaged, { runs, steps: STEPS, seed: explored });
    outcomes.masked += runs - result.findingsTotal;
    for (const finding of result.findings) {
      const served = metByGuest(finding.check);
      outcomes[served ? 'met' : 'latent'] += 1;
      if (served) met ??= finding;
    }
    elapsedNs += result.elapsedNs;
  }
  const share = (count) => `${count} (${((count / CONTINUATIONS) * 100).toFixed(1)} %)`;
  console.log(`  overwritten unread       ${share(outcomes.masked)}`);
  console.log(`  met by the guest         ${share(outcomes.met)}`);
  console.log(`  still there, not yet met ${share(outcomes.latent)}`);
  console.log(`  ${Math.round((CONTINUATIONS / elapsedNs) * 1e9)} futures a second`);

  if (met === undefined) throw new Error('no guest met the damage: explore more continuations');
  const replay = await host.restore(damaged, { seed: met.seed });
  const origin = await replay.snapshot();
  const metAt = async (step) => {
    await replay.rollback(origin);
    await replay.runUntil(step);
    return metByGuest(await replay.check());
  };
  let before = damaged.steps;
  let after = met.step;
  if (!(await metAt(after))) throw new Error(`seed ${met.seed} led elsewhere this time`);
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (await metAt(middle)) after = middle;
    else before = middle;
  }
  console.log(
    `Seed ${met.seed} replayed: the guest meets it at step ${after}, ${after - damaged.steps} steps after the flip.`,
  );
} finally {
  await host.close();
}

/** The first value of a record that the store's table points at: a slot is a key and an address, eight bytes each. */
function recordOf(snapshot) {
  const HEADER_BYTES = 24;
  for (let slot = 0; ; slot += 16) {
    const address = new DataView(snapshot.read(slot + 8, 8).buffer).getBigUint64(0, true);
    if (address !== 0n) return Number(address) + HEADER_BYTES;
  }
}

/** The guest has read the record and has stopped serving; else it is the walk behind its back that finds it. */
function metByGuest(check) {
  return !check.ok && check.violation === 'the guest met a damaged record';
}
