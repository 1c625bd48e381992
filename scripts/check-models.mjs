// Checks the Promela models of test/model with spin: each model must hold, searched to the end, and each of its
// seeded bugs (-DBREAK_<name>) must be found, by the property that is meant to find it.
//   node scripts/check-models.mjs            all checks
//   node scripts/check-models.mjs handover   those of one model
// Exits with 1 on a failure, with 77 where spin or a C compiler is missing.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { commandExists, root } from './test/tools.mjs';

const MEMORY_MIB_MAX = 1500;
const DEPTH_MAX = 100_000;
const SECONDS_MAX = 170;
const WORKERS = Math.min(2, availableParallelism());

const run = promisify(execFile);

// What finds a seeded bug: a failing assertion, or a run that ends with somebody waiting for ever.
const ASSERTION = /assertion violated/;
const STUCK = /invalid end state/;

/**
 * A model's `searches` are its configurations, `-D` definitions by a name; one that starts with LTL_ is checked for
 * liveness, under weak fairness. Its `bugs` say which property finds each; all are sought in the first configuration.
 */
const MODELS = {
  pause_gate: {
    searches: {
      'two freezes, deadline, reader, self-halt, stop': [],
      'three freezes, deadlines late by two': ['FREEZES=3', 'READERS=0', 'SELF_HALTS=0'],
      'two readers': ['FREEZES=1', 'READERS=2', 'SELF_HALTS=0'],
      'wake-ups for no reason': ['READERS=0', 'SPURIOUS=1'],
      'liveness: a released guest runs again': ['LTL_RUNS_AGAIN', 'FREEZES=1', 'READERS=0'],
      'liveness: stop ends the guest thread': ['LTL_STOP_ENDS', 'FREEZES=1', 'READERS=0'],
      'liveness: everybody gets to the end': ['LTL_ALL_ENDS', 'FREEZES=1', 'READERS=0'],
    },
    bugs: {
      RELEASE_OF_ANY_GENERATION: ASSERTION,
      RELEASE_FORGETS_WAKE: STUCK,
      RELEASE_WITHOUT_REVOKE: ASSERTION,
      REVOKE_WITHOUT_WAITING: ASSERTION,
      DROP_FORGETS_WAKE: STUCK,
      SLEEP_WITHOUT_ASLEEP_BIT: STUCK,
      SLEEP_WITHOUT_COMPARE: STUCK,
      HALT_FORGETS_WAKE: STUCK,
      STOP_FORGETS_WAKE: STUCK,
      WITHDRAW_WITHOUT_LOOKING: STUCK,
      SELF_HALT_KEEPS_GENERATION: ASSERTION,
      ENTER_IDLE_WITHOUT_LOOKING: STUCK,
      LEAVE_IDLE_BY_STORE: STUCK,
    },
  },
  freeze: {
    searches: { 'two freezes of two VMs, deadline, user, reader': [] },
    bugs: {
      GIVE_BACK_UNLOCKED: ASSERTION,
      GIVE_BACK_NOTHING: ASSERTION,
      RELEASE_REVOKES_ONLY_BEFORE: ASSERTION,
      RELEASE_WITHOUT_HOLDER: ASSERTION,
      LOCKS_IN_ANY_ORDER: STUCK,
    },
  },
  handover: {
    searches: {
      'two copies of two pages, pauses': [],
      'two copiers': ['COPIERS=2', 'RUNS=1', 'PAUSES=0'],
      'three copies, the tag wraps': ['COPIES=3', 'PAUSES=0'],
      'three pages': ['PAGES=3', 'COPIES=1', 'RUNS=1'],
    },
    bugs: {
      CLAIM_BY_STORE: ASSERTION,
      PUBLISH_BEFORE_COPY: ASSERTION,
      WRITE_BEFORE_CLAIM: ASSERTION,
      SWITCH_BACK_EARLY: ASSERTION,
      TAG_STAYS: ASSERTION,
      COPY_BEGINS_MID_STEP: ASSERTION,
      FLIP_DURING_COPY: ASSERTION,
      LAST_SAVE_FORGETS_WAKE: STUCK,
      WAIT_FORGETS_GATE: STUCK,
    },
  },
};

const sourceOf = (model) => join(root, 'test', 'model', `${model}.pml`);

