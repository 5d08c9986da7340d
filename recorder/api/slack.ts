import express, { type RequestHandler } from 'express'
import { ApplianceError } from '../../schemas/errors.ts'
import type { SlackInteractions } from '../notify/slack-interactions.ts'

/** Slack's own payloads have some kilobytes. */
const MAX_BODY_SIZE = 256 << 10

/**
 * Where Slack sends what somebody pressed: `payload=<JSON>` in a form, signed by Slack. Nothing else vouches for it: no cookie, no key. A
 * request that Slack has not signed is told as little as one for an address that does not exist.
 */
export function slackHandlers(slack: readonly SlackInteractions[]): readonly RequestHandler[] {
  const body = express.raw({ limit: MAX_BODY_SIZE, type: 'application/x-www-form-urlencoded', inflate: false })
  return [
    body,
    (request, response) => {
      const bytes: unknown = request.body
      const timestamp = request.get('x-slack-request-timestamp') ?? ''
      const signature = request.get('x-slack-signature') ?? ''
      const signed = Buffer.isBuffer(bytes) ? slack.find((each) => each.verifies(timestamp, signature, bytes)) : undefined
      if (signed === undefined || !Buffer.isBuffer(bytes)) throw new ApplianceError('API_UNKNOWN', 'no request of Slack')
      // Slack waits three seconds for this, and is told of the outcome apart.
      void signed.take(new URLSearchParams(bytes.toString('utf8')).get('payload') ?? '').done
      response.status(200).set('cache-control', 'no-store').end()
    },
  ]
}
