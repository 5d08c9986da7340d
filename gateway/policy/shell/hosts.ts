import { oneAddress } from '../../hosts.ts'
import { type Fits, globs } from '../globs.ts'
import { literalOf, prefixOf, showWord, type Word } from './word.ts'

/** Programs that exist to talk to other machines. What else does is told by an address among its words. */
export const NETWORK_PROGRAMS = new Set(
  `curl wget wget2 nc ncat netcat nc.traditional nc.openbsd socat telnet ssh scp sftp rsync ftp lftp tftp aria2c axel rclone azcopy croc
  wormhole gsutil s3cmd s5cmd mc dig nslookup host drill whois ping ping6 traceroute tracepath mtr nmap masscan openssl smbclient rsh rlogin
  rcp httpie http https xh w3m lynx links elinks mail mailx sendmail mutt msmtp swaks ldapsearch snmpwalk cloudflared ngrok chisel iodine
  proxychains proxychains4 torsocks autossh mosh sshuttle websocat grpcurl transfer.sh irc weechat mosquitto_pub kcat kafkacat
  youtube-dl yt-dlp`.split(/\s+/),
)

/** Of those, the ones whose bare words are hosts or addresses: options aside, the first or every one. */
const EVERY_WORD = new Set(
  'curl wget wget2 aria2c axel w3m lynx links elinks http https xh httpie ping ping6 traceroute tracepath mtr nmap whois dig nslookup host drill masscan'.split(
    ' ',
  ),
)
const FIRST_WORD = new Set(
  'nc ncat netcat nc.traditional nc.openbsd telnet ssh sftp ftp lftp tftp rsh rlogin mosh smbclient autossh'.split(' '),
)
const WITH_COLON = new Set(['scp', 'rsync', 'sftp', 'rcp'])
const AFTER_OPTION = /^(-connect|--connect-to|--proxy|-x|--resolve|-h|--host|--server|-H)$/

/**
 * Whether it is the end of a transfer that a client of scp or rsync has run at the target: it talks over the channel it was run in, and
 * connects to nothing. What it reads and writes stands among its paths.
 */
export function isFarEnd(program: string, args: readonly Word[]): boolean {
  const texts = args.map(literalOf)
  const options = texts.filter((text) => text === undefined || text.startsWith('-'))
  if (program === 'scp')
    return options.some((text) => /^-[rpdqv]*[tf]/.test(text ?? '')) && options.every((text) => /^-[rpdqvtf-]+$/.test(text ?? ''))
  // Served as a daemon, its configuration may run what it likes.
  return (
    program === 'rsync' &&
    texts[0] === '--server' &&
    options.every((text) => text !== undefined && !/^--(daemon|config|rsh)/.test(text))
  )
}

/** The hosts among a command's words, in lower case; addresses in whatever notation as four numbers; `*` for one that is not known. */
export function hostsOf(program: string, args: readonly Word[]): string[] {
  const talks = NETWORK_PROGRAMS.has(program)
  let operands = 0
  return args.flatMap((word, index) => {
    const text = literalOf(word)
    const url = urlHost(word)
    if (url !== undefined) return [url]
    if (text === undefined) return talks && prefixOf(word) === '' ? ['*'] : []
    if (text.startsWith('-')) return []
    const socket = /^\/dev\/(?:tcp|udp)\/([^/]+)/.exec(text)?.[1]
    if (socket !== undefined) return [normaliseHost(socket)]
    const previous = literalOf(args[index - 1]) ?? ''
    const isValue = /^-[A-Za-z]$|^--[a-z-]+$/.test(previous)
    if (!isValue) operands++
    const found = talks ? named(program, text, previous, isValue, operands === 1) : mentioned(text)
    return found === undefined ? [] : [normaliseHost(found)]
  })
}

/** A host in a word of a program that has little to do with hosts: an address, or a mail-like `user@host.name`. */
function mentioned(text: string): string | undefined {
  if (isNumericAddress(text)) return authority(text)
  return /^[A-Za-z0-9_.-]+@([A-Za-z0-9.-]+\.[A-Za-z0-9-]+)(:|$)/.exec(text)?.[1]
}

function named(program: string, text: string, previous: string, isValue: boolean, first: boolean): string | undefined {
  if (AFTER_OPTION.test(previous)) return authority(text)
  if (EVERY_WORD.has(program)) return !isValue || looksLikeHost(text) ? authority(text) : undefined
  if (WITH_COLON.has(program))
    return /^(?:[^@/:]+@)?(\[[^\]]+\]|[^/:]+):/.exec(text)?.[1] ?? (program === 'sftp' && first ? authority(text) : undefined)
  if (FIRST_WORD.has(program)) return looksLikeHost(text) || (first && !isValue) ? authority(text) : undefined
  return /(?:^|:)((?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+|\[[0-9A-Fa-f:.]+\])(?::|,|$)/.exec(text)?.[1]
}

/** `user@host:port/path` to `host`. */
function authority(text: string): string {
  const [, bracketed, plain] = /^(?:[^@/]*@)?(?:\[([^\]]*)\]|([^:/?#@]*))/.exec(text) ?? []
  return bracketed ?? plain ?? text
}

/** The host of an address anywhere in a word: `https://host/`, `--url=ftp://host`, `git@host:path`. */
function urlHost(word: Word): string | undefined {
  const shown = literalOf(word) ?? showWord(word)
  const after = /[A-Za-z0-9+.-]:\/\/([^/?#'\s]*)/.exec(shown)?.[1]
  if (after === undefined || after === '') return undefined
  if (/[$*]/.test(after)) return '*'
  return normaliseHost(authority(after))
}

function looksLikeHost(text: string): boolean {
  return isNumericAddress(text) || /^(?:[^@/]+@)?(?:[A-Za-z0-9-]+\.)+[A-Za-z][A-Za-z0-9-]*(?::[0-9]+)?(?:[/?].*)?$/.test(text)
}

function isNumericAddress(text: string): boolean {
  return /^[0-9a-fx]+(\.[0-9a-fx]+){3}(?:[:/]|$)/i.test(text) || /^\[?[0-9a-f]*:[0-9a-f:.]*:[0-9a-f.]*\]?$/i.test(text)
}

/** What fits patterns of hosts; one that is an address fits it in whatever way either is written. */
export function hostGlobs(patterns: string | readonly string[]): Fits {
  const all = typeof patterns === 'string' ? [patterns] : patterns
  const told = all.filter((pattern) => !pattern.includes('*')).map((pattern) => pattern.replace(/[^!].*$/, normaliseHost))
  return globs([...all, ...told], { ignoreCase: true })
}

/** Lower case, no dot at the end; an address of IPv6 in its shortest form; what the C library's inet_aton takes for an address (decimal, hexadecimal, octal, one to four numbers) as four numbers. */
export function normaliseHost(host: string): string {
  const bare = oneAddress(
    host
      .replace(/^\[|\]$/g, '')
      .replace(/\.$/, '')
      .toLowerCase(),
  )
  const parts = bare.split('.')
  if (parts.length > 4 || !parts.every((part) => /^(0x[0-9a-f]+|[0-9]+)$/.test(part))) return bare
  const numbers = parts.map((part) => (/^0[0-7]+$/.test(part) ? Number.parseInt(part, 8) : Number(part)))
  const last = numbers.pop() ?? 0
  if (numbers.some((number) => !(number <= 255)) || !(last < 256 ** (4 - numbers.length))) return bare
  const value = numbers.reduce((sum, number, index) => sum + number * 256 ** (3 - index), 0) + last
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
