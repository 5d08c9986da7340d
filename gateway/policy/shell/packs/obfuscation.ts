import { AGENTS, type ShellPack } from './pack.ts'

export const obfuscation: ShellPack = {
  version: 2,
  about: 'commands that only show what they are when they run',
  rules: [
    {
      id: 'obfuscation.not-analysable',
      who: AGENTS,
      match: { analysable: false },
      action: 'hold',
      reason: 'what this runs cannot be told from its text',
      hint: 'write the commands themselves: no eval, no text piped to a shell, no program named by a variable',
    },
    {
      id: 'obfuscation.decoded',
      match: {
        pipe: [
          '*base64*|*sh',
          '*base32*|*sh',
          '*xxd*|*sh',
          '*openssl*|*sh',
          '*curl*|*sh',
          '*wget*|*sh',
          '*base64*|*python*',
          '*curl*|*python*',
          '*rev*|*sh',
          '*tr*|*sh',
        ],
      },
      action: 'block',
      reason: 'a decoded or downloaded text goes straight to an interpreter',
    },
  ],
}
