// Tapes: `live` takes appends, `evidence` keeps copies that nobody can change.
param location string
param tags object
param suffix string
param retainDays int
param liveDays int
param zoneRedundant bool
param subnetId string
param zoneId string
param workspaceId string
param recorderId string
param sealerId string
param readerId string
param recorderRoleId string
param sealerRoleId string
param holdsRoleId string

var blobDataReader = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1')

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'st${suffix}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: 'Disabled'
    supportsHttpsTrafficOnly: true
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: { blob: { enabled: true, keyType: 'Account' } }
    }
    networkAcls: { bypass: 'None', defaultAction: 'Deny' }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    changeFeed: { enabled: true, retentionInDays: retainDays }
    deleteRetentionPolicy: { enabled: true, days: 30 }
    containerDeleteRetentionPolicy: { enabled: true, days: 30 }
  }
}

resource live 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'live'
  properties: { publicAccess: 'None' }
}

// Unlocked: to lock it, which nobody can ever take back, is a decision of its own (deploy/README.md).
resource appendOnly 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' = {
  parent: live
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: liveDays
    allowProtectedAppendWrites: true
  }
}

resource evidence 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'evidence'
  properties: {
    publicAccess: 'None'
    immutableStorageWithVersioning: { enabled: true }
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'live-after-its-copies'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['appendBlob', 'blockBlob'], prefixMatch: ['live/tapes/'] }
            actions: { baseBlob: { delete: { daysAfterCreationGreaterThan: liveDays + 7 } } }
          }
        }
        {
          name: 'evidence-cools'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['evidence/tapes/'] }
            actions: {
              baseBlob: {
                tierToCool: { daysAfterCreationGreaterThan: 30 }
                tierToCold: { daysAfterCreationGreaterThan: 120 }
              }
            }
          }
        }
      ]
    }
  }
}

resource records 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: live
  name: guid(live.id, recorderId, recorderRoleId)
  properties: { principalId: recorderId, principalType: 'ServicePrincipal', roleDefinitionId: recorderRoleId }
}

resource seals 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: evidence
  name: guid(evidence.id, sealerId, sealerRoleId)
  properties: { principalId: sealerId, principalType: 'ServicePrincipal', roleDefinitionId: sealerRoleId }
}

resource holds 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: evidence
  name: guid(evidence.id, sealerId, holdsRoleId)
  properties: { principalId: sealerId, principalType: 'ServicePrincipal', roleDefinitionId: holdsRoleId }
}

resource reads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(readerId)) {
  scope: evidence
  name: guid(evidence.id, readerId, blobDataReader)
  properties: { principalId: readerId, roleDefinitionId: blobDataReader }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: 'pe-blob-${suffix}'
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      { name: 'blob', properties: { privateLinkServiceId: account.id, groupIds: ['blob'] } }
    ]
  }
}

resource name 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = {
  parent: endpoint
  name: 'default'
  properties: { privateDnsZoneConfigs: [{ name: 'blob', properties: { privateDnsZoneId: zoneId } }] }
}

// Who read, wrote or tried to: for whoever investigates the evidence itself.
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

output accountName string = account.name
output accountId string = account.id
