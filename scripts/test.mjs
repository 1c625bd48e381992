// The test runner: the stages of the project's tests, one after another, each with its time and its counts,
// and one closing line `N passed, N failed[, N skipped]` summed over all of them.
//   npm test             what a contributor runs: native, models, controls, library
//   npm test -- --all    what CI runs: lint, the sanitizers, the soak and the benchmarks' own run as well
//   npm test -- native   one stage or several by name
import { parseArgs } from 'node:util';
import { runStages } from './test/run-stages.mjs';
import { STAGES } from './test/stages.mjs';

function usage(message) {
  console.error(`standstill: ${message}\nStages: ${STAGES.map((stage) => stage.name).join(', ')}; --all for every one`);
  process.exit(2);
}

let args;
try {
  args = parseArgs({ allowPositionals: true, options: { all: { type: 'boolean', default: false } } });
} catch (error) {
  usage(error.message);
}
const unknown = args.positionals.find((name) => !STAGES.some((stage) => stage.name === name));
if (unknown !== undefined) usage(`Expected the name of a stage but received ${unknown}`);

const chosen = STAGES.filter((stage) =>
  args.positionals.length > 0 ? args.positionals.includes(stage.name) : args.values.all || stage.always,
);
process.exitCode = (await runStages(chosen, { strict: args.values.all })) ? 0 : 1;
