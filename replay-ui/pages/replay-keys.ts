/** What a key asks of a replay; the same keys as asciinema's player where it has them. */
export type KeyCommand =
  | { readonly do: 'toggle' }
  | { readonly do: 'step'; readonly by: 1 | -1 }
  | { readonly do: 'skip'; readonly us: number }
  | { readonly do: 'statement'; readonly by: 1 | -1; readonly marked: boolean }
  | { readonly do: 'part'; readonly of: number }
  | { readonly do: 'edge'; readonly at: 'start' | 'end' }
  | { readonly do: 'speed'; readonly by: 1 | -1 }
  | { readonly do: 'zoom'; readonly by: 1 | -1 }
  | { readonly do: 'search' }
  | { readonly do: 'screen-search' }
  | { readonly do: 'help' }
  | { readonly do: 'copy' }
  | { readonly do: 'pane' }
  | { readonly do: 'view' }
  | { readonly do: 'bookmark' }
  | { readonly do: 'close' }
  /** Out of the field that is typed into, which is emptied. */
  | { readonly do: 'leave' }

const SKIP_US = 5_000_000

export const KEY_MAP: readonly (readonly [keys: string, what: string])[] = [
  ['Space', 'Play or pause'],
  [', .', 'One frame back or on'],
  ['← →', '5 seconds back or on'],
  ['[ ]', 'Statement before or after'],
  ['{ }', 'Blocked, held or masked statement before or after'],
  ['0 … 9', 'To 0 % … 90 %'],
  ['Home End', 'First or last frame'],
  ['< >', 'Slower or faster'],
  ['W S', 'Zoom the timeline in or out'],
  ['/', 'Search inside the session'],
  ['F', 'Find on a terminal’s screen; Enter on, Shift Enter back'],
  ['B', 'Content or bytes'],
  ['E', 'Exchanges or frames, of sessions that have both'],
  ['M', 'Bookmark this frame'],
  ['C', 'Copy a link to this frame'],
  ['?', 'This list'],
  ['Esc', 'Close, or leave the search'],
]

export function commandOf(key: string): KeyCommand | undefined {
  if (/^[0-9]$/.test(key)) return { do: 'part', of: Number(key) / 10 }
  switch (key) {
    case ' ':
      return { do: 'toggle' }
    case '.':
      return { do: 'step', by: 1 }
    case ',':
      return { do: 'step', by: -1 }
    case 'ArrowRight':
      return { do: 'skip', us: SKIP_US }
    case 'ArrowLeft':
      return { do: 'skip', us: -SKIP_US }
    case ']':
      return { do: 'statement', by: 1, marked: false }
    case '[':
      return { do: 'statement', by: -1, marked: false }
    case '}':
      return { do: 'statement', by: 1, marked: true }
    case '{':
      return { do: 'statement', by: -1, marked: true }
    case 'Home':
      return { do: 'edge', at: 'start' }
    case 'End':
      return { do: 'edge', at: 'end' }
    case '>':
      return { do: 'speed', by: 1 }
    case '<':
      return { do: 'speed', by: -1 }
    case 'w':
      return { do: 'zoom', by: 1 }
    case 's':
      return { do: 'zoom', by: -1 }
    case '/':
      return { do: 'search' }
    case 'f':
      return { do: 'screen-search' }
    case '?':
      return { do: 'help' }
    case 'c':
      return { do: 'copy' }
    case 'b':
      return { do: 'pane' }
    case 'm':
      return { do: 'bookmark' }
    case 'e':
      return { do: 'view' }
    case 'Escape':
      return { do: 'close' }
    default:
      return undefined
  }
}

/** What a pressed key asks for: nothing where it is typed into a field, pressed together with another, or belongs to an open dialog. */
export function commandFor(event: KeyboardEvent, dialog: boolean): KeyCommand | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined
  const { target } = event
  if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement)
    return event.key === 'Escape' && !dialog ? { do: 'leave' } : undefined
  const command = dialog ? undefined : commandOf(event.key)
  // A button that has the focus is pressed with the space bar, as everywhere.
  return command?.do === 'toggle' && target instanceof HTMLButtonElement ? undefined : command
}
