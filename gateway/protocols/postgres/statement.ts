import type { Field } from '../../message.ts'

/** A prepared statement as the client defined it, and how its rows are treated once the server has described them. */
export interface Statement {
  readonly sql: string
  /** Types its Parse declared for parameters, as they came (count, oids): they can decide which function or operator is meant. */
  readonly types?: Uint8Array
  /** Per result column, for text format and for binary; undefined until described, null when it returns no rows. */
  columns?: { readonly text: readonly Field[]; readonly binary: readonly Field[] } | null
  /** What `columns` were described in: the names in a text may stand for other tables later (see Conversation.generation). */
  described?: number
  /** The last Describe sent for it. Within its group it is certain to be answered before an execution that needs it. */
  asked?: { readonly generation: number; readonly group: number }
}

/** A bound statement: all that its name may have stood for, usually one; none where nobody defined it here. */
export interface Portal {
  readonly statements: readonly Statement[]
  /** Its plan, and so the origin of its columns, was fixed in this generation of names. */
  readonly generation: number
  /** Per result column 0 text or 1 binary; one entry means all, none means text. */
  readonly resultFormats: readonly number[]
  /** What an approval is bound to: formats and values as they came. */
  readonly parameters: Uint8Array
}

/** The statement a portal runs, where only one comes into question. */
export function certain(portals: readonly Portal[]): Statement | undefined {
  const [portal] = portals
  return portals.length === 1 && portal?.statements.length === 1 ? portal.statements[0] : undefined
}

/** How the rows of a portal are treated: the statement's columns, each in the format this portal asked for. */
export function portalColumns(portal: Portal): readonly Field[] | undefined {
  const statement = certain([portal])
  if (statement?.columns === undefined || statement.described !== portal.generation) return undefined
  const { columns } = statement
  if (columns === null) return []
  const { resultFormats } = portal
  if (resultFormats.every((format) => format === 0)) return columns.text
  if (resultFormats.length === 1) return columns.binary
  return columns.text.map((field, index) => (resultFormats[index] === 1 ? (columns.binary[index] ?? field) : field))
}
