import type { ShellPack } from './pack.ts'

export const k8sSecret: ShellPack = {
  version: 2,
  about: 'secrets of Kubernetes, and ways into its containers',
  rules: [
    {
      id: 'k8s-secret.read',
      match: {
        command: [
          'kubectl*secret*',
          'oc*secret*',
          'kubectl*create token*',
          'kubectl*config view*--raw*',
          'kubectl*config view*--flatten*',
          'kubectl*get --raw*',
          'kubectl*get all*-o*',
          'helm*get values*',
          'helm*get all*',
          'helm*get manifest*',
        ],
      },
      action: 'hold',
      reason: 'this reads secrets of a cluster',
    },
    {
      id: 'k8s-secret.into',
      match: {
        command: [
          'kubectl*exec *',
          'kubectl* cp *',
          'kubectl*port-forward*',
          'kubectl*proxy*',
          'kubectl*attach*',
          'kubectl*debug*',
          'oc*rsh*',
          'oc*exec *',
          'crictl*exec *',
          'docker*exec *',
          'podman*exec *',
          'nsenter*',
        ],
      },
      action: 'hold',
      reason: 'this reaches into a container, past what is recorded here',
    },
  ],
}
