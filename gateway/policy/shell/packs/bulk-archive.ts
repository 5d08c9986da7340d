import { AGENTS, type ShellPack } from './pack.ts'

const BROAD_PATHS = [
  '/',
  '/*',
  '/etc',
  '/etc/*',
  '/home',
  '/home/*',
  '/root',
  '/var',
  '/var/lib*',
  '/srv*',
  '/opt',
  '/usr',
  '/data*',
  '~',
  '~/',
  '~/*',
]

const EGRESS = 'curl wget nc ncat socat ssh scp sftp rsync ftp lftp rclone azcopy croc telnet openssl aws gsutil gcloud az'.split(
  ' ',
)

export const bulkArchive: ShellPack = {
  version: 2,
  about: 'packing whole folders up, for somewhere else',
  rules: [
    {
      id: 'bulk-archive.piped',
      match: {
        pipe: EGRESS.flatMap((program) =>
          ['tar', 'zip', '7z', 'cpio', 'dd', 'find', 'gzip', 'zstd', 'xz'].map((packer) => `*${packer}*|*${program}*`),
        ),
      },
      action: 'block',
      reason: 'an archive goes straight to another machine',
    },
    {
      id: 'bulk-archive.broad',
      who: AGENTS,
      match: { program: ['tar', 'zip', '7z', '7za', 'cpio', 'rsync', 'duplicity', 'restic', 'borg'], file: BROAD_PATHS },
      action: 'hold',
      reason: 'an archive of everything below such a folder holds what this policy protects',
    },
    {
      id: 'bulk-archive.devices',
      match: { program: ['dd', 'cat', 'cp', 'pv'], file: ['/dev/sd*', '/dev/nvme*', '/dev/vd*', '/dev/mapper/*', '/dev/xvd*'] },
      action: 'block',
      reason: 'a disk read as a whole holds every file',
    },
  ],
}
