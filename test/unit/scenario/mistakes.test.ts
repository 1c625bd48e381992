import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isStandstillError } from '../../../src/base/errors.js';
import { exitCodeOf } from '../../../src/cli/exit-codes.js';
import { parseScenario, readScenario } from '../../../src/scenario/parse.js';
import { ScenarioError } from '../../../src/scenario/problem.js';

const VM = 'vms: [{ name: a, guest: { program: idle } }]\n';
const KEYS =
  '$schema, name, seed, budget, proof, duration, hosts, updateDomains, faultDomains, sets, vms, metadata, patches, schedule, faults, probes, expect';

/** What a file is like, its text, and each of its mistakes: 'line:column message = hint'. */
type Case = [what: string, text: string, mistakes: string[]];

const MISTAKES: Record<string, Case[]> = {
  'a file that is no scenario': [
    ['is empty', '', ["1:1 Expected a scenario but the file is empty = 'standstill init' writes a first one"]],
    [
      'has comments only',
      '# to do\n',
      ["1:1 Expected a scenario but the file is empty = 'standstill init' writes a first one"],
    ],
    ['is a list', '- a\n', ["1:1 Expected an object with 'vms' for the scenario but received an array of 1"]],
    ['is one word', 'hello\n', ["1:1 Expected an object with 'vms' for the scenario but received 'hello'"]],
    ['is not closed', "name: 'abc\n", ["1:11 Expected YAML but: missing closing 'quote"]],
    ['is indented by tabs', 'vms:\n\t- name: a\n', ['2:1 Expected YAML but: tabs are not allowed as indentation']],
    ['has a key twice', `${VM}seed: 1\nseed: 2\n`, ["3:1 Expected each key once but received 'seed' twice"]],
    ['has two documents', `${VM}---\n${VM}`, ["2:1 Expected one scenario but received a second document after '---'"]],
    [
      'has an alias of nothing',
      'vms: *all\n',
      ["1:6 Expected an anchor '&all' before the alias '*all' but there is none"],
    ],
    [
      'has a tag that is none',
      `name: !!text a\n${VM}`,
      ['1:7 Expected YAML but: unresolved tag: tag:yaml.org,2002:text'],
    ],
    [
      'is nested too deeply',
      `vms: ${'['.repeat(70)}${']'.repeat(70)}`,
      ['1:69 Expected lists and mappings at most 64 deep but received deeper ones'],
    ],
    [
      'is a YAML bomb',
      'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n',
      ['1:1 Expected at most 1000 values by aliases but received more'],
    ],
    ['lacks its VMs', 'seed: 1\n', ["1:1 Expected a list of VMs for 'vms' but received nothing"]],
    ['has no VM', 'vms: []\n', ["1:6 Expected at least one VM for 'vms' but received an array of 0"]],
    [
      'has nothing behind a colon',
      'vms:\n',
      [
        "1:5 Expected a list of VMs for 'vms' but received null = nothing stands there; an empty object is '{}', an empty list '[]'",
      ],
    ],
  ],
  'a key': [
    [
      'that is not there',
      `budgett: 1s\n${VM}`,
      ["1:1 Unknown key 'budgett' for the scenario = did you mean 'budget'?"],
    ],
    ['that is nothing like one', `colour: red\n${VM}`, [`1:1 Unknown key 'colour' for the scenario = keys: ${KEYS}`]],
    [
      'of the prototype',
      `__proto__: { name: a }\n${VM}`,
      [`1:1 Unknown key '__proto__' for the scenario = keys: ${KEYS}`],
    ],
    [
      'in the wrong place',
      'vms:\n  - name: a\n    memory: 1MiB\n    guest: { program: idle }\n',
      ["3:5 Unknown key 'memory' for 'vms.0' = keys: name, count, set, pinned, guest"],
    ],
    [
      'that is misspelt, of a guest',
      'vms: [{ name: a, guest: { progam: idle } }]\n',
      ["1:27 Unknown key 'progam' for 'vms.0.guest' = did you mean 'program'?"],
    ],
    [
      'of the other kind of guest',
      'vms: [{ name: a, guest: { process: sleep 9, memory: 1MiB } }]\n',
      [
        "1:45 Unknown key 'memory' for 'vms.0.guest' = keys: process, directory, env, ready, readyTimeout, freezer, restart, network, publish",
      ],
    ],
  ],
  'a unit or number': [
    [
      'that is no unit of time',
      `budget: 30 parsecs\n${VM}`,
      [
        "1:9 Expected a duration such as '500ms' or '30s', above 0, up to 24h, for 'budget' but received '30 parsecs' = units of time: ns, us, ms, s, min, h",
      ],
    ],
    [
      'of time that is missing',
      `budget: 30\n${VM}`,
      [
        "1:9 Expected a duration such as '500ms' or '30s', above 0, up to 24h, for 'budget' but received 30 = did you mean '30ms' or '30s'?",
      ],
    ],
    [
      'of memory for a time',
      `budget: 30MiB\n${VM}`,
      [
        "1:9 Expected a duration such as '500ms' or '30s', above 0, up to 24h, for 'budget' but received '30MiB' = units of time: ns, us, ms, s, min, h",
      ],
    ],
    [
      'of no time',
      `budget: 0s\n${VM}`,
      ["1:9 Expected a duration such as '500ms' or '30s', above 0, up to 24h, for 'budget' but received '0s'"],
    ],
    [
      'in a list of hosts',
      `hosts: [{ colour: red }]\n${VM}`,
      ["1:11 Unknown key 'colour' for 'hosts.0' = keys: name, components, trust"],
    ],
    [
      'beyond a day',
      `budget: 25h\n${VM}`,
      ["1:9 Expected a duration such as '500ms' or '30s', above 0, up to 24h, for 'budget' but received '25h'"],
    ],
    [
      'that is no unit of memory',
      'vms: [{ name: a, guest: { program: idle, memory: 64 pages } }]\n',
      [
        "1:50 Expected bytes or text such as '64MiB', a multiple of 4 KiB from 1 MiB to 64 GiB, for 'vms.0.guest.memory' but received '64 pages' = units of memory: B, KiB, MiB, GiB, kB, MB, GB",
      ],
    ],
    [
      'of memory that is no multiple of pages',
      'vms: [{ name: a, guest: { program: idle, memory: 1000KB } }]\n',
      [
        "1:50 Expected bytes or text such as '64MiB', a multiple of 4 KiB from 1 MiB to 64 GiB, for 'vms.0.guest.memory' but received '1000KB'",
      ],
    ],
    [
      'of a share that is missing',
      `${VM}probes: [{ tcp: 'a:1', abortBelow: 50 }]\n`,
      ["2:36 Expected a share such as '80%' for 'probes.0.abortBelow' but received 50 = did you mean '50%'?"],
    ],
    [
      'below its range',
      `seed: -1\n${VM}`,
      ["1:7 Expected a whole number from 0 to 9007199254740991 for 'seed' but received -1"],
    ],
    [
      'that is a name',
      `name: 7\n${VM}`,
      ["1:7 Expected text of 1 to 200 characters for 'name' but received 7 = as text it is in quotes: '7'"],
    ],
    [
      'of a duty cycle',
      'vms: [{ name: a, guest: { program: idle, dutyCycle: 2 } }]\n',
      ["1:53 Expected a number above 0, up to 1 for 'vms.0.guest.dutyCycle' but received 2"],
    ],
  ],
  'a name': [
    [
      'of a program that is none',
      'vms: [{ name: a, guest: { program: kv-stor } }]\n',
      [
        "1:36 Expected one of page-writer, kv-store, queue, hash-chain, ticker, idle for 'vms.0.guest.program' but received 'kv-stor' = did you mean 'kv-store'?",
      ],
    ],
    [
      'of a parameter that is none',
      'vms: [{ name: a, guest: { program: kv-store, params: { workingSets: 1 } } }]\n',
      ["1:56 Unknown parameter 'workingSets' of program 'kv-store' = did you mean 'workingSet'?"],
    ],
    [
      'with a parameter out of range',
      'vms: [{ name: a, guest: { program: kv-store, params: { putFraction: 2 } } }]\n',
      ["1:69 Expected a number from 0 to 1 for parameter 'putFraction' of 'kv-store' but received 2"],
    ],
    [
      'of a set that is none',
      'sets: [web]\nvms: [{ name: a, set: wep, guest: { program: idle } }]\n',
      ["2:23 Expected the name of an availability set for 'vms.0.set' but received 'wep' = did you mean 'web'?"],
    ],
    [
      'of a patch that is none',
      `${VM}patches: [{ builtin: verify }]\nfaults: [{ kind: patch-hang, patch: verfy }]\n`,
      ["3:37 Expected the name of a patch for 'faults.0.patch' but received 'verfy' = did you mean 'verify'?"],
    ],
    [
      'of a built-in patch that is none',
      `${VM}patches: [{ builtin: compress }]\n`,
      [
        "2:22 Expected one of decompress, verify, replace for 'patches.0.builtin' but received 'compress' = did you mean 'decompress'?",
      ],
    ],
    [
      'of a host that is none',
      `hosts: 2\n${VM}schedule: [{ at: 1s, maintenance: { host: host-3 } }]\n`,
      [
        "3:43 Expected the name of a host for 'schedule.0.maintenance.host' but received 'host-3' = did you mean 'host-1' or 'host-2'?",
      ],
    ],
    [
      'of VMs that are none',
      'vms: [{ name: web, count: 3, guest: { program: idle } }]\nschedule: [{ at: 1s, freeze: { vms: [web, web-3], duration: 1s } }]\n',
      [
        "2:43 Expected the name of a VM for 'schedule.0.freeze.vms.1' but received 'web-3' = did you mean 'web-0' or 'web-1' or 'web-2'?",
      ],
    ],
    [
      'of a VM whose invariants are asked for',
      `${VM}probes: [{ check: b }]\n`,
      ["2:19 Expected the name of a VM for 'probes.0.check' but received 'b' = did you mean 'a'?"],
    ],
    [
      'of a fault that is none',
      `${VM}faults: [{ kind: patch-hangs, patch: a }]\n`,
      [
        "2:18 Expected one of patch-hang, patch-fail, health-fail, metadata, late-resume, flip-bit for 'faults.0.kind' but received 'patch-hangs' = did you mean 'patch-hang'?",
      ],
    ],
    [
      'of VMs of a fault',
      `${VM}metadata: true\nfaults: [{ kind: metadata, vms: [b], steps: [500] }]\n`,
      ["3:34 Expected the name of a VM for 'faults.0.vms.0' but received 'b' = did you mean 'a'?"],
    ],
    [
      'that two VMs have',
      'vms:\n  - { name: a, count: 2, guest: { program: idle } }\n  - { name: a-1, guest: { program: idle } }\n',
      ["3:13 Expected a name that no other VM has for 'vms.1.name' but received 'a-1' = 'vms.0.name' has it too"],
    ],
    [
      'that two sets have',
      `sets: [web, { name: web }]\n${VM}`,
      ["1:21 Expected a name that no other set has for 'sets.1.name' but received 'web' = 'sets.0.name' has it too"],
    ],
    [
      'that two hosts have',
      `hosts: [{ name: host-2 }, {}]\n${VM}`,
      [
        "1:27 Expected a name that no other host has for 'hosts.1.name' but received 'host-2' = 'hosts.0.name' has it too",
      ],
    ],
    [
      'that two patches have',
      `${VM}patches: [{ builtin: verify }, { builtin: verify }]\n`,
      [
        "2:32 Expected a name that no other patch has for 'patches.1.name' but received 'verify' = 'patches.0.name' has it too",
      ],
    ],
    [
      'that two probes have',
      `${VM}probes: [{ check: a }, { name: check-1, check: a }]\n`,
      [
        "2:32 Expected a name that no other probe has for 'probes.1.name' but received 'check-1' = 'probes.0.name' has it too",
      ],
    ],
    [
      'with characters that a name may not have',
      'vms: [{ name: a b, guest: { program: idle } }]\n',
      [
        "1:15 Expected a name of 1 to 64 letters, digits, dots, dashes and underscores that begins with a letter or digit for 'vms.0.name' but received 'a b'",
      ],
    ],
  ],
  'more than there may be': [
    [
      '10,000 VMs',
      'vms: [{ name: a, count: 10000, guest: { program: idle } }]\n',
      ["1:25 Expected a whole number from 1 to 1000 for 'vms.0.count' but received 10000"],
    ],
    [
      '1,200 VMs in two entries',
      'vms:\n  - { name: a, count: 600, guest: { program: idle, memory: 1MiB } }\n  - { name: b, count: 600, guest: { program: idle, memory: 1MiB } }\n',
      ["1:1 Expected at most 1000 VMs in all for 'vms' but received 1200"],
    ],
    [
      'update domains than hosts',
      `hosts: 2\nupdateDomains: 3\n${VM}`,
      ["2:16 Expected at most 2, one for each host, for 'updateDomains' but received 3"],
    ],
    [
      'update domains of a set than of the fleet',
      `hosts: 3\nupdateDomains: 2\nsets: [{ name: web, updateDomains: 3 }]\n${VM}`,
      ["3:36 Expected at most 2, one for each domain of the fleet, for 'sets.0.updateDomains' but received 3"],
    ],
    [
      'fault domains than hosts',
      `faultDomains: 2\n${VM}`,
      ["1:15 Expected at most 1, one for each host, for 'faultDomains' but received 2"],
    ],
  ],
  'a schedule': [
    [
      'with an entry that does nothing',
      `${VM}schedule: [{ at: 1s }]\n`,
      ["2:12 Expected one of maintenance, rollout, freeze, pause, resume, event for 'schedule.0' but received none"],
    ],
    [
      'with an entry that does two things',
      `${VM}patches: [{ builtin: verify }]\nschedule: [{ at: 1s, rollout: {}, maintenance: {} }]\n`,
      [
        "3:22 Expected one of maintenance, rollout, freeze, pause, resume, event for 'schedule.0' but received maintenance and rollout",
      ],
    ],
    [
      'with a resume of what nothing pauses',
      `${VM}schedule: [{ at: 1s, resume: { vms: [a] } }]\n`,
      [
        "2:38 Expected a VM that is paused before for 'schedule.0.resume.vms.0' but received 'a', which no earlier entry pauses = add '- at: …' with 'pause: { vms: [a] }' before it",
      ],
    ],
    [
      'with a resume before the pause',
      `${VM}schedule: [{ at: 1s, resume: { vms: [a] } }, { at: 2s, pause: { vms: [a] } }]\n`,
      [
        "2:38 Expected a VM that is paused before for 'schedule.0.resume.vms.0' but received 'a', which no earlier entry pauses = add '- at: …' with 'pause: { vms: [a] }' before it",
      ],
    ],
    [
      'with an entry at no time',
      `${VM}schedule: [{ freeze: { vms: [a], duration: 1s } }]\n`,
      ["2:12 Expected one of at, every, after for 'schedule.0' but received none"],
    ],
    [
      'with an entry at two times',
      `${VM}schedule: [{ at: 1s, after: event-started, freeze: { vms: [a], duration: 1s } }]\n`,
      ["2:22 Expected one of at, after for 'schedule.0' but received at and after"],
    ],
    [
      'with an entry after the end',
      `duration: 10s\n${VM}schedule: [{ at: 11s, freeze: { vms: [a], duration: 1s } }]\n`,
      ["3:18 Expected a time before the scenario's end at 10.0 s for 'schedule.0.at' but it is 11.0 s"],
    ],
    [
      'with repeats after the end',
      `duration: 10s\n${VM}schedule: [{ at: 1s, every: 5s, times: 3, freeze: { vms: [a], duration: 1s } }]\n`,
      ["3:40 Expected a time before the scenario's end at 10.0 s for 'schedule.0.times' but it is 11.0 s"],
    ],
    [
      'with repeats without an end',
      `${VM}schedule: [{ every: 5s, freeze: { vms: [a], duration: 1s } }]\n`,
      ["2:14 Expected 'times' beside 'every', or a 'duration' of the scenario, for 'schedule.0' but received none"],
    ],
    [
      'with times and no repeats',
      `${VM}schedule: [{ at: 5s, times: 2, freeze: { vms: [a], duration: 1s } }]\n`,
      ["2:22 Expected 'every' beside 'times' for 'schedule.0' but received none"],
    ],
    [
      'with a delay behind nothing',
      `${VM}schedule: [{ at: 5s, delay: 2s, freeze: { vms: [a], duration: 1s } }]\n`,
      ["2:22 Expected 'after' beside 'delay' for 'schedule.0' but received none"],
    ],
    [
      'with an entry after nothing',
      `${VM}schedule: [{ after: event-startet, freeze: { vms: [a], duration: 1s } }]\n`,
      [
        "2:21 Expected the id or kind of an entry, or an event of the log, for 'schedule.0.after' but received 'event-startet' = did you mean 'event-started'?",
      ],
    ],
    [
      'with an entry after itself',
      `${VM}schedule: [{ after: freeze, freeze: { vms: [a], duration: 1s } }]\n`,
      [
        "2:21 Expected another entry than those that wait for this one for 'schedule.0.after' but received 'freeze' = freeze-1 after freeze-1",
      ],
    ],
    [
      'with entries after each other',
      VM +
        'schedule:\n  - { id: b, at: 1s, freeze: { vms: [a], duration: 1s } }\n  - { id: c, after: d, freeze: { vms: [a], duration: 1s } }\n  - { id: d, after: c, freeze: { vms: [a], duration: 1s } }\n',
      [
        "4:21 Expected another entry than those that wait for this one for 'schedule.1.after' but received 'd' = c after d after c",
      ],
    ],
    [
      'with an entry after one of several',
      VM +
        'schedule:\n  - { at: 1s, freeze: { vms: [a], duration: 1s } }\n  - { at: 3s, freeze: { vms: [a], duration: 1s } }\n  - { after: freeze, maintenance: {} }\n',
      [
        "5:14 Expected the id of an entry for 'schedule.2.after' but received 'freeze', of which there are 2 = one of freeze-1, freeze-2",
      ],
    ],
    [
      'with an id twice',
      VM +
        'schedule:\n  - { id: b, at: 1s, freeze: { vms: [a], duration: 1s } }\n  - { id: b, at: 3s, freeze: { vms: [a], duration: 1s } }\n',
      [
        "4:11 Expected a name that no other entry of the schedule has for 'schedule.1.id' but received 'b' = 'schedule.0.id' has it too",
      ],
    ],
    [
      'with a maintenance of one of several hosts',
      `hosts: 2\n${VM}schedule: [{ at: 1s, maintenance: {} }]\n`,
      ["3:22 Expected 'host' for 'schedule.0.maintenance' but received none = there are host-1, host-2"],
    ],
    [
      'with a rollout of nothing',
      `${VM}schedule: [{ at: 1s, rollout: {} }]\n`,
      [
        "2:22 Expected 'patches' of the scenario for 'schedule.0.rollout' but received none = add 'patches: [{ builtin: decompress }]'",
      ],
    ],
    [
      'with an order of domains that are none',
      `hosts: 2\n${VM}patches: [{ builtin: verify }]\nschedule: [{ at: 1s, rollout: { order: [0, 0, 2] } }]\n`,
      [
        "4:44 Expected each update domain once for 'schedule.0.rollout.order.1' but received 0",
        "4:47 Expected an update domain from 0 to 1 for 'schedule.0.rollout.order.2' but received 2",
      ],
    ],
    [
      'with an event and no metadata',
      `${VM}schedule: [{ at: 1s, event: { type: Freeze } }]\n`,
      ["2:22 Expected 'metadata' of the scenario for 'schedule.0.event' but received none = add 'metadata: true'"],
    ],
    [
      'with an event of no type',
      `metadata: true\n${VM}schedule: [{ at: 1s, event: {} }]\n`,
      ["3:29 Expected one of type, hardwareFailure for 'schedule.0.event' but received none"],
    ],
    [
      'with an event of a type that is none',
      `metadata: true\n${VM}schedule: [{ at: 1s, event: { type: Frieze } }]\n`,
      [
        "3:37 Expected one of Freeze, Reboot, Redeploy, Preempt, Terminate for 'schedule.0.event.type' but received 'Frieze' = did you mean 'Freeze'?",
      ],
    ],
    [
      'with a freeze of no VM',
      `${VM}schedule: [{ at: 1s, freeze: { vms: [], duration: 1s } }]\n`,
      ["2:37 Expected at least one name for 'schedule.0.freeze.vms' but received an array of 0"],
    ],
  ],
  'a probe or fault': [
    [
      'of nothing',
      `${VM}probes: [{ name: api }]\n`,
      ["2:10 Expected one of http, tcp, command, module, check for 'probes.0' but received none"],
    ],
    [
      'of two things',
      `${VM}probes: [{ http: 'http://a', tcp: 'a:1' }]\n`,
      ["2:30 Expected one of http, tcp, command, module, check for 'probes.0' but received http and tcp"],
    ],
    [
      'with an URL of another protocol',
      `${VM}probes: [{ http: 'ftp://a' }]\n`,
      ["2:18 Expected an http or https URL for 'probes.0.http' but received 'ftp://a'"],
    ],
    [
      'with text to send to no socket',
      `${VM}probes: [{ command: date, send: PING }]\n`,
      ["2:27 Expected tcp beside send for 'probes.0' but received none"],
    ],
    [
      'in the RAM of a real program',
      'vms: [{ name: a, guest: { process: sleep 9 } }]\nfaults: [{ kind: flip-bit, vm: a }]\nprobes: [{ check: a }]\n',
      [
        "2:32 Expected an emulated VM for 'faults.0.vm' but received 'a', which is a process",
        "3:19 Expected an emulated VM for 'probes.0.check' but received 'a', which is a process",
      ],
    ],
    [
      "in a network that is not the guest's own",
      'vms: [{ name: a, guest: { process: sleep 9, publish: [80] } }]\n',
      ["1:54 Expected the network 'own' for 'vms.0.guest.publish' but received 'host' = add 'network: own'"],
    ],
    [
      'of readiness at a port that nothing leads to',
      'vms: [{ name: a, guest: { process: b, network: own, publish: [80], ready: { http: "http://127.0.0.1:81/" } } }]\n',
      ["1:83 Expected a port that is published for 'vms.0.guest.ready.http' but received 'http://127.0.0.1:81/'"],
    ],
    [
      'of a port of the host that several are to have',
      'vms:\n' +
        '  - { name: a, count: 2, guest: { process: b, network: own, publish: [{ guest: 79 }, 80] } }\n' +
        '  - { name: c, guest: { process: d, network: own, publish: [{ host: 80, guest: 8080 }] } }\n',
      [
        "2:86 Expected a port of one VM for 'vms.0.guest.publish.1' but 80 leads to several = '{ guest: 80 }' takes one that is free for each",
        "3:61 Expected a port of one VM for 'vms.1.guest.publish.0' but 80 leads to several = '{ guest: 8080 }' takes one that is free for each",
      ],
    ],
    [
      'of a port that is none',
      'vms: [{ name: a, guest: { process: b, network: own, publish: [99999] } }]\n',
      ["1:63 Expected a port, or { host, guest }, for 'vms.0.guest.publish.0' but received 99999"],
    ],
    [
      'of metadata that is not there',
      `${VM}faults: [{ kind: metadata, vms: [a], steps: [500] }]\n`,
      ["2:10 Expected 'metadata' of the scenario for 'faults.0' but received none = add 'metadata: true'"],
    ],
    [
      'with a key of another kind',
      `${VM}faults: [{ kind: flip-bit, vm: a, steps: [500] }]\n`,
      ["2:35 Unknown key 'steps' for 'faults.0' = keys: kind, vm"],
    ],
    [
      'with a step that is none',
      `metadata: true\n${VM}faults: [{ kind: metadata, vms: [a], steps: [500, trunkated] }]\n`,
      [
        "3:51 Expected a step such as '500', '404 x3', 'delay 5s', 'truncated', 'malformed', 'reset' or 'ok' for 'faults.0.steps.1' but received 'trunkated'",
      ],
    ],
  ],
  'an expectation': [
    [
      'of a metric that is none',
      `${VM}expect: [clock.lagg.after < 1ms]\n`,
      [
        "2:10 Expected a metric such as 'blackout.p99', 'memory' or 'availability(api)' but received 'clock.lagg.after' = did you mean 'clock.lag.after'?",
      ],
    ],
    [
      'of a state that is none',
      `${VM}expect:\n  - memory: preservd\n`,
      [
        "3:13 Expected 'memory: preserved', 'memory: changed', 'memory: lost', 'memory: unproven' but received 'memory: preservd' = did you mean 'preserved'?",
      ],
    ],
    [
      'of a state by comparison',
      `${VM}expect: [memory >= preserved]\n`,
      [
        "2:17 Expected 'memory: preserved', 'memory: changed', 'memory: lost', 'memory: unproven' but received 'memory >= preserved' = did you mean 'preserved'?",
      ],
    ],
    [
      'of a time without a unit',
      `${VM}expect: [blackout.p99 < 50]\n`,
      ["2:25 Expected a duration such as '50ms' for 'blackout' but received '50' = did you mean '50ms' or '50s'?"],
    ],
    [
      'of a time in memory',
      `${VM}expect: [blackout.p99 < 50MiB]\n`,
      [
        "2:25 Expected a duration such as '50ms' for 'blackout' but received '50MiB' = units of time: ns, us, ms, s, min, h",
      ],
    ],
    [
      'of a share in percent without the sign',
      `${VM}probes: [{ name: api, check: a }]\nexpect: [availability(api) >= 80]\n`,
      ["3:31 Expected a share from '0%' to '100%' for 'availability' but received '80' = did you mean '80%'?"],
    ],
    [
      'of a share above all',
      `${VM}probes: [{ name: api, check: a }]\nexpect: [availability(api) >= 180%]\n`,
      ["3:31 Expected a share from '0%' to '100%' for 'availability' but received '180%'"],
    ],
    [
      'of a count with a unit',
      `metadata: true\n${VM}expect: [events.acknowledged >= 1s]\n`,
      ["3:33 Expected a whole number without a unit for 'events.acknowledged' but received '1s'"],
    ],
    [
      'without a value',
      `${VM}expect: [blackout.p99 <]\n`,
      ["2:24 Expected a duration such as '50ms' for 'blackout' but received nothing"],
    ],
    [
      'without a comparison',
      `${VM}expect: [blackout.p99]\n`,
      ["2:22 Expected <, <=, >, >=, ==, != after 'blackout' but received nothing = as in 'blackout < 50ms'"],
    ],
    [
      'by one equals sign',
      `metadata: true\n${VM}expect: [events.started = 1]\n`,
      ["3:25 Expected <, <=, >, >=, ==, != after 'events.started' but received '=' = did you mean '=='?"],
    ],
    [
      'of a percentile above 100',
      `${VM}expect: [blackout.p999 < 1s]\n`,
      ["2:19 Expected p0 to p100, min, mean or max for 'blackout' but received 'p999'"],
    ],
    [
      'of a percentile of one value',
      `${VM}expect: [duration.p99 < 1s]\n`,
      ["2:19 Expected no statistic for 'duration', which is one value, but received 'p99'"],
    ],
    [
      'of a VM that is none',
      `${VM}expect: [blackout.max(b) < 1s]\n`,
      ["2:23 Expected the name of a VM for 'expect.0' but received 'b' = did you mean 'a'?"],
    ],
    [
      'of names that are not closed',
      `${VM}expect: ["blackout.max(a < 1s"]\n`,
      ["2:23 Expected names and ')' after '(' but received no ')' = as in 'availability(api)'"],
    ],
    [
      'of no name in brackets',
      `${VM}expect: [blackout.max() < 1s]\n`,
      ["2:23 Expected a name in the brackets but received nothing = as in 'blackout(web)'"],
    ],
    [
      'of names where there are none',
      `${VM}expect: [duration(a) < 1s]\n`,
      ["2:19 Expected no names in brackets for 'duration' but received 'a'"],
    ],
    [
      'of probes that are not there',
      `${VM}expect: [availability >= 80%]\n`,
      [
        "2:10 Expected a probe of the scenario for 'expect.0' but received none = add 'probes: [{ name: api, http: … }]'",
      ],
    ],
    [
      'of events that are not there',
      `${VM}expect: [events.started >= 1]\n`,
      ["2:10 Expected 'metadata' of the scenario for 'expect.0' but received none = add 'metadata: true'"],
    ],
    [
      'of sets that are not there',
      `${VM}expect:\n  - updateDomains: oneAtATime\n`,
      ["3:5 Expected an availability set of the scenario for 'expect.0' but received none = add 'sets: [web]'"],
    ],
    [
      'of a rollout that is not there',
      `${VM}expect:\n  - rollout: done\n`,
      [
        "3:5 Expected a rollout of the scenario for 'expect.0' but received none = add '- at: 1s' with 'rollout: {}' to 'schedule'",
      ],
    ],
    [
      'that is a number',
      `${VM}expect: [7]\n`,
      ["2:10 Expected text such as 'blackout.p99 < 50ms', or { memory: preserved } for 'expect.0' but received 7"],
    ],
    [
      'of two keys',
      `${VM}expect: [{ memory: preserved, budget: kept }]\n`,
      [
        "2:10 Expected text such as 'blackout.p99 < 50ms', or { memory: preserved } for 'expect.0' but received an object",
      ],
    ],
    [
      'behind an escape',
      `${VM}expect: ["blackout\\u002Ep99 < 5"]\n`,
      ["2:10 Expected a duration such as '50ms' for 'blackout' but received '5' = did you mean '5ms' or '5s'?"],
    ],
  ],
  'a file that it names': [
    [
      'of a patch module',
      `${VM}patches: [{ module: ./nope.mjs }]\n`,
      ["2:21 Expected a patch module for 'patches.0.module' but there is no such file = looked for <here>/nope.mjs"],
    ],
    [
      'of a bundle that is a folder',
      `${VM}patches: [{ bundle: ../scenario }]\n`,
      ["2:21 Expected a patch bundle for 'patches.0.bundle' but it is no file = looked for <here>"],
    ],
    [
      'of a key',
      `hosts: [{ trust: [agent.pub] }]\n${VM}`,
      ["1:19 Expected a public key for 'hosts.0.trust.0' but there is no such file = looked for <here>/agent.pub"],
    ],
    [
      'of a component',
      `hosts: [{ components: { agent: { version: 1.0.0, files: './agent' } } }]\n${VM}`,
      [
        "1:57 Expected a folder for 'hosts.0.components.agent.files' but there is no such folder = looked for <here>/agent",
      ],
    ],
    [
      'of a probe',
      `${VM}probes: [{ module: ./probe.mjs }]\n`,
      ["2:20 Expected a module for 'probes.0.module' but there is no such file = looked for <here>/probe.mjs"],
    ],
    [
      'of a guest',
      "vms: [{ name: a, guest: { process: 'sleep 9', directory: ./nope } }]\n",
      ["1:58 Expected a folder for 'vms.0.guest.directory' but there is no such folder = looked for <here>/nope"],
    ],
  ],
  'several at once': [
    [
      'are told together, in the order of the file',
      'seed: x\nbudget: 5\nhosts: 2\n' +
        VM +
        'schedule: [{ at: 1s, maintenance: { host: host-9 } }]\nexpect: [memroy > 1]\n',
      [
        "1:7 Expected a whole number from 0 to 9007199254740991 for 'seed' but received 'x'",
        "2:9 Expected a duration such as '500ms' or '30s', above 0, up to 24h, for 'budget' but received 5 = did you mean '5ms' or '5s'?",
        "5:43 Expected the name of a host for 'schedule.0.maintenance.host' but received 'host-9' = did you mean 'host-1' or 'host-2'?",
        "6:10 Expected a metric such as 'blackout.p99', 'memory' or 'availability(api)' but received 'memroy' = did you mean 'memory'?",
      ],
    ],
  ],
};

