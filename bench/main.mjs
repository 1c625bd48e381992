// The benchmarks' command line. Prints figures and never fails on a time.
import { writeFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadAddon } from './addon.mjs';
import { CASES, ELSEWHERE } from './cases/index.mjs';
import { describeEnvironment, NoiseMeter, noiseWarnings } from './environment.mjs';
import { findNativePrograms } from './native-programs.mjs';
import { NativeServer } from './peers/native-server.mjs';
import { printReport } from './report.mjs';

const USAGE = `Usage: node bench/main.mjs [options]

  --only a,b     only these cases
  --quick        fewer samples: says whether all of it works, not how fast it is
  --json         print one JSON object instead of the table
  --out FILE     write the JSON object to FILE as well
  --help         this text

Cases:
${CASES.map(({ name, promise, summary }) => `  ${name.padEnd(14)} ${promise.padEnd(4)} ${summary}`).join('\n')}
${ELSEWHERE.map(({ promise, command, note }) => `  ${''.padEnd(14)} ${promise.padEnd(4)} ${command}; ${note}`).join('\n')}
`;

function usageError(message) {
  process.stderr.write(`standstill bench: ${message}\nTry node bench/main.mjs --help\n`);
  process.exit(2);
}

function parseCommand() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        out: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    return usageError(error.message);
  }
}

function chooseCases(only) {
  if (only === undefined) return CASES;
  const names = only.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !CASES.some((one) => one.name === name));
  if (unknown !== undefined) usageError(`Expected the name of a case for --only but received '${unknown}'`);
  return CASES.filter((one) => names.includes(one.name));
}

/** The bench-only native programs; without them the cases have no limits beside them, and P13 has no figure. */
function openNative(meter) {
  const found = findNativePrograms();
  if (found.missing !== undefined) return { missing: found.missing, close: () => {} };
  const limits = new NativeServer(join(found.folder, 'standstill_bench_limits'));
  const storeCost = new NativeServer(join(found.folder, 'standstill_bench_store_cost'));
  for (const server of [limits, storeCost]) meter.addChild(server.pid);
  return { limits, storeCost, close: () => Promise.all([limits.close(), storeCost.close()]) };
}

async function runCases(chosen, { addon, native, quick, meter, timerStepNs }) {
  const cases = [];
  const skipped = [];
  for (const one of chosen) {
    if (one.needs !== undefined && native[one.needs] === undefined) {
      skipped.push({ name: one.name, reason: native.missing });
      continue;
    }
    process.stderr.write(`${one.name} …\n`);
    const from = meter.mark();
    const context = {
      addon,
      limits: native.limits ?? null,
      storeCost: native.storeCost,
      quick,
      timerStepNs,
      freeBytes: freemem(),
    };
    const results = await one.run(context);
    const noise = meter.since(from);
    cases.push(...results.map((result) => ({ ...result, noise })));
  }
  return { cases, skipped };
}

async function main() {
  const { only, quick, json, out, help } = parseCommand();
  if (help) return process.stdout.write(USAGE);
  const chosen = chooseCases(only);
  const addon = loadAddon();
  const environment = describeEnvironment(addon.engineInfo());
  const meter = new NoiseMeter();
  const native = openNative(meter);
  if (native.missing !== undefined) process.stderr.write(`standstill bench: ${native.missing}\n`);
  const began = meter.mark();
  const { cases, skipped } = await runCases(chosen, {
    addon,
    native,
    quick,
    meter,
    timerStepNs: environment.timer.hrtimeStepNs,
  });
  environment.noise = meter.since(began);
  environment.warnings = noiseWarnings(environment.noise, environment.governor);
  if (native.missing !== undefined) environment.warnings.push(`limits and peers were not measured: ${native.missing}`);
  await native.close();
  const result = { schemaVersion: 1, quick, environment, cases, skipped, elsewhere: ELSEWHERE };
  if (out !== undefined) writeFileSync(out, `${JSON.stringify(result, null, 2)}\n`);
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else printReport(result);
}

await main();
