import { access, constants, mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf } from '../recorder/files.ts'
import { ApplianceError } from '../schemas/errors.ts'

export interface Places {
  /** The gateway's own keys, its certificate, and whose tapes to believe. */
  readonly keys: string
  readonly accessKeys: string
  /** Who is kept out whatever they prove. */
  readonly blocked: string
  readonly approvals: string
  /** The policy in force, kept for the next start. */
  readonly policy: string
  /** What identities were given within windows, one file per budget. */
  readonly budgets: string
  /** What was told of approvals to which channel. */
  readonly notified: string
  /** Who does for all gateways on this folder what one of them does. */
  readonly leads: string
  /** What somebody may ask to delete. */
  readonly plans: string
  /** How far the ledger was told to which sink. */
  readonly siem: string
  /** Sessions somebody wants ended that another gateway on this folder has. */
  readonly kills: string
  /** Statements somebody wants cancelled that another gateway on this folder runs. */
  readonly cancels: string
  /** Who is signed in to the console. */
  readonly signIns: string
  /** One-time sign-in links of the console. */
  readonly links: string
  /** Answers of a SAML issuer that were taken, each once. */
  readonly samlAnswers: string
  /** PostgreSQL files of the console: derived from the tapes and the ledger. */
  readonly catalog: string
  /** What people gather of evidence. */
  readonly cases: string
  /** Searches people keep. */
  readonly searches: string
  /** Audit bundles made in the console. */
  readonly bundles: string
  /** Root of the store, where `tapes/` stands: what `verify` and `replay` read. */
  readonly store: string
  /** What is recorded and not yet in the store; a local disk. */
  readonly spool: string
  /** Journals of the time before the ledger, which stands in the store. */
  readonly journals: string
}

/** Made where it is not. Rejects CONFIG_INVALID where a gateway could keep nothing there: said by its name, and not by the first file in it that fails. */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await makeEach(dataDir)
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ApplianceError('CONFIG_INVALID', `dataDir: nothing can be kept in ${dataDir}: ${why}`)
  }
}

/** As `recursive`, which tries without end where a folder is there and nothing can be made in it, as in /proc. */
async function makeEach(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await isFolder(folder))) return
    const above = dirname(folder)
    if (codeOf(error) !== 'ENOENT' || (await isFolder(above))) throw error
    await makeEach(above)
    await makeEach(folder)
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
}

/** Where a gateway keeps what it keeps. */
export function placesIn(dataDir: string): Places {
  return {
    keys: join(dataDir, 'keys'),
    accessKeys: join(dataDir, 'keys', 'access'),
    blocked: join(dataDir, 'keys', 'blocked'),
    approvals: join(dataDir, 'desk', 'approvals'),
    policy: join(dataDir, 'policy'),
    budgets: join(dataDir, 'desk', 'budgets'),
    notified: join(dataDir, 'desk', 'notified'),
    leads: join(dataDir, 'desk', 'leads'),
    plans: join(dataDir, 'desk', 'plans'),
    siem: join(dataDir, 'desk', 'siem'),
    kills: join(dataDir, 'desk', 'kills'),
    cancels: join(dataDir, 'desk', 'cancels'),
    signIns: join(dataDir, 'desk', 'sign-ins'),
    links: join(dataDir, 'desk', 'links'),
    samlAnswers: join(dataDir, 'desk', 'saml-answers'),
    catalog: join(dataDir, 'catalog', 'pg'),
    cases: join(dataDir, 'desk', 'cases'),
    searches: join(dataDir, 'desk', 'searches'),
    bundles: join(dataDir, 'bundles'),
    store: dataDir,
    spool: join(dataDir, 'spool'),
    journals: join(dataDir, 'ledger'),
  }
}
