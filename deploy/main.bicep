// Everything a gateway needs, in one resource group. `azd up` deploys it; deploy/README.md says what each resource is for, costs and may.
targetScope = 'subscription'

@description('Names the resource group and everything in it.')
@minLength(1)
@maxLength(24)
param environmentName string

@description('Where everything is made.')
param location string

@description('Object id of whoever deploys: gets the right to read evidence. Empty: nobody.')
param deployerId string = ''

@description('Sign-in name of the same person, who becomes an administrator of PostgreSQL. Empty: nobody.')
param deployerName string = ''

@description('Image of the gateway; empty before the first build, when a placeholder is started.')
param imageName string = ''

@description('Who is written to when an alert fires. Empty: nobody.')
param alertEmail string = ''

@description('Tenant whose people sign in to the console.')
param entraTenantId string = tenant().tenantId

@description('Application (client) id of the console in that tenant.')
param oidcClientId string = ''

@description('Names this gateway in session ids; replicas get a suffix of their own.')
@minLength(1)
@maxLength(16)
param gatewayName string = 'gw1'

@description('Days for which copies in the evidence container can be neither changed nor deleted.')
@minValue(1)
@maxValue(146000)
param retainDays int = 365

@description('Days after which recordings leave the live container; their copies stay.')
@minValue(7)
param liveDays int = 30

@description('Whether the console and listeners are reached from the internet, or from the virtual network alone.')
param external bool = false

@description('Replicas at least; 0: two where they are given a certificate to share, else one.')
@minValue(0)
@maxValue(25)
param minReplicas int = 0
@description('Replicas at most; 0: as many as at least.')
@minValue(0)
@maxValue(25)
param maxReplicas int = 0

@description('Whether resources are spread over availability zones.')
param zoneRedundant bool = false

@description('Address space of the virtual network; a /22 at least.')
param addressPrefix string = '10.40.0.0/20'

@description('Size of the PostgreSQL server that keeps catalog and desk.')
param postgresSku string = 'Standard_D2ds_v5'

@description('Whether the gateway may administer that server: so that its first start can make what it needs. deploy/README.md takes it away.')
param gatewayAdministrator bool = true

@description('Base64 of the PEM certificate chain that the TCP listeners show, the same in all replicas. Without it each replica makes one of its own.')
@secure()
param listenerCertificate string = ''

@description('Base64 of its private key, PEM.')
@secure()
param listenerKey string = ''

@description('Base64 of the PEM certificate of the authority that signs for hosts of egress whose TLS is opened, the same in all replicas.')
@secure()
param egressAuthorityCertificate string = ''

@description('Base64 of its private key, PEM.')
@secure()
param egressAuthorityKey string = ''

var tags = { 'azd-env-name': environmentName, application: 'sallyport' }
var replicas = minReplicas > 0 ? minReplicas : (empty(listenerCertificate) ? 1 : 2)
var suffix = uniqueString(subscription().id, environmentName, location)

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  scope: group
  name: 'identities'
  params: { location: location, tags: tags, suffix: suffix }
}

module network 'modules/network.bicep' = {
  scope: group
  name: 'network'
  params: { location: location, tags: tags, suffix: suffix, addressPrefix: addressPrefix }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  name: 'monitoring'
  params: { location: location, tags: tags, suffix: suffix }
}

module roles 'modules/roles.bicep' = {
  scope: group
  name: 'roles'
  params: { suffix: suffix }
}

module storage 'modules/storage.bicep' = {
  scope: group
  name: 'storage'
  params: {
    location: location
    tags: tags
    suffix: suffix
    retainDays: retainDays
    liveDays: liveDays
    zoneRedundant: zoneRedundant
    subnetId: network.outputs.endpointsSubnetId
    zoneId: network.outputs.blobZoneId
    workspaceId: monitoring.outputs.workspaceId
    recorderId: identities.outputs.recorderPrincipalId
    sealerId: identities.outputs.sealerPrincipalId
    readerId: deployerId
    recorderRoleId: roles.outputs.recorderRoleId
    sealerRoleId: roles.outputs.sealerRoleId
    holdsRoleId: roles.outputs.holdsRoleId
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  name: 'vault'
  params: {
    location: location
    tags: tags
    suffix: suffix
    subnetId: network.outputs.endpointsSubnetId
    zoneId: network.outputs.vaultZoneId
    workspaceId: monitoring.outputs.workspaceId
    recorderId: identities.outputs.recorderPrincipalId
  }
}

module registry 'modules/registry.bicep' = {
  scope: group
  name: 'registry'
  params: { location: location, tags: tags, suffix: suffix, pullId: identities.outputs.pullPrincipalId }
}

module postgres 'modules/postgres.bicep' = {
  scope: group
  name: 'postgres'
  params: {
    location: location
    tags: tags
    suffix: suffix
    sku: postgresSku
    zoneRedundant: zoneRedundant
    subnetId: network.outputs.postgresSubnetId
    zoneId: network.outputs.postgresZoneId
    workspaceId: monitoring.outputs.workspaceId
    administratorId: deployerId
    administratorName: deployerName
    gatewayPrincipalId: identities.outputs.recorderPrincipalId
    gatewayPrincipalName: identities.outputs.recorderName
    gatewayAdministrator: gatewayAdministrator
  }
}

module app 'modules/app.bicep' = {
  scope: group
  name: 'app'
  params: {
    location: location
    tags: union(tags, { 'azd-service-name': 'gateway' })
    suffix: suffix
    gatewayName: gatewayName
    imageName: imageName
    registry: registry.outputs.loginServer
    external: external
    zoneRedundant: zoneRedundant
    minReplicas: replicas
    maxReplicas: max(replicas, maxReplicas)
    subnetId: network.outputs.appsSubnetId
    workspaceId: monitoring.outputs.workspaceId
    recorderIdentityId: identities.outputs.recorderId
    sealerIdentityId: identities.outputs.sealerId
    pullIdentityId: identities.outputs.pullId
    listenerCertificate: base64ToString(listenerCertificate)
    listenerKey: base64ToString(listenerKey)
    egressAuthorityCertificate: base64ToString(egressAuthorityCertificate)
    egressAuthorityKey: base64ToString(egressAuthorityKey)
    database: 'postgres://${identities.outputs.recorderName}@${postgres.outputs.host}/${postgres.outputs.database}?sslmode=verify-full'
    facts: {
      account: storage.outputs.accountName
      recorder: identities.outputs.recorderClientId
      sealer: identities.outputs.sealerClientId
      vault: vault.outputs.uri
      postgres: postgres.outputs.host
      'recorder-name': identities.outputs.recorderName
      tenant: entraTenantId
      'oidc-client': oidcClientId
      'retain-days': string(retainDays)
    }
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  name: 'alerts'
  params: {
    location: location
    tags: tags
    suffix: suffix
    email: alertEmail
    workspaceId: monitoring.outputs.workspaceId
    appName: app.outputs.name
    storageId: storage.outputs.accountId
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output SALLYPORT_RECORDER string = identities.outputs.recorderName
output SALLYPORT_RECORDER_ID string = identities.outputs.recorderPrincipalId
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.loginServer
output SALLYPORT_APP string = app.outputs.name
output SALLYPORT_CONSOLE string = app.outputs.url
output SALLYPORT_STORAGE_ACCOUNT string = storage.outputs.accountName
output SALLYPORT_VAULT string = vault.outputs.uri
output SALLYPORT_POSTGRES string = postgres.outputs.host
output SALLYPORT_WORKSPACE string = monitoring.outputs.workspaceId