const PATH = join(import.meta.dirname, 'mistakes.yaml');

function mistakesOf(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    expect(error.code).toBe('ERR_SCENARIO_INVALID');
    expect(exitCodeOf(error)).toBe(2);
    return error.problems.map(({ line, column, message, hint }) => {
      const place = `${line}:${column} ${message}${hint === null ? '' : ` = ${hint}`}`;
      return place.replace(import.meta.dirname, '<here>');
    });
  }
  return [];
}

describe.each(Object.entries(MISTAKES))('%s', (_, cases) => {
  it.each(cases)('%s', (_what, text, mistakes) => {
    expect(mistakesOf(() => parseScenario(text, { path: PATH }))).toEqual(mistakes);
  });
});

describe('a scenario that asks for more memory than the machine has', () => {
  it('is told both numbers', () => {
    const text = 'vms: [{ name: a, count: 1000, guest: { program: idle, memory: 64GiB } }]\n';
    expect(mistakesOf(() => parseScenario(text, { path: PATH }))).toEqual([
      expect.stringMatching(
        /^1:1 Expected at most this machine's [\d.]+ GiB for the memory of all VMs but received 64000 GiB = 1000 VMs of \d+MiB each would take it all$/,
      ),
    ]);
  });
});

describe('what is read as a scenario file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'standstill-scenario-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const readError = async (path: string): Promise<string> =>
    await readScenario(path).then(
      () => 'nothing is wrong',
      (error) => {
        expect(isStandstillError(error, 'ERR_SCENARIO_INVALID')).toBe(true);
        return error.message.replaceAll(folder, '<folder>');
      },
    );
  const written = (content: string | Buffer): string => {
    const path = join(folder, 'a.yaml');
    writeFileSync(path, content);
    return path;
  };

  it('is there', async () => {
    const expected =
      "Expected a scenario file for <folder>/none.yaml but there is no such file; 'standstill init' writes one";
    expect(await readError(join(folder, 'none.yaml'))).toBe(expected);
  });

  it('is a file', async () => {
    expect(await readError(folder)).toBe('Expected a scenario file for <folder> but it is no file');
    expect(await readError('/dev/zero')).toBe('Expected a scenario file for /dev/zero but it is no file');
  });

  it('is no larger than 1 MiB', async () => {
    const expected = 'Expected a scenario file for <folder>/a.yaml but it has 2 MiB, more than 1 MiB';
    expect(await readError(written(Buffer.alloc(2 * 1024 ** 2, '#')))).toBe(expected);
  });

  it.each([
    ['a binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0x0a, 0x02, 0x00]), '2:2', 'a zero byte'],
    ['Latin-1', Buffer.from('name: caf\xe9', 'latin1'), '1:10', 'bytes that are none'],
  ])('is text: %s', async (_, content, place, received) => {
    expect(await readError(written(content))).toContain(
      `<folder>/a.yaml:${place}: Expected text in UTF-8 but received ${received}`,
    );
  });

  it('may begin with a byte order mark and have CRLF', async () => {
    expect(await readScenario(written(`\ufeffseed: 7\r\n${VM.replace('\n', '\r\n')}`))).toMatchObject({ seed: 7 });
  });
});

