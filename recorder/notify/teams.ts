import { safeBlock } from '../../schemas/safe-text.ts'
import type { Channel } from './channel.ts'
import { addressOf, details, headline, type News } from './news.ts'
import { post } from './post.ts'

/** A card holds 28 KB altogether. */
const SHOWN_CHARS = 4_000

/** An adaptive card into a Teams channel, through the URL of a workflow. It links to the console: nothing is decided in Teams. */
export function teams(name: string, { url, console }: { readonly url: string; readonly console?: string }): Channel {
  return {
    name,
    async deliver(news, _earlier, signal) {
      const body = JSON.stringify(messageOf(news, console))
      await post(url, { headers: { 'content-type': 'application/json' }, body, signal })
      return undefined
    },
  }
}

/** What others wrote stands in runs of text, which are shown as they are; a TextBlock would read it as Markdown. */
export function messageOf(news: News, console: string | undefined): object {
  const { command, commandChars } = news.approval
  const shown = command.slice(0, SHOWN_CHARS)
  const left = commandChars - shown.length
  const url = addressOf(console, news.approval)
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body: [
      runs([{ text: headline(news), weight: 'bolder' }]),
      ...details(news).map((line) => runs([{ text: line }])),
      runs([{ text: safeBlock(shown), fontType: 'monospace' }]),
      ...(left > 0 ? [runs([{ text: `${left} more characters of ${commandChars} not shown here`, weight: 'bolder' }])] : []),
    ],
    actions: url === undefined ? [] : [{ type: 'Action.OpenUrl', title: 'See and decide in the console', url }],
  }
  return {
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card }],
  }
}

function runs(texts: readonly { readonly text: string; readonly weight?: string; readonly fontType?: string }[]): object {
  return { type: 'RichTextBlock', inlines: texts.map((text) => ({ type: 'TextRun', ...text })) }
}
