/** Stretches looked at, spread over the message: enough lines to tell, few enough that a large message costs what a small one does. */
const MAX_STRETCHES = 2
const STRETCH_SIZE = 1_024
/** Fewer lines say nothing: a command's answer, a row. */
const MIN_LINES = 8
/** Of the lines that are not blank, how many have to look so. Blocks of comments are the rest of source, values over several lines of configuration. */
const MIN_SHARE = 0.5

const NEWLINE = 0x0a
/** Longer lines are data, or written for machines. */
const MAX_LINE_SIZE = 240

/** How a line of a program begins or ends, in the languages of C's family, Python, Ruby, Go, Rust, Java, shells, SQL scripts, HCL. Anchored. */
const CODE_LINES: readonly RegExp[] = [
  /^\s*(?:import|from|using|package|namespace|export|include|require|#include|#define|#!|use|mod|module|extends|class|interface|struct|enum|trait|impl|def|fn|func|function|async|const|let|var|public|private|protected|static|final|return|yield|throw|raise|try|catch|except|finally|switch|case|default|break|continue|elif|else|if|for|while|end|do|done|then|fi|esac|begin|local|echo|print|lambda|type|resource|variable|output|provider)\b.{0,200}(?:[;{}():,=[\]\\]|\b(?:then|do|end)|["'`])\s*$/,
  /^\s*(?:return|break|continue|pass|end|else|fi|done|esac|try|finally|then|import \w[\w.]*|from \w[\w.]* import .*|package \w+|use [\w:]+)\s*$/,
  /^\s*[\w.[\]>&*:-]{1,80}\s*(?:[-+*/|&]?=|:=)\s*\S.*[;{([,\\]\s*$/,
  /^\s*[\w.:>-]{1,80}\(.*\)\s*[;{:]?\s*$/,
  /^\s*(?:@[A-Za-z]\w*.*|[{}[\]()]{1,4}[;,)]{0,3}|\} else.*\{|\/\/.*|\/\*.*|\*\/|\* .*|--\s.*)\s*$/,
]
/** A setting: `key = value`, `key: value`, `[section]`, `- item`, `<tag attribute="value">`, a comment of such files. */
const SETTING_LINES: readonly RegExp[] = [
  /^\s*(?:- )?[A-Za-z_][\w.-]{0,60}\s*=\s*\S{0,160}\s*$/,
  /^\s*(?:- )?[A-Za-z_][\w./-]{0,60}:(?:\s+\S.{0,160})?$/,
  /^\s*\[[\w."' -]{1,60}\]\s*$/,
  /^\s*- [\w"'./-].{0,120}$/,
  /^\s*<\/?[\w:.-]{1,60}(?:\s+[\w:.-]+="[^"]*")*\s*\/?>(?:[^<]*<\/[\w:.-]+>)?\s*$/,
  /^\s*[#;]\s?.*$/,
]
/** What begins with a time is a log, whatever else stands in the line. */
const LOG_LINE =
  /^\W{0,2}(?:\d{4}[-/]\d\d[-/]\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:|[IWEF]\d{4} |\d{1,3}(?:\.\d{1,3}){3} )/

/**
 * How many of the bytes are, going by a few stretches of them, source code or configuration files: 0, all of them, or a share. Meant for text as
 * programs write it and for rows that hold whole files; a guess, which a packed or encrypted file passes.
 */
export function codeBytes(bytes: Uint8Array): number {
  const stretches = Math.min(MAX_STRETCHES, Math.max(1, Math.floor(bytes.length / STRETCH_SIZE)))
  let found = 0
  for (let index = 0; index < stretches; index++) {
    const from = stretches === 1 ? 0 : Math.floor(((bytes.length - STRETCH_SIZE) * index) / (stretches - 1))
    if (isCode(bytes.subarray(from, from + STRETCH_SIZE))) found++
  }
  return Math.round((bytes.length * found) / stretches)
}

function isCode(stretch: Uint8Array): boolean {
  let breaks = 0
  for (const byte of stretch) if (byte === NEWLINE) breaks++
  if (breaks < MIN_LINES) return false
  const all = Buffer.from(stretch.buffer, stretch.byteOffset, stretch.length).toString('latin1').split('\n')
  // Where the stretch was cut out, lines are cut too.
  const lines = all.slice(1, -1).filter((line) => line.trim() !== '')
  if (lines.length < MIN_LINES - 1) return false
  let code = 0
  let settings = 0
  for (const line of lines) {
    if (line.length > MAX_LINE_SIZE || LOG_LINE.test(line)) continue
    if (CODE_LINES.some((looks) => looks.test(line))) code++
    else if (SETTING_LINES.some((looks) => looks.test(line))) settings++
  }
  return code + settings >= MIN_SHARE * lines.length
}
