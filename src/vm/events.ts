/** What becomes of a VM outside of freezes and restarts, as it goes to the event log of its host. */
export type VmEvent =
  | { readonly type: 'vm-started'; readonly vm: string }
  /** By `pause()`, or because it has reached the step of a `runUntil`. */
  | { readonly type: 'vm-paused'; readonly vm: string }
  | { readonly type: 'vm-resumed'; readonly vm: string }
  | { readonly type: 'vm-rolled-back'; readonly vm: string }
  /** Its guest has stopped at a guest fault; told when somebody first asks the VM for something after it. */
  | { readonly type: 'vm-faulted'; readonly vm: string }
  | { readonly type: 'vm-closed'; readonly vm: string };
