import type { OptionSpec } from './options.ts'

/** A program whose words name another one that it runs. */
export interface Wrapper extends OptionSpec {
  /** Words between the options and the command: `timeout 5 cmd` has one. */
  readonly operands?: number
  /** `NAME=value` words before the command. */
  readonly assignments?: true
  /** An option whose value is a text for a shell. */
  readonly script?: string
  /** The words of the command are joined and given to a shell. */
  readonly joined?: true
  /** Runs the command as somebody else. */
  readonly elevates?: true
  /** Adds words nobody knows to the command. */
  readonly appends?: true
  /** Without a command it opens a shell, which reads its input. */
  readonly shell?: true
  /** The command runs elsewhere: another machine, container or root. */
  readonly elsewhere?: true
  /** The command must be told from operands by `--`. */
  readonly dashes?: true
  /** First words that make it run something, `exec`; others do not. Options of the spec stand before or after them. */
  readonly subcommands?: string
}

const CONTAINER: Wrapper = {
  subcommands: 'exec run',
  flags: `i t d P q it ti interactive tty detach rm privileged init read-only no-healthcheck publish-all sig-proxy quiet oom-kill-disable
    disable-content-trust`,
  values: `e u w v p m c h l H a f n name env user workdir volume publish network entrypoint memory cpus hostname label env-file add-host
    cap-add cap-drop mount platform pull restart security-opt shm-size tmpfs ulimit log-driver log-opt dns gpus ip ipc pid userns
    detach-keys context host log-level config project-name file profile index`,
  operands: 1,
  elsewhere: true,
}

/** By name. An option that is not here, and a word that may be one, hides what is run. */
export const WRAPPERS: ReadonlyMap<string, Wrapper> = new Map(
  Object.entries({
    sudo: {
      flags:
        'A b E H k n P S B N askpass background preserve-env set-home non-interactive reset-timestamp preserve-groups stdin i s login shell',
      values: 'u g h p C r t T U D R user group host prompt close-from role type command-timeout other-user chdir chroot',
      assignments: true,
      elevates: true,
      shell: true,
    },
    doas: { flags: 'n s', values: 'u', elevates: true, shell: true },
    pkexec: { flags: 'disable-internal-agent', values: 'user', elevates: true, shell: true },
    su: {
      flags: 'f l m p P login preserve-environment pty fast -',
      values: 'g G w s supp-group group whitelist-environment shell',
      script: 'c command',
      elevates: true,
      shell: true,
    },
    runuser: { flags: 'f l m p P', values: 'u g G s user group', script: 'c command', elevates: true, shell: true },
    gosu: { operands: 1, elevates: true },
    'su-exec': { operands: 1, elevates: true },
    setpriv: {
      flags: 'clear-groups keep-groups init-groups no-new-privs nnp reset-env',
      attached: 'reuid regid ruid euid rgid egid groups inh-caps bounding-set ambient-caps securebits pdeathsig selinux-label',
      elevates: true,
    },
    env: { flags: 'i 0 v ignore-environment null debug', values: 'u C unset chdir', assignments: true },
    nice: { flags: '0 1 2 3 4 5 6 7 8 9', values: 'n adjustment' },
    nohup: {},
    setsid: { flags: 'c f w ctty fork wait' },
    stdbuf: { values: 'i o e input output error' },
    timeout: { flags: 'v foreground preserve-status verbose', values: 'k s kill-after signal', operands: 1 },
    time: { flags: 'p' },
    ionice: { flags: 't ignore', values: 'c n class classdata' },
    chrt: { flags: 'b d f i o r R a v', values: 'T P D', operands: 1 },
    taskset: { flags: 'a c all-tasks cpu-list', operands: 1 },
    numactl: { flags: 'l localalloc all', values: 'i m N C P interleave membind cpunodebind physcpubind preferred' },
    chroot: { flags: 'skip-chdir', attached: 'userspec groups', operands: 1, elsewhere: true, shell: true },
    unshare: {
      flags: 'i m n p u U f r c T fork map-root-user map-current-user net mount ipc uts pid user cgroup time mount-proc',
      attached: 'propagation setgroups map-user map-group',
      shell: true,
    },
    nsenter: {
      flags: 'a m u i n p U C T F r w all mount uts ipc net pid user cgroup time no-fork',
      values: 't S G target setuid setgid',
      elsewhere: true,
      shell: true,
    },
    command: { flags: 'p' },
    builtin: {},
    exec: { flags: 'c l', values: 'a' },
    busybox: {},
    toybox: {},
    xargs: {
      flags: '0 r t x p o null no-run-if-empty verbose exit interactive open-tty show-limits',
      values: 'I n P L d E s a max-procs max-args max-lines max-chars delimiter arg-file process-slot-var',
      attached: 'i e l replace eof',
      appends: true,
    },
    watch: {
      flags: 'b c d e g t w x beep color differences errexit chgexit no-title exec no-wrap',
      values: 'n interval q equexit',
      joined: true,
    },
    flock: {
      flags: 'e x s u n F o verbose nonblock nb shared exclusive close no-fork',
      values: 'w E timeout wait conflict-exit-code',
      operands: 1,
      script: 'c command',
    },
    script: { flags: 'a e f q append flush quiet return', values: 'E I O B T m o', script: 'c command', shell: true },
    strace: { flags: 'f ff c C d D i k n q r t tt ttt T v V w x xx y yy Y z Z', values: 'a b e E I o O p P s S u X' },
    ltrace: { flags: 'c C f i r S t tt ttt T', values: 'a A D e F l L n o p s u w x X' },
    'systemd-run': {
      flags: 'P t q r d G S user system scope pty pipe quiet wait remain-after-exit collect no-block same-dir no-ask-password',
      values:
        'p u E H M unit property slice description setenv uid gid nice working-directory on-active on-boot on-calendar host machine service-type',
      shell: true,
    },
    fakeroot: {},
    'dbus-run-session': { dashes: true },
    'xvfb-run': { flags: 'a auto-servernum', values: 'n s e f p server-num server-args error-file' },
    catchsegv: {},
    chronic: {},
    unbuffer: { flags: 'p' },
    faketime: { flags: 'f m', operands: 1 },
    tini: { flags: 's g v w', values: 'p e' },
    'dumb-init': { flags: 'c v' },
    cgexec: { flags: 'sticky', values: 'g' },
    docker: CONTAINER,
    podman: CONTAINER,
    nerdctl: CONTAINER,
    crictl: { ...CONTAINER, subcommands: 'exec', flags: 'i t s', values: 'r i timeout runtime-endpoint' },
    kubectl: {
      subcommands: 'exec run debug',
      flags: 'i t q it ti stdin tty quiet rm command attach insecure-skip-tls-verify',
      values:
        'n c f s v namespace container context cluster user image restart kubeconfig server token filename labels env overrides target profile',
      dashes: true,
      operands: 1,
      elsewhere: true,
    },
    oc: {
      subcommands: 'exec rsh run debug',
      flags: 'i t q it ti stdin tty',
      values: 'n c namespace container context',
      dashes: true,
      operands: 1,
      elsewhere: true,
    },
  } satisfies Readonly<Record<string, Wrapper>>),
)

