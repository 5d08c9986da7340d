// biome-ignore lint/style/noRestrictedImports: a script beside the schemas, imported by none of them
import { writeFileSync } from 'node:fs'
// biome-ignore lint/style/noRestrictedImports: as above
import { fileURLToPath } from 'node:url'
import type { TSchema } from 'typebox'
import { Approval } from './approval.ts'
import { Config } from './config.ts'
import { configReference } from './config-reference.ts'
import { LedgerStatement } from './ledger.ts'
import { openApi } from './openapi.ts'
import { PolicyFile } from './policy.ts'

/** What is published in schemas/json/, for editors and for whoever reads what we write. */
export const PUBLISHED: Readonly<Record<string, TSchema>> = {
  approval: Approval,
  config: Config,
  ledger: LedgerStatement,
  policy: PolicyFile,
}

/** The text of schemas/json/<name>.schema.json, before the formatter has been over it. */
export function jsonOf(schema: TSchema): string {
  return `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }, null, 2)}\n`
}

/** The text of schemas/json/openapi.json, likewise. */
export function openApiText(): string {
  return `${JSON.stringify(openApi(), null, 2)}\n`
}

export const OPENAPI_FILE = fileURLToPath(new URL('json/openapi.json', import.meta.url))

export const REFERENCE_FILE = fileURLToPath(new URL('../docs/config-reference.md', import.meta.url))

/** Where it stands. */
export function jsonFile(name: string): string {
  return fileURLToPath(new URL(`json/${name}.schema.json`, import.meta.url))
}

// Run as `npm run schemas`; imported by the test that compares.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, schema] of Object.entries(PUBLISHED)) writeFileSync(jsonFile(name), jsonOf(schema))
  writeFileSync(OPENAPI_FILE, openApiText())
  writeFileSync(REFERENCE_FILE, configReference())
}
