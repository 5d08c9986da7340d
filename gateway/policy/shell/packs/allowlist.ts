import { AGENTS, type ShellPack } from './pack.ts'

/** Commands that only look, with and without more words. */
const LOOKING = [
  ...`uptime,date,id,whoami,groups,hostname,pwd,nginx -t,nginx -v,git branch,git stash list`.split(','),
  ...`date +*,uname,ls,df,du,free,ps,pgrep,vmstat,iostat,mpstat,lscpu,lsblk,lsof,ss,netstat,ip addr,ip route,stat,file,wc,head,tail,cat,grep,zgrep,
    sort,uniq -*,cut,awk,sed -n,jq,diff,cmp,md5sum,sha256sum,find,which,command -v,type,echo,printf,test,true,false,cd,systemctl status,
    systemctl is-active,systemctl is-enabled,systemctl list-units,systemctl list-timers,systemctl show,journalctl,dmesg,docker ps,docker logs,
    docker images,kubectl get,kubectl describe,kubectl logs,kubectl top,kubectl version,git status,git log,git diff,git show`
    .split(/,\s*/)
    .flatMap((command) => (command.endsWith('*') ? [command] : [command, `${command} *`])),
]

const LOOKING_BUT_WRITING = [
  'find *-delete*',
  'find *-fprint*',
  'find *-fls*',
  'sort *-o*',
  'sort *--output*',
  'dmesg *-c*',
  'dmesg *-C*',
  'dmesg *--clear*',
  'journalctl *--vacuum*',
  'journalctl *--rotate*',
  'journalctl *--flush*',
  'ss *-K*',
  'ss *--kill*',
  'ip *add *',
  'ip *del*',
  'ip *flush*',
  'ip *replace*',
  'ip *change*',
  'git *--output*',
  'git *--ext-diff*',
  'file *-C*',
]

export const allowlist: ShellPack = {
  version: 2,
  about: 'a target on which only listed commands run unasked: all of their words known, their output in scratch places',
  rules: [
    {
      id: 'allowlist.command',
      who: AGENTS,
      match: { command: LOOKING.map((command) => `!${command}`) },
      action: 'hold',
      reason: 'this command is not on the list of those that run here unasked',
    },
    {
      id: 'allowlist.writes',
      who: AGENTS,
      match: { command: LOOKING_BUT_WRITING },
      action: 'hold',
      reason: 'with these options this command changes something',
    },
    {
      id: 'allowlist.not-analysable',
      who: AGENTS,
      match: { analysable: false },
      action: 'hold',
      reason: 'what this runs cannot be told from its text',
    },
    {
      id: 'allowlist.dynamic',
      who: AGENTS,
      match: { dynamic_arguments: true },
      action: 'hold',
      reason: 'a word of this is only known when it runs',
    },
    {
      id: 'allowlist.background',
      who: AGENTS,
      match: { background: true },
      action: 'hold',
      reason: 'this goes on when the session has ended',
    },
    {
      id: 'allowlist.redirect',
      who: AGENTS,
      match: { redirect: { direction: 'out', path: ['!/tmp/*', '!/dev/null', '!/dev/stdout', '!/dev/stderr'] } },
      action: 'hold',
      reason: 'this writes a file outside the scratch folder',
    },
  ],
}
