import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { MAX_REASON_CHARS } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { Identity } from '../../schemas/session.ts'
import type { Desk, Ruling } from '../desk/desk.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { approvalOfButton, callSlack, plain, type SlackPlace, same, slackSignature } from './slack.ts'

/** Slack's own bound for what is replayed. */
const MAX_AGE_S = 300

const Sender = { user: Type.Object({ id: Type.String() }), team: Type.Object({ id: Type.String() }) }
const Pressed = Type.Object({
  type: Type.Literal('block_actions'),
  ...Sender,
  trigger_id: Type.String(),
  actions: Type.Array(Type.Object({ action_id: Type.String(), value: Type.Optional(Type.String()) }), { minItems: 1 }),
})
const Submitted = Type.Object({
  type: Type.Literal('view_submission'),
  ...Sender,
  view: Type.Object({
    callback_id: Type.Literal('reject'),
    private_metadata: Type.String(),
    state: Type.Object({
      values: Type.Object({ reason: Type.Object({ text: Type.Object({ value: Type.Union([Type.String(), Type.Null()]) }) }) }),
    }),
  }),
})
const pressed = Compile(Pressed)
const submitted = Compile(Submitted)
type Sent = Pick<Static<typeof Pressed>, 'user' | 'team'>

export interface SlackParts extends SlackPlace {
  /** The workspace whose people may decide. */
  readonly team: string
  /** Subjects by Slack user id; nobody else decides. */
  readonly approvers: Readonly<Record<string, string>>
  readonly desk: Pick<Desk, 'decide'>
  readonly ledger: Pick<Ledger, 'append'>
  /** The identity of a subject as it is configured now; undefined for who is not, or is kept out. */
  named(subject: string): Promise<Identity | undefined>
  onError(error: unknown): void
}

/** What Slack sends when somebody presses a button: one decision, by a person whom the configuration knows. */
export class SlackInteractions {
  readonly #parts: SlackParts
  readonly #now: () => number

  constructor(parts: SlackParts, now: () => number = Date.now) {
    this.#parts = parts
    this.#now = now
  }

  /** Whether Slack has sent this, within the last five minutes. */
  verifies(timestamp: string, signature: string, body: Uint8Array): boolean {
    const fresh = /^\d{1,12}$/.test(timestamp) && Math.abs(this.#now() / 1000 - Number(timestamp)) <= MAX_AGE_S
    return fresh && same(signature, slackSignature(this.#parts.signingSecret, timestamp, body))
  }

  /**
   * Does what a verified payload asks. Slack waits for three seconds only, and is answered at once: what came of it is told to the
   * person in Slack. Rejects API_INVALID for what is no interaction of ours; the promise that it resolves with settles when it is done.
   */
  take(payload: string): { readonly done: Promise<void> } {
    const value = parsed(payload)
    if (pressed.Check(value)) {
      const [action] = value.actions
      const approval = approvalOfButton(this.#parts.signingSecret, action?.value ?? '')
      if (action?.action_id === 'console') return { done: Promise.resolve() }
      if (approval === undefined) throw notOurs()
      if (action?.action_id === 'approve') return this.#rule(value, approval, { act: 'approve' })
      if (action?.action_id === 'reject') return this.#ask(value, approval, action.value ?? '')
      throw notOurs()
    }
    if (submitted.Check(value)) {
      const { private_metadata: button, state } = value.view
      const approval = approvalOfButton(this.#parts.signingSecret, button)
      if (approval === undefined) throw notOurs()
      return this.#rule(value, approval, { act: 'reject', reason: (state.values.reason.text.value ?? '').toWellFormed() })
    }
    throw notOurs()
  }

  /** A rejection needs its reason: asked for in a dialogue. */
  #ask(sent: Static<typeof Pressed>, approval: string, button: string): { readonly done: Promise<void> } {
    const view = {
      type: 'modal',
      callback_id: 'reject',
      private_metadata: button,
      title: plain('Reject'),
      submit: plain('Reject'),
      blocks: [
        {
          type: 'input',
          block_id: 'reason',
          label: plain(`Why ${approval} is rejected: the requester is shown it`),
          element: { type: 'plain_text_input', action_id: 'text', multiline: true, max_length: MAX_REASON_CHARS },
        },
      ],
    }
    return { done: this.#told(sent, () => this.#call('views.open', { trigger_id: sent.trigger_id, view })) }
  }

  #rule(sent: Sent, approval: string, ruling: Ruling): { readonly done: Promise<void> } {
    const work = async (): Promise<void> => {
      const { desk, ledger } = this.#parts
      const identity = await this.#personOf(sent)
      const by = { actor: identity.subject, proof: identity.proof }
      const named = { approval, act: ruling.act }
      await ledger.append({
        type: 'approval.decision',
        ...by,
        ...named,
        ...(ruling.reason === undefined ? {} : { reason: ruling.reason }),
      })
      try {
        await desk.decide(approval, ruling, identity)
      } catch (error) {
        const code = error instanceof ApplianceError ? error.code : 'API_FAILED'
        await ledger.append({ type: 'approval.decision-failed', ...by, ...named, code })
        throw error
      }
    }
    return { done: this.#told(sent, work) }
  }

  async #personOf({ user, team }: Sent): Promise<Identity> {
    const { approvers, named, team: own } = this.#parts
    const subject = team.id === own && Object.hasOwn(approvers, user.id) ? approvers[user.id] : undefined
    const identity = subject === undefined ? undefined : await named(subject)
    if (identity === undefined)
      throw new ApplianceError('APPROVAL_FORBIDDEN', 'this Slack user is no approver: notify.slack.approvers names who is')
    return { ...identity, proof: `slack:${team.id}/${user.id}` }
  }

  /** What was not done is told to who asked for it, and to nobody else in the channel. */
  async #told({ user }: Sent, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const why = error instanceof ApplianceError ? error.message : 'it could not be done; see the log of the gateway'
      if (!(error instanceof ApplianceError)) this.#parts.onError(error)
      const text = safeText(`Not done: ${why}`)
      const blocks = [{ type: 'section', text: plain(text) }]
      await this.#call('chat.postEphemeral', { channel: this.#parts.channel, user: user.id, text: 'Not done', blocks }).catch(
        (problem: unknown) => this.#parts.onError(problem),
      )
    }
  }

  async #call(method: string, body: object): Promise<void> {
    await callSlack(this.#parts, method, body, new AbortController().signal)
  }
}

function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch {
    throw notOurs()
  }
}

function notOurs(): ApplianceError {
  return new ApplianceError('API_INVALID', 'no interaction of ours')
}