/** Options by which programs run others that their name does not tell; a word that begins so hides what is run. */
export const LAUNCHING: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    tar: '--checkpoint-action --to-command -I --use-compress-program --rsh-command --rmt-command -F --info-script --new-volume-script',
    rsync: '-e --rsh --rsync-path',
    scp: '-S -o -D -F',
    sftp: '-S -o -D -F -s',
    curl: '-K --config',
    wget: '--use-askpass -e --execute --config',
    zip: '-TT --unzip-command',
    sort: '--compress-program',
    split: '--filter',
    tcpdump: '-z',
    rg: '--pre --hostname-bin',
    fd: '-x -X --exec --exec-batch',
    fdfind: '-x -X --exec --exec-batch',
    ag: '--pager',
    apt: '-o --option -c --config-file',
    'apt-get': '-o --option -c --config-file',
    man: '-P --pager -H --html',
    nmap: '--script',
    openssl: '-engine -provider -provider-path',
    socat: 'EXEC: SYSTEM: exec: system: SHELL: shell:',
    nc: '-e -c --exec --sh-exec',
    ncat: '-e -c --exec --sh-exec --lua-exec',
    netcat: '-e -c',
    'ssh-keygen': '-D',
    'ssh-add': '-s',
    dpkg: '--pre-invoke --post-invoke',
    vagrant: '-c --command',
    ip: 'netns vrf',
    make: '--eval SHELL=',
    install: '--strip-program',
    column: '--exec',
    entr: '',
    gcore: '',
  }).map(([name, words]) => [name, words.split(/\s+/)]),
)

/** Programs that run a text or a file nobody has read, whatever their words: how they are told from the rest. */
export const INTERPRETERS = new Set(
  `python python2 python3 pypy pypy3 ipython perl ruby irb node nodejs deno bun php lua luajit tclsh wish expect Rscript R julia octave
  ghci runghc java jshell groovy scala kotlin osascript pwsh powershell gdb lldb vi vim view nvim ex ed emacs emacsclient nano pico joe mcedit
  fish csh tcsh rc es nu xonsh elvish parallel at batch crontab screen tmux dtach abduco zellij ansible pdsh pssh clush salt salt-ssh
  fab cap chef-client puppet entr inotifywait incron expect autoexpect rlwrap  m4 dc bpftrace stap  gnuplot guile sbcl clisp
  racket erl escript elixir iex swipl ocaml sqlite3 psql mysql mariadb mongo mongosh sqlplus capsh ld.so qemu-user proot firejail bwrap
  start-stop-daemon runsv s6-supervise supervisord run-parts debootstrap  make-kpkg`.split(/\s+/),
)

/** Shells whose texts are read here as bash's: what differs is refused by one grammar or the other. */
export const SHELLS = new Set(['sh', 'bash', 'dash', 'ash', 'ksh', 'mksh', 'zsh', 'rbash'])
