/**
 * The one table of error codes. docs/ERRORS.md is generated from it (`npx vitest run test/unit/base/error-docs.test.ts -u`)
 * and a test keeps the two in step. A code, once published, keeps its meaning.
 */

interface ErrorCodeEntry {
  /** Who raises it: the engine (native code) or the library (TypeScript). */
  readonly raisedBy: 'engine' | 'library';
  readonly meaning: string;
  readonly remedy: string;
}

/** Every code of a `StandstillError`: who raises it, what it means, and what helps. docs/ERRORS.md as data. */
export const ERROR_CODES = {
  ERR_INVALID_ARGUMENT: {
    raisedBy: 'engine',
    meaning: 'A number, address or name is outside its documented range.',
    remedy: 'The message names the argument and its range.',
  },
  ERR_OUT_OF_MEMORY: {
    raisedBy: 'engine',
    meaning: 'The machine refused an allocation or a mapping.',
    remedy: 'Create fewer or smaller VMs, or raise the memory limit of the container.',
  },
  ERR_THREAD_FAILED: {
    raisedBy: 'engine',
    meaning: 'The machine refused another thread.',
    remedy: 'Raise `ulimit -u` or the pids limit of the container, or close VMs that are no longer needed.',
  },
  ERR_VM_NOT_STARTED: {
    raisedBy: 'engine',
    meaning: 'The operation needs a VM that has been started.',
    remedy: 'Call `vm.start()` first.',
  },
  ERR_VM_ALREADY_STARTED: {
    raisedBy: 'engine',
    meaning: '`start()` was called on a VM that has been started before.',
    remedy: 'Call `vm.resume()` to let a paused VM run on.',
  },
  ERR_VM_NOT_PAUSED: {
    raisedBy: 'engine',
    meaning: 'The operation reads or changes memory, so it needs a halted guest.',
    remedy: 'Call `vm.pause()` first, or do it inside a freeze.',
  },
  ERR_VM_FAULTED: {
    raisedBy: 'engine',
    meaning: 'The guest stopped at a guest fault and cannot run on.',
    remedy: '`vm.stats().fault` tells the address and the step; memory and registers can still be read.',
  },
  ERR_VM_CLOSED: {
    raisedBy: 'engine',
    meaning: 'The VM is closed; its memory is gone.',
    remedy: 'Create another VM.',
  },
  ERR_BUSY: {
    raisedBy: 'engine',
    meaning:
      'Another operation holds the VM: a freeze, a `runUntil` that has not reached its step, a snapshot or an exploration.',
    remedy: 'Wait for the other operation, or release the freeze.',
  },
  ERR_PAUSE_TIMEOUT: {
    raisedBy: 'engine',
    meaning: 'The guest reached no safepoint in time. The request was withdrawn and every VM runs on.',
    remedy: 'Raise the handshake timeout, or relieve the machine: the guest thread got no processor for that long.',
  },
  ERR_STEP_PASSED: {
    raisedBy: 'engine',
    meaning: '`runUntil` was asked for a step that the guest has already passed.',
    remedy: 'Ask for a later step, or create the VM again with the same seed.',
  },
  ERR_LEASE_REVOKED: {
    raisedBy: 'engine',
    meaning: 'The VM was released while its memory was being read, so the result was discarded.',
    remedy: 'Raise the budget of the freeze, or pause the VM for as long as it is read.',
  },
  ERR_SNAPSHOT_LIMIT: {
    raisedBy: 'engine',
    meaning: 'The snapshots of this host would hold more memory than its cap. Nothing was taken; the VM runs on.',
    remedy: 'Drop snapshots that are no longer needed, or raise `snapshotBytes` of the host.',
  },
  ERR_SNAPSHOT_MISMATCH: {
    raisedBy: 'engine',
    meaning:
      'The snapshot does not fit: it is of another program or RAM size, or it is not the base that a file names.',
    remedy:
      'Use a snapshot of the same program and RAM size; give a differential file the base that it was saved from.',
  },
  ERR_SNAPSHOT_DAMAGED: {
    raisedBy: 'engine',
    meaning: 'The file is no snapshot, or not every byte of it is as it was written.',
    remedy: 'The message tells what and where. Take the file from its source again.',
  },
  ERR_SNAPSHOT_IO: {
    raisedBy: 'engine',
    meaning: 'The operating system refused to read or write the file. A file that was there before is unchanged.',
    remedy: 'The message ends with the reason of the operating system.',
  },
  ERR_MEMORY_LOST: {
    raisedBy: 'engine',
    meaning:
      'The file that a snapshot, or the RAM of a VM restored from it, is mapped from was written to, cut, or cannot be read any more. What was read of it does not count; such a VM is faulted for good.',
    remedy:
      'Replace a snapshot file by a rename, as `snapshot.save` does, and never write into it; or load it with `lazy: false`, which keeps nothing in the file.',
  },
  ERR_UNKNOWN_PROGRAM: {
    raisedBy: 'engine',
    meaning: 'There is no guest program of that name.',
    remedy: '`guestPrograms()` lists them.',
  },
  ERR_UNKNOWN_PARAMETER: {
    raisedBy: 'engine',
    meaning: 'The guest program has no parameter of that name.',
    remedy: '`guestPrograms()` lists the parameters of each program.',
  },
  ERR_ADDON_NOT_BUILT: {
    raisedBy: 'library',
    meaning: 'The native addon is missing or cannot be loaded.',
    remedy: 'Run `npm rebuild standstill`, in a checkout `npm run build`; it needs a C++20 compiler and cmake.',
  },
  ERR_INVALID_OPTION: {
    raisedBy: 'library',
    meaning: 'The value of an option is of the wrong type or outside its range.',
    remedy: 'The message names the option and what it takes.',
  },
  ERR_UNKNOWN_OPTION: {
    raisedBy: 'library',
    meaning: 'There is no option of that name.',
    remedy: 'The message names the nearest options.',
  },
  ERR_HOST_CLOSED: {
    raisedBy: 'library',
    meaning: 'The host is closed, and so are its VMs.',
    remedy: 'Create another host.',
  },
  ERR_MAINTENANCE_ACTIVE: {
    raisedBy: 'library',
    meaning: 'A maintenance is under way on this host; there is one at a time.',
    remedy: 'Wait for its promise, or abort it by its signal.',
  },
  ERR_ADDRESS_PUBLIC: {
    raisedBy: 'library',
    meaning:
      'The metadata service, or the metrics, were asked to listen where others than this machine and its private network reach them.',
    remedy: 'Choose a loopback address, or allow public addresses with `allowPublic` or `--allow-public`.',
  },
  ERR_LISTEN_FAILED: {
    raisedBy: 'library',
    meaning: 'The operating system refused an address or a port to listen at.',
    remedy:
      'The message ends with its reason. Ports below 1024 need a privilege, and an address must be one of this machine or network namespace.',
  },
  ERR_METADATA_CLOSED: {
    raisedBy: 'library',
    meaning: 'The metadata server is closed.',
    remedy: 'Create another one.',
  },
  ERR_CONTROL_REFUSED: {
    raisedBy: 'library',
    meaning: 'The control endpoint or the metadata service refused a request, or did not answer.',
    remedy: 'The message ends with its own words. The token is printed by `standstill serve --control`.',
  },
  ERR_EVENT_UNKNOWN: {
    raisedBy: 'library',
    meaning: 'There is no event of that EventId: it is over, or there never was one.',
    remedy: '`state().events` of the metadata server lists the present ones.',
  },
  ERR_EVENT_STARTED: {
    raisedBy: 'library',
    meaning: 'The event has started, so it cannot be cancelled.',
    remedy: 'Cancel it while it is Scheduled.',
  },
  ERR_ABORTED: {
    raisedBy: 'engine',
    meaning:
      'The operation was aborted: by its signal, because the host was closed, or, a snapshot, by a rollback of its VM. The VMs are as before.',
    remedy: 'None is needed: somebody asked for it.',
  },
  ERR_STATE_LOCKED: {
    raisedBy: 'library',
    meaning: 'Another process, or another object of this one, has the state folder open.',
    remedy: 'Wait until it is closed; a process that was killed holds no lock.',
  },
  ERR_STATE_DAMAGED: {
    raisedBy: 'library',
    meaning: 'The state folder does not hold what was written to it. Nothing was done and nothing in it was changed.',
    remedy: 'Take the folder from a backup, or begin with an empty one.',
  },
  ERR_STATE_IO: {
    raisedBy: 'library',
    meaning: 'The operating system refused to read or write the state folder.',
    remedy: 'The message ends with the reason. Nothing that depends on the state is begun after it.',
  },
  ERR_ROLLOUT_ACTIVE: {
    raisedBy: 'library',
    meaning: 'A rollout of this fleet is under way, or one has stopped and is neither resumed nor abandoned.',
    remedy:
      'Wait for it; `fleet.resumeRollout()` goes on with one that has stopped, `fleet.abandonRollout()` gives it up.',
  },
  ERR_ROLLOUT_NOT_FOUND: {
    raisedBy: 'library',
    meaning: 'There is no rollout that has stopped.',
    remedy: 'Start one with `fleet.rollout()`.',
  },
  ERR_ROLLOUT_VIOLATION: {
    raisedBy: 'library',
    meaning:
      'The event log shows that two update domains of a set were impacted at once, that less than the promised share ran, or that a host was patched twice.',
    remedy: '`checkRollout()` tells all violations, each with the entries that show it.',
  },
  ERR_PATCH_NOT_FOUND: {
    raisedBy: 'library',
    meaning: 'The patch module does not exist. No VM was frozen.',
    remedy: 'Give a path relative to the working directory, an absolute path or a file URL.',
  },
  ERR_PATCH_INVALID: {
    raisedBy: 'library',
    meaning: 'The patch module cannot be loaded or its default export is no function. No VM was frozen.',
    remedy: 'Export a function: `export default async (options, context) => result`.',
  },
  ERR_PATCH_FAILED: {
    raisedBy: 'library',
    meaning: 'The patch threw, or its result cannot be written as JSON.',
    remedy: 'The message is that of the patch.',
  },
  ERR_PATCH_EXITED: {
    raisedBy: 'library',
    meaning: 'The patch ended its worker thread, as `process.exit` does.',
    remedy: 'Return from the patch, or throw.',
  },
  ERR_PATCH_MEMORY: {
    raisedBy: 'library',
    meaning:
      'The patch exceeded the limit of its JavaScript heap or of resident memory, and its worker was terminated.',
    remedy: 'Stream instead of collecting, or raise `patchHeapBytes` or `patchResidentBytes` of the host.',
  },
  ERR_PATCH_BUDGET: {
    raisedBy: 'library',
    meaning: 'The budget of the freeze ran out before the patch was done, and it was cancelled.',
    remedy: 'Raise `budgetMs`, or do in advance what needs no frozen VM.',
  },
  ERR_PATCH_ABANDONED: {
    raisedBy: 'library',
    meaning:
      'The worker of a cancelled patch did not end within its grace: it is blocked in native code. Its slot is not used again, and nothing that it does later counts.',
    remedy: 'Use asynchronous calls in the patch. When every slot of the host is lost, create another host.',
  },
  ERR_PATCH_SKIPPED: {
    raisedBy: 'library',
    meaning: 'The patch was not run, because one before it failed or the VMs had been released.',
    remedy: 'Mend the patch that failed first.',
  },
  ERR_PATCH_REFUSED: {
    raisedBy: 'library',
    meaning:
      'A patch does not qualify for this maintenance, or a VM or component does not allow it. Nothing was applied and no VM was frozen.',
    remedy: 'The message tells why. `host.planMaintenance` shows every patch with its class and its reason.',
  },
  ERR_PATCH_ROLLED_BACK: {
    raisedBy: 'library',
    meaning:
      'The patch was applied and taken back, because the maintenance did not end well. The old version is current.',
    remedy: 'The problems of the report tell what did not hold.',
  },
  ERR_BUNDLE_INVALID: {
    raisedBy: 'library',
    meaning:
      'The file is no patch bundle: damaged, with entries that are no plain files, with paths that leave its folder, or larger than a bundle may be. Nothing of it was used.',
    remedy: 'Make it with `standstill patch create`, or take it from its source again.',
  },
  ERR_BUNDLE_UNTRUSTED: {
    raisedBy: 'library',
    meaning: 'The bundle is not signed, or not by a key that is trusted, or its manifest was changed since.',
    remedy: 'Name the public key of its maker in `trustedKeys` of the host or with --trust, if you trust it.',
  },
  ERR_BUNDLE_DIGEST: {
    raisedBy: 'library',
    meaning: 'A file of the bundle, or of an installed component, is not the one that its manifest names by SHA-256.',
    remedy: 'Take the bundle from its source again.',
  },
  ERR_KEY_INVALID: {
    raisedBy: 'library',
    meaning: 'The key cannot be read, is of another kind than Ed25519, or is private where a public one is expected.',
    remedy: '`standstill patch keygen` makes a pair of keys.',
  },
  ERR_COMPONENT_NOT_FOUND: {
    raisedBy: 'library',
    meaning: 'The host has no component of that name, or no version of it to go back to.',
    remedy: 'Install it first: `host.components.install`.',
  },
  ERR_STORE_IO: {
    raisedBy: 'library',
    meaning: 'The operating system refused to read or write the component store. The version before is current.',
    remedy: 'The message ends with the reason of the operating system: free space, or a folder that can be written.',
  },
  ERR_STORE_BUSY: {
    raisedBy: 'library',
    meaning: 'An update of the component store is under way, in this process or another.',
    remedy: 'Wait for it to end. Each host has a folder of its own.',
  },
  ERR_STORE_DAMAGED: {
    raisedBy: 'library',
    meaning: 'The journal of the component store, or a record in it, is not as it was written.',
    remedy: 'The message names the file. Remove the store and install the components again.',
  },
  ERR_GATE_INPUT: {
    raisedBy: 'library',
    meaning:
      'What the gate was given to compare is missing, is no result in a format that it reads, or has nothing in common with the other side.',
    remedy: 'The message names the file and the place in it. docs/GATE.md lists the formats.',
  },
  ERR_GATE_UNITS: {
    raisedBy: 'library',
    meaning: 'A metric is in units of which one is no multiple of the other: on both sides, or in a budget.',
    remedy: 'Write both in units of one kind, or leave the metric out (`--metric`).',
  },
  ERR_GATE_COMMAND: {
    raisedBy: 'library',
    meaning: 'A command that the gate ran failed, took too long, or gave no metrics. Nothing was decided.',
    remedy: 'The message ends with what the command wrote to its standard error. Run it by itself first.',
  },
  ERR_SCENARIO_INVALID: {
    raisedBy: 'library',
    meaning: 'A scenario file cannot be run: it is missing, is no YAML, or says what cannot be. Nothing was begun.',
    remedy:
      'The message names every mistake with its line, its column and what may have been meant. docs/SCENARIOS.md has every key.',
  },
  ERR_NOT_SUPPORTED: {
    raisedBy: 'library',
    meaning: 'This kind of guest cannot do that: a process has no snapshot, no rollback and no registers of its own.',
    remedy: 'The message names what was asked for. Use an emulated VM for it.',
  },
  ERR_PROCESS_SPAWN: {
    raisedBy: 'library',
    meaning: 'The command of a process guest could not be started. Nothing of it runs.',
    remedy: 'The message ends with the reason of the operating system: look at the command, its rights and its folder.',
  },
  ERR_PROCESS_ENDED: {
    raisedBy: 'library',
    meaning: 'The process guest has ended, by itself or by a signal of somebody else.',
    remedy: 'The message tells how, and the end of its output; `vm.start()` starts it again.',
  },
  ERR_PROCESS_NOT_READY: {
    raisedBy: 'library',
    meaning: 'The process guest did not become ready in time. It runs on.',
    remedy: 'Raise `readyTimeoutMs`, or look at the end of its output, which the message has.',
  },
  ERR_PROCESS_UNREADABLE: {
    raisedBy: 'library',
    meaning: 'The memory of the process guest cannot be read: this user may not trace it, or it has ended.',
    remedy: 'Run as the user of the guest or as root; do without the memory proof for a set-user-ID program.',
  },
  ERR_FREEZER_UNAVAILABLE: {
    raisedBy: 'library',
    meaning: 'The freezer that was asked for cannot be had on this machine, or its group is gone.',
    remedy: "The message tells why. `freezer: 'auto'` takes one that can; a delegated cgroup gives the rights.",
  },
  ERR_NETWORK_UNAVAILABLE: {
    raisedBy: 'library',
    meaning:
      'A network of its own that was asked for cannot be had for a process guest, or a port that it publishes is taken.',
    remedy: 'The message tells what was refused. Root may make namespaces, and users where the system lets them.',
  },
  ERR_SUPERVISOR_LOST: {
    raisedBy: 'library',
    meaning: 'The supervisor of a process guest cannot be started, has ended, or does not answer.',
    remedy:
      'Run `npm rebuild standstill`, in a checkout `npm run build`; the next process guest removes what a killed supervisor left behind.',
  },
  ERR_HOOK_FAILED: {
    raisedBy: 'library',
    meaning:
      'A hook threw or rejected. Before the freeze: nothing was frozen. After the resume: the bundles were taken back.',
    remedy: 'The message is that of the hook.',
  },
  ERR_HOOK_TIMEOUT: {
    raisedBy: 'library',
    meaning: 'A hook did not end in time, with the same consequence as one that fails.',
    remedy: 'Let it watch its signal, or raise `hookTimeoutMs`.',
  },
  ERR_PROBE_FAILED: {
    raisedBy: 'library',
    meaning:
      'A health probe threw, rejected or answered false after the resume. The bundles were taken back; the VMs run. Of a steady-state probe: this answer was not well, or too many were not.',
    remedy: 'The message is that of the probe.',
  },
  ERR_PROBE_TIMEOUT: {
    raisedBy: 'library',
    meaning:
      'A health probe did not answer in time. The bundles were taken back; the VMs run. Of a steady-state probe: this ask has failed.',
    remedy: 'Look at the service that it asks, or raise its `timeoutMs`.',
  },
  ERR_PROBE_INVALID: {
    raisedBy: 'library',
    meaning: 'The module of a steady-state probe cannot be loaded, or its default export is no function.',
    remedy: 'The message names the module and what is wrong with it.',
  },
  ERR_RECORD_INVALID: {
    raisedBy: 'library',
    meaning: 'What was given as the record of a run is none: no JSON, of another version, or of another shape.',
    remedy: 'Give the file that `--report <file>.json` wrote; schemas/run-record.schema.json describes it.',
  },
  ERR_CALLBACK_TIMEOUT: {
    raisedBy: 'library',
    meaning:
      'The callback of `whileFrozen` or `during`, or what it deferred, did not end in time. The VMs run, and what else it deferred was undone.',
    remedy: 'Let it watch its signal, or raise `budgetMs` of the freeze or `graceMs` of `during`.',
  },
  ERR_PHASE_NOT_REACHED: {
    raisedBy: 'library',
    meaning: 'The maintenance has ended without the phase that was waited for.',
    remedy: 'The report, or the error of the maintenance, tells why. A maintenance of class `none` has no freeze.',
  },
  ERR_ASSERTION: {
    raisedBy: 'library',
    meaning: 'What was asserted of a maintenance, a freeze, a rollout or a log does not hold, or is not proved.',
    remedy: 'The message tells what was expected and what was observed. docs/TESTING.md explains each assertion.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;

/** The codes of `StandstillError.code`; a code that was published keeps its meaning. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** docs/ERRORS.md, as text. */
export function renderErrorDocs(): string {
  const section = (code: string, entry: ErrorCodeEntry) =>
    `## ${code}\n\n${entry.meaning}\n\n_Remedy:_ ${entry.remedy} _(raised by the ${entry.raisedBy})_\n`;
  return [
    '# Errors\n',
    'Every error of the library is a `StandstillError` with a stable `code`. This page is generated from',
    'src/base/error-codes.ts; a test keeps the two in step.\n',
    ...Object.entries(ERROR_CODES).map(([code, entry]) => section(code, entry)),
  ].join('\n');
}
