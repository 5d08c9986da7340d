// The gateway: HTTP ingress for console and API, one TCP port for each protocol.
param location string
param tags object
param suffix string
param gatewayName string
param imageName string
param registry string
param external bool
param zoneRedundant bool
param minReplicas int
param maxReplicas int
param subnetId string
param workspaceId string
param recorderIdentityId string
param sealerIdentityId string
param pullIdentityId string

@secure()
param listenerCertificate string
@secure()
param listenerKey string
@secure()
param egressAuthorityCertificate string
@secure()
param egressAuthorityKey string

@description('URL of the database in which replicas agree, and of the catalog; whose password is a token.')
param database string

@description('What the configuration is told of this deployment: `__name__` in it becomes the value.')
param facts object

var name = 'ca-gateway-${suffix}'
var console = 'https://${name}.${managed.properties.defaultDomain}'
var ownTls = !empty(listenerKey)
var ownAuthority = !empty(egressAuthorityKey)
var told = union(facts, {
  gateway: gatewayName
  console: console
  'listener-tls': ownTls ? '{ cert: tls.crt, key: tls.key }' : '{}'
  'egress-authority': ownAuthority ? '{ cert: egress-ca.crt, key: egress-ca.key }' : '{}'
})
var configuration = reduce(
  items(told),
  loadTextContent('../config/sallyport.yaml'),
  (text, fact) => replace(text, '__${fact.key}__', fact.value)
)

// Started before the first image is there; it knows nothing and is reached by nobody who proves anything.
var image = empty(imageName) ? 'mcr.microsoft.com/azuredocs/containerapps-helloworld:latest' : imageName

resource managed 'Microsoft.App/managedEnvironments@2025-07-01' = {
  name: 'cae-${suffix}'
  location: location
  tags: tags
  properties: {
    zoneRedundant: zoneRedundant
    vnetConfiguration: { infrastructureSubnetId: subnetId, internal: !external }
    workloadProfiles: [{ name: 'Consumption', workloadProfileType: 'Consumption' }]
    appLogsConfiguration: { destination: 'azure-monitor' }
    peerAuthentication: { mtls: { enabled: true } }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: managed
  name: 'logs'
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}

resource app 'Microsoft.App/containerApps@2025-07-01' = {
  name: name
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${recorderIdentityId}': {}
      '${sealerIdentityId}': {}
      '${pullIdentityId}': {}
    }
  }
  properties: {
    environmentId: managed.id
    workloadProfileName: 'Consumption'
    configuration: {
      // Old revisions keep their sessions until those have ended; deactivate them then.
      activeRevisionsMode: 'Multiple'
      maxInactiveRevisions: 5
      identitySettings: [
        { identity: recorderIdentityId, lifecycle: 'Main' }
        { identity: sealerIdentityId, lifecycle: 'Main' }
        { identity: pullIdentityId, lifecycle: 'None' }
      ]
      registries: [{ server: registry, identity: pullIdentityId }]
      secrets: concat(
        [
          { name: 'sallyport-yaml', value: configuration }
          { name: 'policy-yaml', value: loadTextContent('../config/policy.yaml') }
        ],
        ownTls
          ? [
              { name: 'listener-crt', value: listenerCertificate }
              { name: 'listener-key', value: listenerKey }
            ]
          : [],
        ownAuthority
          ? [
              { name: 'egress-ca-crt', value: egressAuthorityCertificate }
              { name: 'egress-ca-key', value: egressAuthorityKey }
            ]
          : []
      )
      ingress: {
        external: external
        targetPort: 7480
        transport: 'http'
        allowInsecure: false
        traffic: [{ latestRevision: true, weight: 100 }]
        // Five at most: one for each protocol, postgres, ssh, http, kubernetes and egress.
        additionalPortMappings: [
          { external: external, targetPort: 6432, exposedPort: 6432 }
          { external: external, targetPort: 2222, exposedPort: 2222 }
          { external: external, targetPort: 8443, exposedPort: 8443 }
          { external: external, targetPort: 8444, exposedPort: 8444 }
          { external: external, targetPort: 3128, exposedPort: 3128 }
        ]
      }
    }
    template: {
      // Above limits.drainTimeoutMs, the farewell and the seal.
      terminationGracePeriodSeconds: 60
      volumes: [
        { name: 'data', storageType: 'EmptyDir' }
        {
          name: 'config'
          storageType: 'Secret'
          secrets: concat(
            [
              { secretRef: 'sallyport-yaml', path: 'sallyport.yaml' }
              { secretRef: 'policy-yaml', path: 'policy.yaml' }
            ],
            ownTls
              ? [
                  { secretRef: 'listener-crt', path: 'tls.crt' }
                  { secretRef: 'listener-key', path: 'tls.key' }
                ]
              : [],
            ownAuthority
              ? [
                  { secretRef: 'egress-ca-crt', path: 'egress-ca.crt' }
                  { secretRef: 'egress-ca-key', path: 'egress-ca.key' }
                ]
              : []
          )
        }
      ]
      containers: [
        {
          name: 'gateway'
          image: image
          resources: { cpu: json('2.0'), memory: '4Gi' }
          env: [
            { name: 'SALLYPORT_CONFIG', value: '/etc/sallyport/sallyport.yaml' }
            { name: 'SALLYPORT_DATABASE', value: database }
          ]
          volumeMounts: [
            { volumeName: 'data', mountPath: '/var/lib/sallyport' }
            { volumeName: 'config', mountPath: '/etc/sallyport' }
          ]
          probes: [
            {
              type: 'Startup'
              httpGet: { path: '/healthz', port: 9464 }
              periodSeconds: 5
              failureThreshold: 10
            }
            {
              type: 'Liveness'
              httpGet: { path: '/healthz', port: 9464 }
              periodSeconds: 15
              failureThreshold: 4
            }
            {
              type: 'Readiness'
              httpGet: { path: '/readyz', port: 9464 }
              periodSeconds: 5
              failureThreshold: 2
            }
          ]
        }
      ]
      scale: {
        minReplicas: minReplicas
        maxReplicas: maxReplicas
        // Whoever scales in cuts sessions: late, and one at a time.
        cooldownPeriod: 1800
        rules: [{ name: 'connections', tcp: { metadata: { concurrentConnections: '200' } } }]
      }
    }
  }
}

output name string = app.name
output url string = console
