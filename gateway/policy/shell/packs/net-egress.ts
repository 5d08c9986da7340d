import { AGENTS, type ShellPack } from './pack.ts'

export const netEgress: ShellPack = {
  version: 2,
  about: 'sending something to another machine',
  rules: [
    {
      id: 'net-egress.programs',
      who: AGENTS,
      match: { network: true },
      action: 'hold',
      reason: 'this talks to another machine, from inside the target',
      hint: 'what a host of your own needs can be allowed by its name',
    },
    {
      id: 'net-egress.servers',
      who: AGENTS,
      match: {
        command: ['python*http.server*', 'php -S *', 'ruby -run *', 'busybox httpd*', 'nc* -l*', 'ncat* -l*', 'socat *LISTEN*'],
      },
      action: 'hold',
      reason: 'this opens a port on the target',
    },
    {
      id: 'net-egress.names',
      who: AGENTS,
      match: { program: ['dig', 'nslookup', 'host', 'drill', 'ping'], dynamic_arguments: true },
      action: 'block',
      reason: 'a name that is made when it runs can carry data to whoever answers for it',
    },
  ],
}
