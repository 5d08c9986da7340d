import packageJson from '../package.json' with { type: 'json' }
import {
  type GatewaySigner,
  openFileSigner,
  openRecorder,
  openStore,
  publishKey,
  RECOVERY_LIMITS,
  type RecorderRoom,
  readGatewayKeys,
  readOldJournal,
  SpoolFolder,
  StoreLedger,
  spoolLimits,
} from '../recorder/index.ts'
import type { LedgerEntry } from '../recorder/ledger/ledger.ts'
import { keepPolicy } from '../recorder/policy-texts.ts'
import { Holds } from '../recorder/retention/holds.ts'
import { Sealer } from '../recorder/retention/sealer.ts'
import { publishBeside } from '../recorder/tape/signer-file.ts'
import type { VaultSignerPlace } from '../recorder/tape/signer-vault.ts'
import { type Attesters, openAttestations } from './attesters.ts'
import type { Settings } from './config.ts'
import { type Log, silentLog } from './log.ts'
import { placesIn } from './places.ts'

/** Where tapes and ledger are, and what signs there. */
export type Where = Pick<Settings, 'dataDir' | 'gateway' | 'store' | 'signer' | 'ledger'>
type TapeSettings = Where & Pick<Settings, 'spool'>

/** One process's recorder with the ledger it writes; both are given back together. */
export interface TapeRoom extends AsyncDisposable {
  readonly room: RecorderRoom
  readonly ledger: StoreLedger
  /** Keeps a policy's text beside the tapes, by its hash. */
  keepPolicy(policy: { readonly hash: string; readonly text: string }): Promise<void>
}

/** What a process says of itself when it begins to record. */
interface RoomFacts {
  /** In force. */
  readonly policy: { readonly hash: string; readonly text: string }
  readonly durability: string
  readonly targets: number
}

interface RoomOptions {
  readonly facts?: RoomFacts
  /** Who attests its ledger's checkpoints meanwhile. */
  readonly attesters?: Attesters
  readonly limits?: ReturnType<typeof spoolLimits>
  readonly onStored?: (session: string) => void
}

/**
 * Opens the recorder of this process on the configured folder. `worker` 0 is the only process or the primary of several; each
 * worker records, numbers and signs under a name of its own (`gw1-3`), as its number is gapless only within it. With `facts` the ledger is
 * told gateway.start and, at the end, gateway.stop.
 */