/** Searches first, the longest of them, so that two workers end together. */
function listChecks(models) {
  const searches = models.flatMap((model) =>
    Object.entries(MODELS[model].searches).map(([name, defines]) => ({ model, name, defines })),
  );
  const bugs = models.flatMap((model) => {
    const seeded = new Set(readFileSync(sourceOf(model), 'utf8').match(/\bBREAK_\w+/g));
    const named = Object.keys(MODELS[model].bugs).map((bug) => `BREAK_${bug}`);
    return [...new Set([...seeded, ...named])]
      .filter((bug) => bug !== 'BREAK_')
      .map((bug) => ({
        model,
        name: `finds ${bug}`,
        defines: [bug],
        foundBy: seeded.has(bug) ? MODELS[model].bugs[bug.slice('BREAK_'.length)] : undefined,
        isBug: true,
      }));
  });
  return [...searches, ...bugs];
}

/** Compiles the model and searches it. Answers what pan printed. */
async function search({ model, defines, isBug }, folder) {
  const liveness = defines.some((define) => define.startsWith('LTL_'));
  const options = { cwd: folder, maxBuffer: 1 << 24, timeout: SECONDS_MAX * 1000, killSignal: 'SIGKILL' };
  await run('spin', [...defines.map((define) => `-D${define}`), '-a', sourceOf(model)], options);
  const kind = liveness ? '-DNFAIR=3' : '-DSAFETY';
  // A seeded bug is found soon; compiling without optimisation is then the quicker whole.
  const level = isBug ? '-O0' : '-O1';
  await run('cc', [level, '-w', kind, '-DCOLLAPSE', `-DMEMLIM=${MEMORY_MIB_MAX}`, '-o', 'pan', 'pan.c'], options);
  const { stdout } = await run('./pan', [...(liveness ? ['-a', '-f'] : []), `-m${DEPTH_MAX}`, '-n'], options);
  return stdout;
}

/** Why the check failed, or undefined. */
function fault({ isBug, foundBy }, output) {
  const errors = /errors: (\d+)/.exec(output)?.[1];
  if (errors === undefined) return 'pan did not end its search';
  if (isBug) {
    if (foundBy === undefined) return 'the model and the table of bugs in scripts/check-models.mjs differ';
    if (errors === '0') return 'the seeded bug was not found';
    return foundBy.test(output) ? undefined : `found, but not by ${foundBy.source}: ${/^pan:1: .*/m.exec(output)?.[0]}`;
  }
  if (errors !== '0') return /^pan:1: .*/m.exec(output)?.[0] ?? `${errors} errors`;
  if (/max search depth too small|Search not completed|out of memory|memory limit/i.test(output)) {
    return 'the search was truncated';
  }
  return undefined;
}

async function check(one, scratch) {
  const folder = mkdtempSync(join(scratch, 'check-'));
  const from = Date.now();
  try {
    const output = await search(one, folder);
    const states = Number(/(\d+(?:\.\d+)?(?:e\+\d+)?) states, stored/.exec(output)?.[1]);
    return { ...one, states, failure: fault(one, output), seconds: (Date.now() - from) / 1000 };
  } catch (error) {
    const why = error.killed
      ? `no end within ${SECONDS_MAX} s`
      : `${error.stdout ?? ''}${error.stderr ?? error}`.trim();
    return { ...one, states: Number.NaN, failure: why, seconds: (Date.now() - from) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function print({ model, name, states, failure, seconds }) {
  const count = Number.isNaN(states) ? '?' : states.toLocaleString('en-US');
  const figures = `${count.padStart(10)} states ${seconds.toFixed(1).padStart(5)} s`;
  console.log(
    `${failure ? '✗' : '✓'} ${model.padEnd(10)} ${name.padEnd(47)} ${figures}${failure ? `\n  ${failure}` : ''}`,
  );
}

async function checkAll(checks) {
  const scratch = mkdtempSync(join(tmpdir(), 'standstill-model-'));
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
  let failed = 0;
  const queue = [...checks];
  const work = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const result = await check(one, scratch);
      if (result.failure) failed += 1;
      print(result);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  console.log(`${checks.length - failed} passed, ${failed} failed`);
  return failed;
}

const chosen = process.argv.slice(2);
const unknown = chosen.find((model) => !Object.hasOwn(MODELS, model));
if (unknown !== undefined) {
  console.error(`standstill: Expected one of ${Object.keys(MODELS).join(', ')} but received ${unknown}`);
  process.exitCode = 2;
} else if (!commandExists('spin') || !commandExists('cc')) {
  console.log('skipped: the models need spin and a C compiler (Debian: apt-get install spin gcc)');
  process.exitCode = 77;
} else {
  process.exitCode = (await checkAll(listChecks(chosen.length > 0 ? chosen : Object.keys(MODELS)))) > 0 ? 1 : 0;
}
