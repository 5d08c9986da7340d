import { joinMarked, type MarkedText, prettyMarked, sliceMarked } from './marked-text.ts'

/** One event of a stream (HTML, 9.2.6), or a comment. */
export interface ServerSent {
  readonly event: string
  readonly id: string
  readonly data: MarkedText
}

/** Events of one body that are told apart; what is behind them is one more. */
const MAX_EVENTS = 2_000

/** In order; what stands behind the last empty line as well: a stream may have been cut. */
export function eventsOf(stream: MarkedText): ServerSent[] {
  const events: ServerSent[] = []
  let [event, id]: [string, string] = ['', '']
  let data: MarkedText[] = []
  const close = (): void => {
    if (data.length > 0 || event !== '' || id !== '') {
      const whole = joinMarked(data, '\n')
      events.push({ event, id, data: prettyMarked(whole) ?? whole })
    }
    event = ''
    id = ''
    data = []
  }
  let from = 0
  for (const { 0: end, index } of stream.text.matchAll(/\r\n|\n|\r|$/g)) {
    const line = stream.text.slice(from, index)
    const [, name = '', gap = ''] = /^([^:]*)(?::( ?))?/.exec(line) ?? []
    const value = from + name.length + (line.includes(':') ? 1 : 0) + gap.length
    if (line === '') close()
    else if (name === 'data') data.push(sliceMarked(stream, value, index))
    else if (name === 'event') event = stream.text.slice(value, index)
    else if (name === 'id') id = stream.text.slice(value, index)
    from = index + end.length
    if (events.length >= MAX_EVENTS) {
      events.push({ event: 'more', id: '', data: sliceMarked(stream, from) })
      return events
    }
  }
  close()
  return events
}
