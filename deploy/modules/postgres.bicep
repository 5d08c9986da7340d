// Catalog and desk. Entra alone logs in: there is no password to lose.
param location string
param tags object
param suffix string
param sku string
param zoneRedundant bool
param subnetId string
param zoneId string
param workspaceId string
param administratorId string
param administratorName string
param gatewayPrincipalId string
param gatewayPrincipalName string
param gatewayAdministrator bool

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2024-08-01' = {
  name: 'pg-${suffix}'
  location: location
  tags: tags
  sku: { name: sku, tier: startsWith(sku, 'Standard_B') ? 'Burstable' : 'GeneralPurpose' }
  properties: {
    version: '17'
    authConfig: { activeDirectoryAuth: 'Enabled', passwordAuth: 'Disabled', tenantId: tenant().tenantId }
    storage: { storageSizeGB: 128, autoGrow: 'Enabled' }
    backup: { backupRetentionDays: 14, geoRedundantBackup: 'Disabled' }
    highAvailability: { mode: zoneRedundant ? 'ZoneRedundant' : 'Disabled' }
    network: { delegatedSubnetResourceId: subnetId, privateDnsZoneArmResourceId: zoneId }
  }
}

// So that its first start can make its schemas: nobody else is there to let it in. deploy/README.md, "The gateway's database", takes it away.
resource gateway 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2024-08-01' = if (gatewayAdministrator) {
  parent: server
  name: gatewayPrincipalId
  properties: { principalType: 'ServicePrincipal', principalName: gatewayPrincipalName, tenantId: tenant().tenantId }
}

resource administrator 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2024-08-01' = if (!empty(administratorId) && !empty(administratorName)) {
  parent: server
  name: empty(administratorId) ? 'nobody' : administratorId
  properties: { principalType: 'User', principalName: administratorName, tenantId: tenant().tenantId }
  dependsOn: [gateway]
}

resource database 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2024-08-01' = {
  parent: server
  name: 'sallyport'
  properties: { charset: 'UTF8', collation: 'C' }
  dependsOn: [administrator]
}

// Trigrams for the search in statements.
resource extensions 'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2024-08-01' = {
  parent: server
  name: 'azure.extensions'
  properties: { value: 'PG_TRGM', source: 'user-override' }
  dependsOn: [database]
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: server
  name: 'logs'
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

output host string = server.properties.fullyQualifiedDomainName
output database string = database.name
