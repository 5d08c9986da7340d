import { join } from 'node:path'

/** Where a gateway keeps its keys and what people decide; tapes and spool are the recorder's own business. */
export function placesIn(dataDir: string): { readonly keys: string; readonly accessKeys: string; readonly approvals: string } {
  return {
    keys: join(dataDir, 'keys'),
    accessKeys: join(dataDir, 'keys', 'access'),
    approvals: join(dataDir, 'desk', 'approvals'),
  }
}
