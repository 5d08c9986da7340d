// The package brings no types: what of it is used.
declare module 'har-validator' {
  /** Rejects with what is wrong. */
  export function har(data: unknown): Promise<unknown>
}
