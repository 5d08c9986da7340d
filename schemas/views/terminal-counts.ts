/** The emulator's own counts of a control sequence, which its API hands out as a copy only. */
interface Counts {
  readonly length: number
  readonly params: Int32Array
}

type OnSequence = (id: { readonly final: string }, handler: (counts: Counts) => boolean) => void

/**
 * Has the emulator do no more than its screen is large, whatever a sequence says: `ESC [ 2147483647 L` is twelve bytes and would take it an hour, and
 * to repeat a character so often takes gigabytes. More lines than there are scroll as all of them do; more tabs lead to the same edge.
 */
export function boundCounts(terminal: { readonly rows: number; readonly cols: number }): void {
  const { _core: core } = terminal as unknown as { readonly _core: { readonly registerCsiHandler: OnSequence } }
  const bound = (finals: string, most: () => number): void => {
    for (const final of finals)
      core.registerCsiHandler({ final }, ({ length, params }) => {
        if (length > 0) params[0] = Math.min(params[0] ?? 0, most())
        return false
      })
  }
  bound('LMST', () => terminal.rows)
  bound('IZ', () => terminal.cols)
  bound('b', () => terminal.rows * terminal.cols)
}
