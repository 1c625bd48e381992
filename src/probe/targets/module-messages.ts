export interface ModuleRequest {
  readonly ask: number;
  readonly cancel: boolean;
}

/** `ask` 0 is the loading. */
export interface ModuleReply {
  readonly ask: number;
  /** Null where all is well. */
  readonly error: string | null;
}