export async function openTapeRoom(
  settings: TapeSettings,
  log: Log,
  worker = 0,
  { facts, attesters, limits = spoolLimits(settings.spool), onStored }: RoomOptions = {},
): Promise<TapeRoom> {
  const places = placesIn(settings.dataDir)
  const gateway = worker === 0 ? settings.gateway : `${settings.gateway}-${worker}`
  await using stack = new AsyncDisposableStack()
  const signer = await openSigner(settings.signer, places.keys, gateway)
  const store = await openStore(settings.store)
  if (!('folder' in settings.store)) await publishKey(store, signer)
  const ledger = await openLedger(settings, gateway, log)
  // Given back last: the ledger's last checkpoint is attested too.
  const attestations = attesters && (await openAttestations(attesters, { store: settings.store, ledger, log }))
  if (attestations !== undefined) stack.use(attestations)
  stack.defer(() => ledger.close())
  const stored = onStored === undefined ? {} : { onStored }
  const room = await openRecorder({ gateway, store, signer, spoolFolder: places.spool, ledger, limits, ...stored })
  stack.defer(async () => {
    await room.close()
    if (facts !== undefined) await ledger.append({ type: 'gateway.stop', reason: 'stopped' })
  })
  if (facts !== undefined) {
    const policy = facts.policy.hash
    await keepPolicy(store, facts.policy)
    await Promise.all([
      ledger.append({ type: 'gateway.start', version: packageJson.version, node: process.version, ...facts, policy }),
      ledger.append({ type: 'policy.activate', policy }),
    ])
  }
  const open = stack.move()
  const keep = (policy: RoomFacts['policy']): Promise<void> => keepPolicy(store, policy)
  return { room, ledger, keepPolicy: keep, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

/**
 * Takes a gateway's name on its data folder until it is disposed, whether one process serves under it or several. It is in the place of a worker 0's
 * spool, which nobody records in: so that one process is not let in beside several, nor four beside two, of which two would find a place.
 * Rejects CONFIG_INVALID while another has it. After `recoverTapes`, which clears away what a dead one left.
 */
export async function takeName({ dataDir, gateway }: Pick<Settings, 'dataDir' | 'gateway'>): Promise<AsyncDisposable> {
  const folder = await SpoolFolder.take(placesIn(dataDir).spool, `${gateway}-0`, gateway)
  return { [Symbol.asyncDispose]: () => folder.release() }
}

/** The ledger in the configured store, for the writer of this name. `publish` false: for a command that says a word. */
export async function openLedger(settings: Where, writer: string, log: Log, publish = true): Promise<StoreLedger> {
  const places = placesIn(settings.dataDir)
  const { origin } = settings.ledger ?? {}
  const oldJournal = await readOldJournal(places.journals, writer)
  return StoreLedger.open({
    store: await openStore(settings.store),
    gateway: writer,
    signer: await openSigner(settings.signer, places.keys, settings.gateway),
    trusted: await readGatewayKeys(places.keys),
    publish,
    onProblem: (error) => log.ledgerProblem(error),
    ...(origin === undefined ? {} : { origin }),
    ...(oldJournal === undefined ? {} : { oldJournal }),
  })
}

/** Begins to copy ended tapes to where they are kept, if there is such a place. In one process of a machine. */
export async function openSealer(
  settings: Pick<Settings, 'dataDir' | 'store' | 'evidence'>,
  log: Log,
): Promise<Sealer | undefined> {
  if (settings.evidence === undefined) return undefined
  const { openEvidence } = await import('../recorder/store/store-blob-evidence.ts')
  const { place, retention } = settings.evidence
  const live = await openStore(settings.store)
  return new Sealer({
    live,
    evidence: await openEvidence(place, retention),
    holds: new Holds(live, () => readGatewayKeys(placesIn(settings.dataDir).keys)),
    onCopied: (session, bytes) => log.copied(session, bytes),
    onProblem: (session, error) => log.copyFailed(session, error),
  })
}

/** One entry by a command, durable when it resolves. Commands write under one name and are numbered together. */
export async function tellLedger(settings: Where, entry: LedgerEntry): Promise<void> {
  const ledger = await openLedger(settings, `${settings.gateway}-cli`, silentLog(), false)
  try {
    await ledger.append(entry)
  } finally {
    await ledger.close()
  }
}

/** Entries that a checkpoint has when it resolves: whatever is read as of a checkpoint knows of them from then on. */
export async function tellInCheckpoint(settings: Where, entries: readonly LedgerEntry[]): Promise<void> {
  const ledger = await openLedger(settings, `${settings.gateway}-cli`, silentLog())
  try {
    for (const entry of entries) await ledger.append(entry)
    await ledger.publish(true)
  } finally {
    await ledger.close()
  }
}

/** The key in its vault, whose public half then stands beside the file keys as those do; without one, the file. */
export async function openSigner(vault: VaultSignerPlace | undefined, keys: string, gateway: string): Promise<GatewaySigner> {
  if (vault === undefined) return openFileSigner(keys, gateway)
  const { openVaultSigner } = await import('../recorder/tape/signer-vault.ts')
  const signer = await openVaultSigner(vault, gateway)
  await publishBeside(keys, signer)
  return signer
}

/** Seals as recovered what processes that died left open, and tells the log; true where nothing of it is left. Tapes of the living are left alone. */
export async function recoverTapes(settings: TapeSettings, log: Log): Promise<boolean> {
  await using tapes = await openTapeRoom(settings, log, 0, { limits: RECOVERY_LIMITS })
  const report = await tapes.room.recover()
  log.recovered(report)
  return report.problems.length === 0
}
