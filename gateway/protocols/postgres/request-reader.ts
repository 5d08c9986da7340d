import type { Message } from '../../message.ts'
import type { CopyMasks } from './copy-masks.ts'
import { FRONTEND, HEADER_SIZE, nameAt } from './messages.ts'
import { bindNames, Request, type RequestContext, type RequestKind } from './request.ts'
import { PartSource } from './row-stream.ts'
import type { Cut, Piece } from './splitter.ts'

const EXTENDED: ReadonlySet<number> = new Set<number>([
  FRONTEND.parse,
  FRONTEND.bind,
  FRONTEND.describe,
  FRONTEND.execute,
  FRONTEND.close,
  FRONTEND.sync,
  FRONTEND.flush,
])

const SINGLE: Readonly<Record<number, RequestKind>> = {
  [FRONTEND.query]: 'query',
  [FRONTEND.functionCall]: 'function-call',
  [FRONTEND.copyDone]: 'copy-end',
  [FRONTEND.copyFail]: 'copy-end',
  [FRONTEND.terminate]: 'terminate',
}

/** Groups the client's messages into requests: one decision each. Purely by shape; what names stand for is asked later. */
export class RequestReader {
  readonly #context: RequestContext
  readonly #masks: CopyMasks
  #parts: PartSource | undefined

  constructor(context: RequestContext, masks: CopyMasks) {
    this.#context = context
    this.#masks = masks
  }

  read({ bytes, pieces }: Cut): readonly Message[] {
    const [only] = pieces
    if (only !== undefined && pieces.length === 1 && only.part === 'whole') {
      return [this.#request(SINGLE[only.type] ?? kindOfRun(pieces), bytes, pieces)]
    }
    const messages: Message[] = []
    let run: Piece[] = []
    const close = (): void => {
      if (run.length === 0) return
      messages.push(this.#request(kindOfRun(run), bytes, run))
      run = []
    }
    for (const piece of pieces) {
      if (piece.part !== 'whole') {
        close()
        this.#parts = piece.part === 'first' ? new PartSource('client', piece.type, [], undefined, this.#masks) : this.#parts
        const part = this.#parts?.next(bytes.subarray(piece.from, piece.to), piece.part)
        if (part !== undefined) messages.push(part)
        continue
      }
      const single = SINGLE[piece.type]
      if (single !== undefined) {
        close()
        messages.push(this.#request(single, bytes, [piece]))
        continue
      }
      if (run.length > 0 && !joins(bytes, run, piece)) close()
      run.push(piece)
      if (piece.type === FRONTEND.sync) close()
    }
    close()
    return messages
  }

  #request(kind: RequestKind, bytes: Uint8Array, pieces: readonly Piece[]): Request {
    const from = pieces[0]?.from ?? 0
    const to = pieces.at(-1)?.to ?? from
    const inside = from === 0 ? pieces : pieces.map((piece) => ({ ...piece, from: piece.from - from, to: piece.to - from }))
    const own = from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to)
    return new Request(kind, own, inside, this.#context)
  }
}

function kindOfRun(run: readonly Piece[]): RequestKind {
  if (run[0]?.type === FRONTEND.copyData) return 'copy-data'
  if (found(run, FRONTEND.execute) !== undefined) return 'execute'
  return found(run, FRONTEND.parse) === undefined ? 'extended' : 'parse'
}

function found(run: readonly Piece[], type: number): Piece | undefined {
  for (const piece of run) if (piece.type === type) return piece
  return undefined
}

/** Whether `piece` may be decided together with `run`: never two texts, two bindings or two executions in one decision. */
function joins(bytes: Uint8Array, run: readonly Piece[], piece: Piece): boolean {
  if (piece.type === FRONTEND.copyData || run[0]?.type === FRONTEND.copyData) return piece.type === run[0]?.type
  if (!EXTENDED.has(piece.type)) return false
  if (piece.type === FRONTEND.parse)
    return (
      found(run, FRONTEND.parse) === undefined &&
      found(run, FRONTEND.bind) === undefined &&
      found(run, FRONTEND.execute) === undefined
    )
  if (piece.type === FRONTEND.bind) {
    if (found(run, FRONTEND.bind) !== undefined || found(run, FRONTEND.execute) !== undefined) return false
    const parse = found(run, FRONTEND.parse)
    return parse === undefined || nameAt(bytes, parse.from + HEADER_SIZE, parse.to) === bindNames(bytes, piece).statement
  }
  if (piece.type === FRONTEND.execute) {
    if (found(run, FRONTEND.execute) !== undefined) return false
    const bind = found(run, FRONTEND.bind)
    if (bind === undefined) return found(run, FRONTEND.parse) === undefined
    return nameAt(bytes, bind.from + HEADER_SIZE, bind.to) === nameAt(bytes, piece.from + HEADER_SIZE, piece.to)
  }
  // A Close may take away the very name this decision is about.
  return piece.type !== FRONTEND.close || (found(run, FRONTEND.parse) === undefined && found(run, FRONTEND.bind) === undefined)
}
