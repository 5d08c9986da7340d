import { openFolderDesk } from '../../../recorder/desk/desk-folder.ts'

/** A process of its own: `desk-child.ts <folder> <id>` tries to take the approval once told to on stdin, and prints whether it may. */
const [, , folder = '', id = ''] = process.argv
using desk = openFolderDesk(folder)
process.stdout.write('ready\n')
process.stdin.once('data', async () => {
  process.stdout.write(`${await desk.consume(id)}\n`)
  process.stdin.destroy()
})
