import type { Facts } from '../../../schemas/frame.ts'
import type { Output, Side } from '../../message.ts'

export interface Size {
  readonly cols: number
  readonly rows: number
  /** In pixels; 0 where the client does not say. */
  readonly width: number
  readonly height: number
}

export interface Terminal extends Size {
  readonly term: string
}

/** What a client asks a channel to be. */
export interface ChannelRequest {
  readonly what:
    | { readonly kind: 'exec'; readonly command: string }
    | { readonly kind: 'shell' }
    | { readonly kind: 'subsystem'; readonly name: string }
  readonly terminal: Terminal | undefined
  readonly env: Readonly<Record<string, string>>
  /** Run, purpose and trace, as the client says. */
  readonly work: Readonly<Record<string, string>>
  /** The client's agent may be reached from it. */
  readonly agent: boolean
}

/** How a program ended. */
export type Exit = { readonly status: number } | { readonly signal: string; readonly core: boolean; readonly message: string }

/** What is done at an end of a channel, beside the bytes. */
export type Action =
  | { readonly act: 'start'; readonly request: ChannelRequest }
  | { readonly act: 'data' }
  | { readonly act: 'stderr' }
  | { readonly act: 'eof' }
  | { readonly act: 'resize'; readonly size: Size }
  | { readonly act: 'signal'; readonly signal: string }
  /** Nothing more of what is put out is taken. */
  | { readonly act: 'end-of-write' }
  /** The end of the channel; undefined where the target did not say how it ended. */
  | { readonly act: 'exit'; readonly exit: Exit | undefined }
  | { readonly act: 'close' }
  /** What was asked to be forwarded may be; `refuse`: it may not, in these words. */
  | { readonly act: 'forward' }
  | { readonly act: 'refuse' }

/** Bytes and what to do with them, at one end of one channel. */
export class SshOutput implements Output {
  readonly to: Side
  readonly channel: number
  readonly action: Action
  readonly bytes: Uint8Array
  readonly own?: { readonly kind: string; readonly facts: Facts; readonly channel: number }

  constructor(
    to: Side,
    channel: number,
    action: Action,
    bytes: Uint8Array,
    own?: { readonly kind: string; readonly facts: Facts },
  ) {
    this.to = to
    this.channel = channel
    this.action = action
    this.bytes = bytes
    if (own !== undefined) this.own = { ...own, channel }
  }
}
