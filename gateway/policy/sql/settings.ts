import type { Collector } from './collector.ts'
import type { Node } from './parse.ts'

/** Settings that say how the server reads the bytes of a statement, with the values under which it reads them as we do. */
const PARSER_SETTINGS: Readonly<Record<string, RegExp>> = {
  standard_conforming_strings: /^(on|true|tru|tr|t|yes|ye|y|1)$/i,
  client_encoding: /^(utf-?8|unicode)$/i,
}

const READ_ONLY = 'transaction_read_only'
const ROLE_SETTINGS = new Set(['role', 'session_authorization'])

/** SET, RESET and what ALTER ROLE | DATABASE | SYSTEM sets. */
export function setting(body: Node, into: Collector): void {
  const kind = body['kind']
  if (kind === 'VAR_RESET_ALL') {
    into.sets.add('all')
    return
  }
  const name = String(body['name'] ?? '').toLowerCase()
  const values = Array.isArray(body['args']) ? (body['args'] as readonly Node[]) : []
  if (kind === 'VAR_SET_MULTI') {
    for (const value of values) mode(value['DefElem'] as Node | undefined, name, into)
    return
  }
  into.sets.add(name)
  if (ROLE_SETTINGS.has(name)) into.roleChange = true
  // RESET and SET ... TO DEFAULT go back to what the gateway pinned at the start.
  if (kind === 'VAR_SET_VALUE') judgeValue(name, values.length === 1 ? constant(values[0]) : undefined, into)
  else if (kind === 'VAR_SET_CURRENT') judgeValue(name, undefined, into)
}

/** BEGIN and START TRANSACTION: of their modes, the one that lifts what protects a session that only reads. */
export function transactionMode(body: Node, into: Collector): void {
  for (const option of Array.isArray(body['options']) ? (body['options'] as readonly Node[]) : []) {
    const given = option['DefElem'] as Node | undefined
    if (given?.['defname'] === READ_ONLY) mode(given, READ_ONLY, into)
  }
}

/** READ ONLY asks for less than there is: nothing a rule about the setting would be for. */
function mode(given: Node | undefined, otherwise: string, into: Collector): void {
  const name = String(given?.['defname'] ?? otherwise).toLowerCase()
  if (name !== READ_ONLY || constant(given?.['arg'] as Node | undefined) !== '1') into.sets.add(name)
}

/** set_config(name, value, is_local), the function: what cannot be read may be anything. */
export function settingCall(args: readonly Node[], into: Collector): void {
  const name = constant(args[0])?.toLowerCase()
  if (name === undefined) {
    into.sets.add('*')
    into.dynamic = true
    into.roleChange = true
    into.parserChange = true
    return
  }
  into.sets.add(name)
  if (ROLE_SETTINGS.has(name)) into.roleChange = true
  judgeValue(name, constant(args[1]), into)
}

function judgeValue(name: string, value: string | undefined, into: Collector): void {
  const same = PARSER_SETTINGS[name]
  if (same !== undefined && (value === undefined || !same.test(value))) into.parserChange = true
}

function constant(node: Node | undefined): string | undefined {
  const value = node?.['A_Const'] as Node | undefined
  if (value === undefined) return undefined
  const text = value['sval'] as Node | undefined
  if (text !== undefined) return String(text['sval'] ?? '')
  const integer = value['ival'] as Node | undefined
  if (integer !== undefined) return String(integer['ival'] ?? 0)
  const bool = value['boolval'] as Node | undefined
  return bool === undefined ? undefined : String(bool['boolval'] ?? false)
}
