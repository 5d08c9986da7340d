import { allowlist } from './allowlist.ts'
import { bulkArchive } from './bulk-archive.ts'
import { cloudUpload } from './cloud-upload.ts'
import { dbDump } from './db-dump.ts'
import { envDump } from './env-dump.ts'
import { k8sSecret } from './k8s-secret.ts'
import { metadata } from './metadata.ts'
import { netEgress } from './net-egress.ts'
import { obfuscation } from './obfuscation.ts'
import type { ShellPack } from './pack.ts'
import { persistence } from './persistence.ts'
import { secretFiles } from './secret-files.ts'
import { shellDestructive } from './shell-destructive.ts'
import { vcs } from './vcs.ts'

/** The packs for command texts: twelve against something, and one that lists what is allowed. What each rule does by itself a policy may change. */
export const SHELL_PACKS = {
  'net-egress': netEgress,
  'cloud-upload': cloudUpload,
  metadata,
  'secret-files': secretFiles,
  'env-dump': envDump,
  'k8s-secret': k8sSecret,
  'db-dump': dbDump,
  'bulk-archive': bulkArchive,
  vcs,
  persistence,
  'shell-destructive': shellDestructive,
  obfuscation,
  allowlist,
} as const satisfies Readonly<Record<string, ShellPack>>
