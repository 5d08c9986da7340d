import { AGENTS, type ShellPack } from './pack.ts'

export const vcs: ShellPack = {
  version: 2,
  about: 'source code that leaves by version control',
  rules: [
    {
      id: 'vcs.push',
      who: AGENTS,
      match: {
        command: [
          'git*push*',
          'git*remote add*',
          'git*remote set-url*',
          'git*send-email*',
          'git*bundle create*',
          'git daemon*',
          'gh gist*',
          'gh repo*',
          'gh release*',
          'gh api*',
          'glab *',
          'hg push*',
          'svn commit*',
          'svn import*',
        ],
      },
      action: 'hold',
      reason: 'this sends code to another place',
    },
  ],
}
