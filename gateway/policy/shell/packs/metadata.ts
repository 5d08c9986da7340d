import type { ShellPack } from './pack.ts'

const METADATA_HOSTS = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '168.63.129.16',
  '100.100.100.200',
  'fd00:ec2::254',
  'metadata',
  'metadata.google.internal',
  'metadata.azure.internal',
  'instance-data*',
]

export const metadata: ShellPack = {
  version: 2,
  about: 'asking the cloud for credentials of the machine',
  rules: [
    {
      id: 'metadata.hosts',
      match: { host: METADATA_HOSTS },
      action: 'block',
      reason: 'the metadata service gives the credentials of the machine itself',
    },
    {
      id: 'metadata.text',
      match: {
        command: ['*169.254.169.254*', '*metadata.google.internal*', '*fd00:ec2::254*', '*/msi/token*', '*IDENTITY_ENDPOINT*'],
      },
      action: 'block',
      reason: 'the metadata service gives the credentials of the machine itself',
    },
  ],
}
