// Runs stages in their order and reports them: counts, skips with reasons, times against the committed
// budgets.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './tools.mjs';

const { budgetSeconds, skips: allowedSkips } = JSON.parse(readFileSync(join(root, '.ci', 'stages.json'), 'utf8'));

// A stage that takes this many times its budget does not end by itself: it is stopped, and has failed.
const LIMIT_OF_BUDGET = 2;

async function runStage(stage) {
  const from = Date.now();
  const finish = (counts) => ({ name: stage.name, seconds: (Date.now() - from) / 1000, ...counts });
  if (stage.needs && !stage.needs.present()) {
    return finish({ passed: 0, failed: 0, skipped: [{ name: `stage ${stage.name}`, reason: stage.needs.otherwise }] });
  }
  let output = '';
  const results = [];
  for (const command of stage.commands) {
    console.log(`\n▶ ${stage.name}: ${command.join(' ')}`);
    const spent = (Date.now() - from) / 1000;
    const result = await run(command, { seconds: LIMIT_OF_BUDGET * budgetSeconds[stage.name] - spent });
    output += result.output;
    results.push(result.ok);
    if (!result.ok) {
      console.log(`✗ ${stage.name}: ${command[0]} ended: ${result.outcome}`);
      break;
    }
  }
  const counts = stage.count(output, results);
  // A runner that failed without counting a failure (a crash, a build error) is one; so is one that counted nothing.
  const broken = counts.failed === 0 && (results.includes(false) || counts.passed === 0);
  return finish({ ...counts, failed: counts.failed + (broken ? 1 : 0) });
}

function report(results, strict) {
  console.log('\nstage      passed  failed  skipped     time   budget');
  for (const { name, passed, failed, skipped, seconds } of results) {
    const over = seconds > budgetSeconds[name] ? '  over budget' : '';
    const cells = [passed, failed, skipped.length].map((n) => String(n).padStart(8)).join('');
    console.log(
      `${name.padEnd(9)}${cells}${seconds.toFixed(1).padStart(9)} s${String(budgetSeconds[name]).padStart(7)} s${over}`,
    );
  }
  const skipped = results.flatMap((result) => result.skipped);
  let unexpected = 0;
  for (const { name, reason } of skipped) {
    const allowed = allowedSkips.some((skip) => skip.name === name);
    if (strict && !allowed) ++unexpected;
    console.log(
      `skipped: ${name}: ${reason}${strict && !allowed ? ' (not on the list of allowed skips: a failure)' : ''}`,
    );
  }
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const failed = sum('failed') + unexpected;
  const tail = skipped.length > 0 ? `, ${skipped.length} skipped` : '';
  console.log(`\n${sum('passed')} passed, ${failed} failed${tail}`);
  return failed === 0;
}

/** Runs the stages; true when nothing failed. `strict`: a skip that is not on the committed list is a failure. */
export async function runStages(stages, { strict }) {
  const results = [];
  for (const stage of stages) results.push(await runStage(stage));
  return report(results, strict);
}
