import { createHmac } from 'node:crypto'
import type { ListedApproval } from '../desk/desk.ts'
import type { Channel } from './channel.ts'
import { addressOf, type News } from './news.ts'
import { post } from './post.ts'

export interface WebhookPlace {
  readonly url: string
  /** `whsec_` and base64, of 24 to 64 bytes (Standard Webhooks). */
  readonly secret: string
  /** The gateway, as the event's source. */
  readonly gateway: string
  /** Of the console, where people decide. */
  readonly console?: string
}

/**
 * Events as CloudEvents 1.0 (structured, JSON), signed as Standard Webhooks 1.0 says. The receiver tells repetitions by `webhook-id`,
 * which is the event's id.
 */
export function webhook(name: string, { url, secret, gateway, console }: WebhookPlace): Channel {
  return {
    name,
    async deliver(news, _earlier, signal) {
      const body = JSON.stringify(cloudEvent(news, gateway, console))
      const seconds = Math.floor(Date.now() / 1000)
      const headers = {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'webhook-id': news.id,
        'webhook-timestamp': String(seconds),
        'webhook-signature': signatureOf(secret, news.id, seconds, body),
      }
      await post(url, { headers, body, signal })
      return undefined
    },
  }
}

/** Whether a secret has the form that Standard Webhooks asks for. */
export function isWebhookSecret(secret: string): boolean {
  const text = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1]
  const size = text === undefined ? 0 : Buffer.from(text, 'base64').length
  return size >= 24 && size <= 64
}

/** `v1,<base64 of the HMAC-SHA-256 of "id.timestamp.body">`. */
export function signatureOf(secret: string, id: string, seconds: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`
}

/** Of the request what people see of it, the redacted command cut as lists have it; never what it is bound to. */
export function cloudEvent(news: News, gateway: string, console: string | undefined): Readonly<Record<string, unknown>> {
  const url = addressOf(console, news.approval)
  return {
    specversion: '1.0',
    id: news.id,
    source: `/sallyport/${gateway}`,
    type: `sallyport.approval.${news.kind}`,
    subject: news.approval.id,
    time: news.at,
    datacontenttype: 'application/json',
    data: { ...shownOf(news.approval), ...(url === undefined ? {} : { url }) },
  }
}

function shownOf({ binding: _, facts: _facts, ...shown }: ListedApproval): Omit<ListedApproval, 'binding' | 'facts'> {
  return shown
}
