import { loadShell } from '../../policy/shell/facts.ts'
import type { Protocol } from '../../protocol.ts'
import { speaking } from '../http/index.ts'
import { KUBERNETES } from './dialect.ts'

/** Resolves once commands of exec can be read. */
export async function kubernetes(): Promise<Protocol> {
  await loadShell()
  return speaking(KUBERNETES)
}
