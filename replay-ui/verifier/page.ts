import { ApplianceError } from '../../schemas/errors.ts'
import { EXCERPT_HEAD_SIZE, isExcerptFile } from '../../schemas/excerpt.ts'
import { parseGatewayKeys } from '../../schemas/gateway-keys.ts'
import { bundleLines } from '../../schemas/verify/bundle-lines.ts'
import { verificationLines } from '../../schemas/verify/lines.ts'
import { filesInArchive, isArchive, isBundleFolder, verifyBundleFiles } from './bundle.ts'
import { folderOf, type PickedFile, verifyExcerptFile, verifyFolder } from './folder.ts'

/** The verifier as a page: opens from a folder, asks no server, sends nothing anywhere. */
export function page(document: Document): void {
  const choose = input(document, 'folder')
  const trust = document.querySelector('textarea')
  const result = document.querySelector('pre')
  if (trust === null || result === null) throw new Error('the page is not whole')
  const verify = async (files: readonly (readonly [path: string, file: File])[]): Promise<void> => {
    const root = files[0]?.[0].split('/')[0] ?? ''
    document.body.dataset['verdict'] = ''
    result.textContent = 'Reading ...'
    try {
      const keys = trust.value.trim() === '' ? undefined : parseGatewayKeys(trust.value, 'trusted keys')
      let read = 0
      const onRead = (bytes: number, tape: number, tapes: number): void => {
        read += bytes
        result.textContent = `Tape ${tape + 1} of ${tapes}, ${Math.round(read / 1e6)} MB read`
      }
      const picked = pickedFiles(files)
      const alone = picked.get(root)
      const archive = alone !== undefined && (await isArchive(root, alone)) ? await filesInArchive(alone) : undefined
      // Names that begin with a dot are the system's own.
      const seen = [...picked].filter(([path]) => !path.slice(root.length).includes('/.'))
      const unpacked = new Map(seen.map(([path, file]) => [path.slice(root.length + 1), file]))
      const bundle = archive ?? (isBundleFolder(unpacked) ? unpacked : undefined)
      if (bundle !== undefined) {
        const told = await verifyBundleFiles(bundle, keys, (bytes) => onRead(bytes, 0, 1))
        document.body.dataset['verdict'] = told.verdict
        result.textContent = bundleLines(root, told).join('\n')
        return
      }
      const excerpt = alone
      const verification = await (excerpt !== undefined && isExcerptFile(root, await excerpt.read(0, EXCERPT_HEAD_SIZE))
        ? verifyExcerptFile(root, root, excerpt, keys)
        : verifyFolder(root, await folderOf(picked), { keys, onRead }))
      document.body.dataset['verdict'] = verification.verdict
      result.textContent = verificationLines(verification).join('\n')
    } catch (error) {
      result.textContent = error instanceof ApplianceError ? error.message : `${error}`
    }
  }
  choose.addEventListener('change', () => void verify([...(choose.files ?? [])].map((file) => [file.webkitRelativePath, file])))
  document.addEventListener('dragover', (event) => event.preventDefault())
  document.addEventListener('drop', (event) => {
    event.preventDefault()
    const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry())
    void Promise.all(entries.flatMap((entry) => (entry === null ? [] : [filesIn(entry)]))).then((lists) => verify(lists.flat()))
  })
}

function input(document: Document, id: string): HTMLInputElement {
  const element = document.getElementById(id)
  if (!(element instanceof HTMLInputElement)) throw new Error('the page is not whole')
  return element
}

function pickedFiles(files: readonly (readonly [path: string, file: File])[]): Map<string, PickedFile> {
  return new Map(
    files.map(([path, file]) => [
      path,
      {
        size: async () => file.size,
        read: async (from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer()),
      },
    ]),
  )
}

async function filesIn(entry: FileSystemEntry): Promise<(readonly [path: string, file: File])[]> {
  if (entry instanceof FileSystemFileEntry) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject))
    return [[entry.fullPath.replace(/^\//, ''), file]]
  }
  if (!(entry instanceof FileSystemDirectoryEntry)) return []
  const reader = entry.createReader()
  const found: (readonly [path: string, file: File])[] = []
  // Browsers give a hundred at a time, and none in the end.
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (entries.length === 0) return found
    for (const inner of entries) found.push(...(await filesIn(inner)))
  }
}
