import { createHmac, timingSafeEqual } from 'node:crypto'
import { safeBlock } from '../../schemas/safe-text.ts'
import type { Channel } from './channel.ts'
import { addressOf, details, headline, type News } from './news.ts'
import { DeliveryError, post } from './post.ts'

/** A longer command is cut, and then it cannot be approved in Slack: nobody approves what they have not seen. */
const SHOWN_CHARS = 2_500
const HEADER_CHARS = 150

export interface SlackPlace {
  readonly token: string
  readonly signingSecret: string
  readonly channel: string
  /** Of the console, where the rest is seen. */
  readonly console?: string
  /** Of the Web API. */
  readonly api?: string
}

/** A message with buttons in a Slack channel, changed as the request changes. `earlier` is its timestamp, Slack's name for it. */
export function slack(name: string, place: SlackPlace): Channel {
  return {
    name,
    async deliver(news, earlier, signal) {
      const message = {
        channel: place.channel,
        text: escaped(headline(news)),
        blocks: blocksOf(news, place),
        unfurl_links: false,
      }
      const answer =
        earlier === undefined
          ? await callSlack(place, 'chat.postMessage', message, signal)
          : await callSlack(place, 'chat.update', { ...message, ts: earlier }, signal)
      const { ts } = answer
      return typeof ts === 'string' ? ts : earlier
    },
  }
}

/** One call of the Web API. Rejects DeliveryError with Slack's own code. */
export async function callSlack(
  { api = 'https://slack.com/api', token }: SlackPlace,
  method: string,
  body: object,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const headers = { 'content-type': 'application/json; charset=utf-8', authorization: `Bearer ${token}` }
  const text = await post(`${api}/${method}`, { headers, body: JSON.stringify(body), signal })
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch (cause) {
    throw new DeliveryError('Slack did not answer in JSON', { final: false, cause })
  }
  if (typeof answer !== 'object' || answer === null || !('ok' in answer) || answer.ok !== true) {
    const code =
      typeof answer === 'object' && answer !== null && 'error' in answer ? String(answer.error).slice(0, 60) : 'unknown'
    throw new DeliveryError(`Slack says ${code}`, { final: code !== 'ratelimited' && code !== 'internal_error' })
  }
  return { ...answer }
}

/** What others wrote stands in `plain_text` and in rich text, neither of which is read as markup. */
export function blocksOf(news: News, place: SlackPlace): readonly object[] {
  const { approval } = news
  const shown = approval.command.slice(0, SHOWN_CHARS)
  const left = approval.commandChars - shown.length
  const url = addressOf(place.console, approval)
  const line = (text: string): object => ({ type: 'rich_text_section', elements: [{ type: 'text', text }] })
  const elements = [
    ...details(news).map(line),
    { type: 'rich_text_preformatted', elements: [{ type: 'text', text: safeBlock(shown) || ' ' }] },
    ...(left > 0
      ? [line(`${left} more characters of ${approval.commandChars} not shown here: see the console before you approve`)]
      : []),
  ]
  const value = buttonOf(place.signingSecret, approval.id)
  const open = approval.state === 'pending'
  const buttons = [
    ...(open && left <= 0 ? [button('approve', 'Approve', value, 'primary')] : []),
    ...(open ? [button('reject', 'Reject …', value, 'danger')] : []),
    ...(url === undefined ? [] : [{ type: 'button', text: plain('Console'), url, action_id: 'console' }]),
  ]
  return [
    { type: 'header', text: plain(headline(news).slice(0, HEADER_CHARS)) },
    { type: 'rich_text', elements },
    ...(buttons.length === 0 ? [] : [{ type: 'actions', elements: buttons }]),
  ]
}

function button(id: string, text: string, value: string, style: string): object {
  return { type: 'button', action_id: id, text: plain(text), value, style }
}

export function plain(text: string): object {
  return { type: 'plain_text', text, emoji: false }
}

/** The fallback text is mrkdwn. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** What a button carries: the request, and that we made it. */
export function buttonOf(secret: string, approval: string): string {
  return `${approval}.${createHmac('sha256', secret).update(`sallyport slack button\0${approval}`).digest('hex')}`
}

/** The request of a button that we made; undefined for any other. */
export function approvalOfButton(secret: string, value: string): string | undefined {
  const id = value.slice(0, value.indexOf('.'))
  return same(value, buttonOf(secret, id)) ? id : undefined
}

/** `v0=<hex of the HMAC-SHA-256 of "v0:timestamp:body">` (api.slack.com/authentication/verifying-requests-from-slack). */
export function slackSignature(secret: string, timestamp: string, body: Uint8Array | string): string {
  return `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:`).update(body).digest('hex')}`
}

export function same(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}
