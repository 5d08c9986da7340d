import type { Facts } from '../../../schemas/frame.ts'
import { shellFacts } from '../../policy/shell/facts.ts'
import { SshMessage } from './messages.ts'
import type { ChannelRequest } from './output.ts'
import { scpCommand } from './scp/command.ts'

/** What a person reads who decides about more of its bytes. */
export function askedText(what: ChannelRequest['what']): string {
  return what.kind === 'exec' ? what.command : what.kind === 'shell' ? 'shell' : what.name
}

/** The request as it is judged. */
export function requestMessage(channel: number, request: ChannelRequest): SshMessage {
  const { what, terminal, env, work } = request
  const around: Facts = {
    ...work,
    ...(terminal === undefined ? {} : { pty: true, term: terminal.term, cols: terminal.cols, rows: terminal.rows }),
    ...(Object.keys(env).length === 0 ? {} : { env: Object.entries(env).map(([name, value]) => `${name}=${value}`) }),
  }
  const asked = { from: 'client', channel, action: { act: 'start', request } } as const
  switch (what.kind) {
    case 'exec': {
      // The library reads text: what was none has lost bytes, and would run as something else.
      const lost = what.command.includes('\uFFFD') ? { malformed: 'the command is not UTF-8' } : zeroIn(what.command)
      const unclear = scpCommand(what.command)?.unclear
      const hidden = unclear === undefined ? {} : { malformed: unclear }
      const facts = { ...shellFacts(what.command), command: what.command, ...around, ...hidden, ...lost }
      return new SshMessage({ ...asked, kind: 'exec', facts, text: what.command })
    }
    case 'shell':
      return new SshMessage({ ...asked, kind: 'shell', facts: around })
    case 'subsystem':
      return new SshMessage({
        ...asked,
        kind: 'subsystem',
        facts: { subsystem: what.name, ...around, ...zeroIn(what.name) },
        text: what.name,
      })
    default:
      return what satisfies never
  }
}

/** A target may read as far as a zero byte (sshd leaves off one at the end), and then it is another word than the one that was judged. */
export function zeroIn(text: string): Facts {
  return text.includes('\0') ? { malformed: 'a word with a zero byte in it' } : {}
}
