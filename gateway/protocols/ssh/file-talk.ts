import type { ChannelRequest } from './output.ts'
import { scpCommand } from './scp/command.ts'
import { Scp } from './scp/scp.ts'
import type { SftpMessage } from './sftp/messages.ts'
import { Sftp } from './sftp/sftp.ts'

/** One channel on which files are moved, both directions as messages. `end`: the channel is over. */
export interface FileTalk {
  readonly pending?: { room(): Promise<void> | undefined }
  client(chunk: Uint8Array): readonly SftpMessage[]
  server(chunk: Uint8Array): readonly SftpMessage[]
  /** An end is gone. */
  leave?(): void
  end(): readonly SftpMessage[]
}

/** A command that is nothing but OpenSSH's server and its options speaks it as well. */
const SFTP_SERVER = /^(\/[\w./-]+\/)?sftp-server( -[A-Za-z]+| [\w./-]+)*$/

/** What moves files and is read as that; undefined where bytes are bytes. */
export function fileTalk({ what, terminal }: ChannelRequest, channel: number, nextStatement: () => number): FileTalk | undefined {
  if (speaksSftp(what)) return new Sftp(channel, nextStatement)
  const command = what.kind === 'exec' && terminal === undefined ? scpCommand(what.command) : undefined
  return command === undefined ? undefined : new Scp(channel, nextStatement, command)
}

function speaksSftp(what: ChannelRequest['what']): boolean {
  if (what.kind === 'subsystem') return what.name === 'sftp'
  return what.kind === 'exec' && SFTP_SERVER.test(what.command)
}
