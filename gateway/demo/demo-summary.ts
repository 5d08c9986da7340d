import { join } from 'node:path'
import { FileStore, listSessions, openTape, readGatewayKeys, verifyTape } from '../../recorder/index.ts'
import type { Act } from '../../schemas/verdict.ts'
import { PostgresView } from '../../schemas/views/postgres.ts'
import { placesIn } from '../places.ts'

/** What a demo recorded, read back from its tapes alone. */
export interface DemoSummary {
  readonly sessions: number
  readonly frames: number
  /** Messages by verdict; `allow` counts those that no rule spoke against. */
  readonly verdicts: Readonly<Record<Act, number>>
  readonly maskedCells: number
  /** `VALID` when every tape is; else the first verdict that is not. */
  readonly verify: string
  /** The folder of each tape. */
  readonly tapes: readonly string[]
}

export async function summarise(dataDir: string): Promise<DemoSummary> {
  const places = placesIn(dataDir)
  const store = new FileStore(places.store)
  const gatewayKeys = await readGatewayKeys(places.keys)
  const verdicts = { allow: 0, mask: 0, block: 0, hold: 0 }
  const tapes: string[] = []
  let frames = 0
  let maskedCells = 0
  let verify = 'VALID'
  for await (const { id, frameCount, summary } of listSessions(store)) {
    tapes.push(join(places.store, 'tapes', id))
    frames += frameCount
    for (const act of ['allow', 'mask', 'block', 'hold'] as const) verdicts[act] += summary?.totals.verdicts[act] ?? 0
    const tape = await openTape(store, id)
    const view = new PostgresView()
    for await (const frame of tape.frames()) {
      for (const piece of view.read(frame)) {
        if (piece.show === 'row') maskedCells += piece.cells.filter(({ masked }) => masked !== undefined).length
      }
    }
    const { verdict } = await verifyTape(store, id, { gatewayKeys })
    if (verify === 'VALID') verify = verdict
  }
  return { sessions: tapes.length, frames, verdicts, maskedCells, verify, tapes }
}
