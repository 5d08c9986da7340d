import type { ShellPack } from './pack.ts'

export const cloudUpload: ShellPack = {
  version: 2,
  about: 'copying to storage in a cloud',
  rules: [
    {
      id: 'cloud-upload.commands',
      match: {
        command: [
          'az storage *upload*',
          'az storage copy*',
          'az storage * sync*',
          'azcopy c* *',
          'azcopy s* *',
          'aws s3 cp*',
          'aws s3 sync*',
          'aws s3 mv*',
          'aws *s3 * s3://*',
          'aws s3api put-object*',
          'aws s3api *upload*',
          'gcloud storage cp*',
          'gcloud storage rsync*',
          'gsutil*cp*',
          'gsutil*rsync*',
          'rclone copy*',
          'rclone sync*',
          'rclone move*',
          'rclone rcat*',
          's3cmd put*',
          's3cmd sync*',
          's5cmd *',
          'mc cp*',
          'mc mirror*',
          'mc pipe*',
        ],
      },
      action: 'block',
      reason: 'files of the target are not copied to storage elsewhere',
    },
  ],
}
