import { command } from './command.ts'
import type { NodeProcess } from './folder-node.ts'
import { page } from './page.ts'

/** One file for both: a command where there is a Node, a page where there is a document. */
const { process } = globalThis as { readonly process?: NodeProcess }
if (process?.getBuiltinModule !== undefined) await command(process)
else page(document)
