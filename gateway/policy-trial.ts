import { stat } from 'node:fs/promises'
import type { PolicyTried } from '../schemas/api.ts'
import { ApplianceError } from '../schemas/errors.ts'
import type { Identity } from '../schemas/session.ts'
import type { Settings } from './config.ts'
import { explainStatement, triedOf } from './policy/command-explain.ts'
import type { Policy } from './policy/policy.ts'
import { loadShell } from './policy/shell/facts.ts'
import { loadPolicy } from './service.ts'

/** What the policy file as it stands says of commands; it is compiled once for each version of the file. */
export class PolicyTrials {
  readonly #settings: Settings
  #compiled: { readonly version: string; readonly policy: Promise<Policy> } | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Rejects TARGET_UNKNOWN, and POLICY_INVALID where the file is being edited. */
  async try(identity: Identity, name: string, command: string): Promise<PolicyTried> {
    const target = this.#settings.targets.get(name)?.target
    if (target === undefined) throw new ApplianceError('TARGET_UNKNOWN', 'there is no such target')
    // Where workers have the listeners, nothing else in this process reads shell texts.
    await loadShell()
    return triedOf(explainStatement(await this.#policy(), { identity, target, atMs: Date.now() }, command))
  }

  async #policy(): Promise<Policy> {
    const { mtimeMs, size, ino } = await stat(this.#settings.policyFile)
    const version = `${mtimeMs} ${size} ${ino}`
    if (this.#compiled?.version !== version) this.#compiled = { version, policy: loadPolicy(this.#settings) }
    return this.#compiled.policy
  }
}