describe('the message', () => {
  it('shows the line, a caret below the place, and the hint', () => {
    expect(() =>
      parseScenario(`name: x\nvms:\n  - { name: a, guest: { program: idl } }\n`, { path: 'x.yaml' }),
    ).toThrow(
      [
        'Expected a valid scenario in x.yaml but found a mistake',
        '',
        "x.yaml:3:34: Expected one of page-writer, kv-store, queue, hash-chain, ticker, idle for 'vms.0.guest.program' but received 'idl'",
        '  3 |   - { name: a, guest: { program: idl } }',
        '    |                                  ^^^',
        "    = did you mean 'idle'?",
      ].join('\n'),
    );
  });

  it('has no control characters of the file, which a terminal would obey', () => {
    const mistake = () => parseScenario(`budget: "5\x1b[31m"\n${VM}`, { path: PATH });
    expect(mistake).toThrow(ScenarioError);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(mistake).not.toThrow(/[\x00-\x09\x0b-\x1f]/);
  });

  it('shows fifty mistakes of many', () => {
    const text = Array.from({ length: 60 }, (_, index) => `key${index}: 1\n`).join('');
    expect(() => parseScenario(text + VM, { path: PATH })).toThrow(/found 60 mistakes[\s\S]*… and 10 more$/);
  });
});
