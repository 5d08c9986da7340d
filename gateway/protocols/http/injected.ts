import type { Credential } from '../../credentials/credential.ts'
import type { Headers } from './head.ts'

/** What proves the gateway to the target. Goes on after the request was recorded, and stands on no tape. */
export function injected({ user, password, header }: Credential): Headers {
  if (password === undefined) return []
  if (header !== undefined) return [[header, password]]
  if (user === '') return [['authorization', `Bearer ${password}`]]
  return [['authorization', `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`]]
}
