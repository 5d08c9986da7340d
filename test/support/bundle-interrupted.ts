import { rm } from 'node:fs/promises'
import { createBundle } from '../../recorder/bundle/create-bundle.ts'
import { bundleRig } from './bundle-rig.ts'

// A process that makes a bundle at a path and is killed. `told`: when everything of it is written but the ledger's word, it says so and waits for ever.
// `any`: it says every step, and that it begins and is done, and goes on.
const [, , path = '', when = 'told'] = process.argv
const rig = await bundleRig(when === 'told' ? 1 : 4)
const say = (): void => void process.send?.({ folder: rig.folder.path })
const waiting = new Promise<never>(() => undefined)
// Something of the process must stay open, or it ends.
const open = setInterval(() => undefined, 60_000)
const tell = (): Promise<void> => {
  say()
  return when === 'told' ? waiting : Promise.resolve()
}
if (when === 'any') say()
await createBundle({ ...rig.parts(), tell }, { ...rig.wish('unused.zip'), path }, when === 'any' ? say : undefined)
if (when === 'any') say()
clearInterval(open)
await rm(rig.folder.path, { recursive: true, force: true })
process.exit(0)
