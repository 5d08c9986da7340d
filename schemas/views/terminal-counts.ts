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

/** Cells that one piece may have cleared, four bytes at a time: some tens of milliseconds. */
const PIECE_CELLS = 16 << 20
const LEAST_PIECE = 256

/** Output in pieces, between which an emulator lets others have their turn: the larger the screen, the longer a few bytes can take. */
export function* inPieces(
  bytes: Uint8Array,
  { cols, rows }: { readonly rows: number; readonly cols: number },
): Generator<Uint8Array> {
  const size = Math.max(LEAST_PIECE, Math.floor(PIECE_CELLS / (cols * rows)))
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
