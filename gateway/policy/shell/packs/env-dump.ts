import type { ShellPack } from './pack.ts'

export const envDump: ShellPack = {
  version: 2,
  about: 'printing the environment, where programs are given their passwords',
  rules: [
    {
      id: 'env-dump.commands',
      match: {
        command: [
          'env',
          'env -0',
          'env --null',
          'printenv*',
          'set',
          'export',
          'export -p',
          'declare',
          'declare -p*',
          'declare -x',
          'typeset',
          'compgen -e',
          'compgen -v',
          'docker inspect*',
          'podman inspect*',
          'systemctl show-environment',
        ],
      },
      action: 'hold',
      reason: 'the environment often holds passwords',
    },
    { id: 'env-dump.proc', match: { file: '/proc/*/environ' }, action: 'block', reason: 'the environment of another process' },
  ],
}
