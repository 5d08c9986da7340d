import { createBundle } from '../../recorder/bundle/create-bundle.ts'
import { bundleRig } from './bundle-rig.ts'

// A process that makes a bundle at a path and is killed when everything of it is written but the ledger's word: it says so, and waits for ever.
const [, , path = ''] = process.argv
const rig = await bundleRig(1)
const waiting = new Promise<never>(() => undefined)
const tell = (): Promise<void> => {
  process.send?.({ folder: rig.folder.path })
  return waiting
}
// Something of the process must stay open, or it ends.
setInterval(() => undefined, 60_000)
await createBundle({ ...rig.parts(), tell }, { ...rig.wish('unused.zip'), path })
